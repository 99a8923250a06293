/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal, as far as it needs no disk: when and what the agent writes for the one that follows, and what it makes
 * of what the one before wrote.
 *
 * What is held is what the kernel has with our mark, whatever the journal says; the journal adds what the kernel cannot
 * know. Where the two disagree:
 *   marked, not in the journal       adopted where the file maps it there, else released
 *   marked, of a NIC given back      the same: it is held, and its NIC is not given back
 *   in the journal, not in the kernel  not held; it is claimed again only after it was lost and verified anew
 *   neither marked nor in the file   not ours, and left alone
 * A journal of an earlier boot tells nothing of what is held, nor that a source was seen alive: MACs are believed, and
 * what people decided or were asked. A question then waits for a person alone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "agent/base/cleanup.h"
#include "agent/shell/internal.h"

/* Two journals are so far apart at least, and further where there are many addresses: text for 10,000 takes 4 ms. */
#define PACE_NS (100 * NSEC_PER_MSEC)
#define PACE_ADDRESS_NS (50 * NSEC_PER_USEC)
/* With more addresses than this the loop has better things to do in the turn in which something happened. */
#define AT_ONCE_MAX 256

/* CLOCK_REALTIME to ours and back; what is beyond the range is at its end. */
static nsec_t from_real(const struct agent *agent, int64_t real_ns)
{
    nsec_t ahead_ns = agent->ports->wall_ahead(agent->userdata), at_ns;

    if (__builtin_sub_overflow(real_ns, ahead_ns, &at_ns))
        return real_ns < 0 ? INT64_MIN : INT64_MAX;
    return at_ns;
}

static int64_t to_real(const struct agent *agent, nsec_t at_ns)
{
    return at_ns + agent->ports->wall_ahead(agent->userdata);
}

/* Writing. */

static enum journal_verdict verdict_of(const struct core_nic *n)
{
    if (n->state == CORE_AWAITING)
        return n->reason == CORE_REASON_DAMPED            ? JOURNAL_VERDICT_DAMPED
               : n->reason == CORE_REASON_WITNESS_MISSING ? JOURNAL_VERDICT_UNWITNESSED
                                                          : JOURNAL_VERDICT_AWAITING;
    if (n->state == CORE_LOST && n->reason == CORE_REASON_DENIED)
        return JOURNAL_VERDICT_DENIED;
    if (n->state == CORE_LOST && n->reason == CORE_REASON_APPROVAL_EXPIRED)
        return JOURNAL_VERDICT_EXPIRED;
    return JOURNAL_VERDICT_NONE;
}

static void write_nic(const struct agent *agent, uint32_t nic, struct journal_nic *record)
{
    const struct plan *plan = agent->plan;
    const struct core_nic *n = &plan->core.nics[nic];
    bool releasing = n->state == CORE_RELEASING;

    memcpy(record->source, plan->source_maps[n->source]->name, sizeof record->source);
    memcpy(record->nic, plan->nic_maps[nic]->name, sizeof record->nic);
    /* A failback that is under way is one. */
    record->disarmed = n->disarmed || (releasing && n->reason == CORE_REASON_OPERATOR);
    /* A source that is just coming back may be silent for seconds, while it looks whether its address is free. */
    record->armed = n->armed && !record->disarmed && !n->awaited && !(releasing && n->reason == CORE_REASON_RETURNED);
    record->paused = plan->core.sources[n->source].paused;
    record->verdict = verdict_of(n);
    if (journal_verdict_awaits(record->verdict))
        record->approval_until_real_ns =
            n->approval_until_ns == NSEC_NEVER ? INT64_MAX : to_real(agent, n->approval_until_ns);
}

/* What is known of the address. False where that is nothing. */
static bool write_address(const struct agent *agent, uint32_t address, struct journal_address *record)
{
    const struct plan *plan = agent->plan;
    const struct core_address *a = &plan->core.addresses[address];

    *record = (struct journal_address){.ip = plan->monitors[address].map->ip, .mac = a->mac};
    record->held = a->claim == CORE_CLAIM_HELD;
    if (record->held) {
        record->prefix = plan->monitors[address].hold->prefix;
        memcpy(record->dev, plan->targets[a->held_on].name, sizeof record->dev);
        record->held_since_real_ns = to_real(agent, a->held_since_ns);
    }
    return record->held || a->seen || a->armed || !mac_address_is_unset(&a->mac);
}

/* Those that still count. */
static void write_takeovers(const struct agent *agent, nsec_t now_ns, struct journal *journal)
{
    const struct core *core = &agent->plan->core;

    for (uint32_t i = 0; i < core->n_sources; i++) {
        const struct core_source *s = &core->sources[i];

        for (uint32_t k = 0; s->max_takeovers > 0 && k < s->n_takeovers; k++) {
            struct journal_takeover *record = &journal->takeovers[journal->n_takeovers];

            if (s->takeovers_ns[k] <= now_ns - s->takeovers_within_ns)
                continue;
            memcpy(record->source, agent->plan->source_maps[i]->name, sizeof record->source);
            record->at_real_ns = to_real(agent, s->takeovers_ns[k]);
            journal->n_takeovers++;
        }
    }
}

/* Of sources where that is something. */
static void write_services(const struct agent *agent, struct journal *journal)
{
    const struct core *core = &agent->plan->core;

    for (uint32_t i = 0; i < core->n_sources; i++) {
        const struct core_source *s = &core->sources[i];
        struct journal_services *record = &journal->services[journal->n_services];

        if (!agent->plan->services[i])
            continue;
        memcpy(record->source, agent->plan->source_maps[i]->name, sizeof record->source);
        record->paused = s->paused && s->n_nics == 0;
        record->held = s->service == CORE_SERVICE_HOLDING || s->service == CORE_SERVICE_CLAIMING;
        /* A failback that is under way is one. */
        record->disarmed = s->service == CORE_SERVICE_DISARMED || s->service == CORE_SERVICE_RELEASING;
        for (uint32_t k = s->first_nic; k < s->first_nic + s->n_nics; k++)
            record->forced =
                record->forced || (core->nics[k].n_held > 0 && core->nics[k].reason == CORE_REASON_SERVICE);
        journal->n_services += record->paused || record->held || record->disarmed || record->forced;
    }
}

static size_t count_takeovers(const struct core *core)
{
    size_t n = 0;

    for (uint32_t i = 0; i < core->n_sources; i++)
        n += core->sources[i].n_takeovers;
    return n;
}

static int write_text(struct agent *agent, nsec_t now_ns, char **ret, size_t *ret_length)
{
    CLEANUP(journal_free) struct journal journal = {.serial = ++agent->journaling.serial};
    const struct core *core = &agent->plan->core;

    memcpy(journal.boot_id, agent->journaling.boot_id, sizeof journal.boot_id);
    journal.nics = calloc(core->n_nics + 1, sizeof *journal.nics);
    journal.takeovers = calloc(count_takeovers(core) + 1, sizeof *journal.takeovers);
    journal.services = calloc(core->n_sources + 1, sizeof *journal.services);
    journal.addresses = calloc(core->n_addresses + 1, sizeof *journal.addresses);
    if (!journal.nics || !journal.takeovers || !journal.services || !journal.addresses)
        return -ENOMEM;
    for (uint32_t i = 0; i < core->n_nics; i++)
        write_nic(agent, i, &journal.nics[journal.n_nics++]);
    for (uint32_t i = 0; i < core->n_addresses; i++)
        journal.n_addresses += write_address(agent, i, &journal.addresses[journal.n_addresses]);
    write_takeovers(agent, now_ns, &journal);
    write_services(agent, &journal);
    return journal_encode(&journal, ret, ret_length);
}

static nsec_t pace_ns(const struct agent *agent)
{
    return PACE_NS + agent->plan->core.n_addresses * PACE_ADDRESS_NS;
}

static void write_now(struct agent *agent, nsec_t now_ns)
{
    struct journaling *j = &agent->journaling;
    char *text = NULL;
    size_t length = 0;
    int r = write_text(agent, now_ns, &text, &length);

    j->due_ns = r < 0 ? now_ns + pace_ns(agent) : NSEC_NEVER;
    j->written_ns = now_ns;
    if (r == 0)
        agent->ports->journal(agent->userdata, text, length);
}

void journaling_run(struct agent *agent, nsec_t now_ns)
{
    struct journaling *j = &agent->journaling;

    if (agent->plan->core.lasting_changed && j->on) {
        nsec_t soonest_ns = agent->plan->core.n_addresses <= AT_ONCE_MAX ? now_ns : now_ns + PACE_NS;
        nsec_t apart_ns = j->written_ns == NSEC_UNSET ? now_ns : j->written_ns + pace_ns(agent);

        agent->plan->core.lasting_changed = false;
        j->due_ns = nsec_min(j->due_ns, soonest_ns > apart_ns ? soonest_ns : apart_ns);
    }
    if (j->on && j->due_ns <= now_ns)
        write_now(agent, now_ns);
}

nsec_t journaling_deadline(const struct agent *agent)
{
    return agent->journaling.on ? agent->journaling.due_ns : NSEC_NEVER;
}

void agent_journal_again(struct agent *agent, nsec_t at_ns)
{
    agent->journaling.due_ns = nsec_min(agent->journaling.due_ns, at_ns);
}

void agent_journal_last(struct agent *agent, nsec_t now_ns)
{
    agent->now_ns = now_ns;
    if (agent->plan && agent->journaling.on &&
        (agent->plan->core.lasting_changed || agent->journaling.due_ns <= now_ns))
        write_now(agent, now_ns);
}

/* Reading. */

void agent_recall(struct agent *agent, const char *boot_id, struct journal *journal)
{
    struct journaling *j = &agent->journaling;

    snprintf(j->boot_id, sizeof j->boot_id, "%s", boot_id);
    j->recalled = *journal;
    *journal = (struct journal){0};
    j->serial = j->recalled.serial;
    j->on = true;
}

/* Whether the journal was written since this host was started. */
static bool is_of_this_boot(const struct journaling *j)
{
    return j->boot_id[0] != '\0' && strcmp(j->boot_id, j->recalled.boot_id) == 0;
}

/*
 * The NIC that the record is about, UINT32_MAX where the file has none such. Records stand in the order of the file, so
 * that the search begins where the last one ended.
 */
static uint32_t find_nic(const struct plan *plan, const struct journal_nic *record, uint32_t *from)
{
    uint32_t n = plan->core.n_nics;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t nic = (*from + i) % n;

        if (strcmp(plan->nic_maps[nic]->name, record->nic) != 0 ||
            strcmp(plan->source_maps[plan->core.nics[nic].source]->name, record->source) != 0)
            continue;
        *from = nic + 1;
        return nic;
    }
    return UINT32_MAX;
}

/* What the journal says of each NIC of the file; NULL where nothing. */
static const struct journal_nic **match_nics(const struct plan *plan, const struct journal *journal)
{
    const struct journal_nic **records = calloc(plan->core.n_nics + 1, sizeof(struct journal_nic *));
    uint32_t from = 0;

    for (size_t i = 0; records && i < journal->n_nics; i++) {
        uint32_t nic = find_nic(plan, &journal->nics[i], &from);

        if (nic != UINT32_MAX)
            records[nic] = &journal->nics[i];
    }
    return records;
}

/* The file has the last word on how long a question may wait; after a reboot a person has. */
static nsec_t approval_until(const struct agent *agent, const struct core_source *s, const struct journal_nic *record)
{
    if (s->approval_timeout_ns == NSEC_NEVER || !is_of_this_boot(&agent->journaling))
        return NSEC_NEVER;
    return nsec_min(from_real(agent, record->approval_until_real_ns), agent->now_ns + s->approval_timeout_ns);
}

static void restore_nic(struct agent *agent, uint32_t nic, const struct journal_nic *record, bool known)
{
    struct core *core = &agent->plan->core;
    struct core_restored restored = {
        .armed = known && record->armed && is_of_this_boot(&agent->journaling),
        .disarmed = record->disarmed,
        .state = CORE_UNSEEN,
        .approval_until_ns = approval_until(agent, &core->sources[core->nics[nic].source], record),
    };

    switch (known ? record->verdict : JOURNAL_VERDICT_NONE) {
    case JOURNAL_VERDICT_NONE:
        break;
    case JOURNAL_VERDICT_AWAITING:
        restored.state = CORE_AWAITING;
        restored.reason = CORE_REASON_POLICY_MANUAL;
        break;
    case JOURNAL_VERDICT_UNWITNESSED:
        restored.state = CORE_AWAITING;
        restored.reason = CORE_REASON_WITNESS_MISSING;
        break;
    case JOURNAL_VERDICT_DAMPED:
        restored.state = CORE_AWAITING;
        restored.reason = CORE_REASON_DAMPED;
        break;
    case JOURNAL_VERDICT_DENIED:
        restored.state = CORE_LOST;
        restored.reason = CORE_REASON_DENIED;
        break;
    case JOURNAL_VERDICT_EXPIRED:
        restored.state = CORE_LOST;
        restored.reason = CORE_REASON_APPROVAL_EXPIRED;
        break;
    }
    core_restore_nic(core, agent->now_ns, nic, &restored);
}

static void restore_takeovers(struct agent *agent)
{
    const struct journal *journal = &agent->journaling.recalled;
    struct core *core = &agent->plan->core;
    uint32_t from = 0;

    for (size_t i = 0; i < journal->n_takeovers; i++)
        for (uint32_t k = 0; k < core->n_sources; k++) {
            uint32_t source = (from + k) % core->n_sources;

            if (strcmp(agent->plan->source_maps[source]->name, journal->takeovers[i].source) != 0)
                continue;
            core_restore_takeover(core, agent->now_ns, source, from_real(agent, journal->takeovers[i].at_real_ns));
            from = source;
            break;
        }
}

static int restore(struct agent *agent)
{
    const struct journal *journal = &agent->journaling.recalled;
    struct core *core = &agent->plan->core;
    CLEANUP_FREE const struct journal_nic **records = match_nics(agent->plan, journal);
    CLEANUP_FREE bool *known = calloc(core->n_nics + 1, sizeof *known);

    if (!records || !known)
        return -ENOMEM;
    for (uint32_t i = 0; i < core->n_nics; i++)
        if (records[i] && records[i]->paused)
            core_pause(core, agent->now_ns, core->nics[i].source);
    for (size_t i = 0; i < journal->n_addresses; i++) {
        uint32_t address = plan_find(agent, agent->plan, &journal->addresses[i].ip);
        const struct journal_nic *record;

        if (address == UINT32_MAX)
            continue;
        record = records[core->addresses[address].nic];
        core_restore_address(core, address, &journal->addresses[i].mac,
                             record && record->armed && is_of_this_boot(&agent->journaling));
        known[core->addresses[address].nic] = true;
    }
    for (uint32_t i = 0; i < core->n_nics; i++)
        if (records[i])
            restore_nic(agent, i, records[i], known[i]);
    restore_takeovers(agent);
    return 0;
}

/* A name stays where it was put, whatever becomes of this host; after what is held was adopted. */
static void restore_services(struct agent *agent)
{
    const struct journal *journal = &agent->journaling.recalled;
    uint32_t source;

    for (size_t i = 0; i < journal->n_services; i++) {
        const struct journal_services *record = &journal->services[i];

        if (plan_find_source(agent->plan, record->source, &source) < 0 || !agent->plan->services[source])
            continue;
        if (record->paused)
            core_pause(&agent->plan->core, agent->now_ns, source);
        core_restore_services(&agent->plan->core, agent->now_ns, source,
                              &(struct core_restored_services){
                                  .held = record->held, .disarmed = record->disarmed, .forced = record->forced});
    }
}

void journaling_restore(struct agent *agent)
{
    if (agent->journaling.recalled.n_nics == 0 && agent->journaling.recalled.n_services == 0)
        return;
    if (restore(agent) < 0)
        agent_say(agent, LOG_ERR, "no memory to read the journal: what the agent before knew is not known");
}

/* Whether what the journal calls held is; since when, where it is. */
static bool restore_held(struct agent *agent, const struct journal_address *record)
{
    struct plan *plan = agent->plan;
    uint32_t address = plan_find(agent, plan, &record->ip);
    const struct core_address *a = address == UINT32_MAX ? NULL : &plan->core.addresses[address];
    nsec_t since_ns = from_real(agent, record->held_since_real_ns);

    /* What is not in the file was released, where it was there. */
    if (!a)
        return true;
    if (a->claim != CORE_CLAIM_HELD)
        return false;
    if (strcmp(plan->targets[a->held_on].name, record->dev) == 0)
        core_restore_held(&plan->core, address, nsec_min(since_ns, agent->now_ns));
    return true;
}

void journaling_after_adoption(struct agent *agent)
{
    struct journaling *j = &agent->journaling;
    const struct journal_address *first = NULL;
    char text[IP_ADDRESS_TEXT];
    size_t missing = 0;

    for (size_t i = 0; i < j->recalled.n_addresses; i++) {
        const struct journal_address *record = &j->recalled.addresses[i];

        if (!record->held || restore_held(agent, record))
            continue;
        missing++;
        first = first ? first : record;
    }
    if (first)
        agent_say(agent, LOG_NOTICE,
                  "%zu addresses that were held %s are not (%s%s): nothing is claimed again unless %s", missing,
                  is_of_this_boot(j) ? "by the agent before" : "before this host was started",
                  ip_address_format(&first->ip, text), missing > 1 ? ", ..." : "",
                  is_of_this_boot(j) ? "it is found lost, and verified" : "its source was seen alive and lost anew");
    restore_services(agent);
    journal_free(&j->recalled);
}
