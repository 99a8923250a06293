/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as a whole: made, loaded, turned, freed. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

int agent_new(struct agent **ret, const struct agent_ports *ports, void *userdata, uint64_t seed)
{
    struct agent *agent = calloc(1, sizeof *agent);

    if (!agent)
        return -ENOMEM;
    agent->ports = ports;
    agent->userdata = userdata;
    agent->random = seed;
    agent->hash_seed = agent_random(agent);
    agent->next_deadline_ns = NSEC_NEVER;
    agent->journaling.due_ns = NSEC_NEVER;
    agent->names_due_ns = NSEC_NEVER;
    *ret = agent;
    return 0;
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    while (agent->owed) {
        struct owed *next = agent->owed->next;

        free(agent->owed);
        agent->owed = next;
    }
    free(agent->strays);
    plan_free(agent->plan);
    journal_free(&agent->journaling.recalled);
    free(agent);
}

/* splitmix64: tokens only have to be unguessable to hosts that do not see our requests. */
uint64_t agent_random(struct agent *agent)
{
    uint64_t z = agent->random += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void agent_say(struct agent *agent, int priority, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    agent->ports->say(agent->userdata, priority, text);
}

void agent_set_ipv6_router(struct agent *agent, bool router)
{
    agent->ipv6_router = router;
}

nsec_t agent_deadline(const struct agent *agent)
{
    const struct plan *plan = agent->plan;
    nsec_t due_ns = nsec_min(commands_deadline(agent), leaving_deadline(agent));

    if (!plan)
        return due_ns;
    due_ns = nsec_min(due_ns, rounds_deadline(agent));
    due_ns = nsec_min(due_ns, proof_deadline(agent));
    due_ns = nsec_min(due_ns, checks_deadline(agent));
    due_ns = nsec_min(due_ns, names_deadline(agent));
    due_ns = nsec_min(due_ns, heap_first(&plan->leases, NULL));
    due_ns = nsec_min(due_ns, core_deadline(&plan->core));
    due_ns = nsec_min(due_ns, announcer_deadline(plan->announcer));
    due_ns = nsec_min(due_ns, journaling_deadline(agent));
    return nsec_min(due_ns, agent->witness_idle_ns);
}

/* Evidence about a source is void: its rounds, and what the core made of them. */
static void void_source(struct agent *agent, uint32_t source)
{
    struct core *core = &agent->plan->core;
    const struct core_source *s = &core->sources[source];

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        for (uint32_t k = 0; k < core->nics[i].n_addresses; k++)
            rounds_void(agent, core->nics[i].first_address + k, NSEC_NEVER);
    core_on_void(core, agent->now_ns, source);
    checks_void(agent, source);
}

/*
 * We woke too late to judge: what was sent before may have been answered into queues that overflowed, or into a machine
 * that stood still. Everything queued is read first, since an answer is an answer; what is left unanswered is void, and
 * fresh misses are needed.
 */
static void handle_stall(struct agent *agent, nsec_t late_ns)
{
    struct plan *plan = agent->plan;
    bool told = false;

    rounds_drain(agent);
    for (uint32_t i = 0; i < plan->core.n_addresses; i++)
        if (plan->core.addresses[i].claim == CORE_CLAIM_HELD && lease_ran_out(agent, i))
            lease_lapse(agent, i);
    for (uint32_t i = 0; i < plan->core.n_sources; i++) {
        if (late_ns <= plan->source_maps[i]->interval_ns)
            continue;
        void_source(agent, i);
        told = true;
    }
    if (!told)
        return;
    agent->header.stalls++;
    agent_say(agent, late_ns > NSEC_PER_SEC ? LOG_WARNING : LOG_INFO,
              "this host stood still for %lld ms: rounds in that time do not count",
              (long long)(late_ns / NSEC_PER_MSEC));
}

struct report_agent *agent_report_header(struct agent *agent)
{
    return &agent->header;
}

void agent_turn(struct agent *agent, nsec_t now_ns)
{
    nsec_t late_ns = nsec_max(now_ns - agent->next_deadline_ns, 0);
    nsec_t stood_still_ns = now_ns - nsec_max(agent->next_deadline_ns, agent->turned_ns) - agent->worked_ns;

    agent->now_ns = agent->turned_ns = now_ns;
    agent->worked_ns = 0;
    agent->header.turns++;
    if (!agent->plan)
        return;
    lateness_count(&agent->lateness, now_ns, late_ns);
    agent->header.lateness_max_ns = nsec_max(agent->header.lateness_max_ns, late_ns);
    if (stood_still_ns > STALL_MIN_NS)
        handle_stall(agent, stood_still_ns);
    rounds_run(agent, now_ns);
    checks_run(agent, now_ns);
    names_run(agent, now_ns);
    /* Drain, then judge, here too. */
    if (agent->plan->core.n_verifying > 0 && core_deadline(&agent->plan->core) <= now_ns)
        rounds_drain(agent);
    core_on_time(&agent->plan->core, now_ns);
    if (agent->witness_idle_ns <= now_ns)
        witness_idle(agent, now_ns);
}

static void on_claimed(struct agent *agent, uint32_t address, int error)
{
    const struct monitor *m = &agent->plan->monitors[address];

    if (error < 0)
        leaving_unclaimed(agent, &m->map->ip, m->hold->ifindex, m->hold->prefix);
    else
        leaving_forget(agent, &m->map->ip, m->hold->ifindex, m->hold->prefix);
    actions_claimed(agent, address);
    core_on_claimed(&agent->plan->core, agent->now_ns, address, error);
}

/* Claims that could not be queued are answered here, because the core must not be called from within an action. */
static void settle_unclaimed(struct agent *agent)
{
    struct plan *plan = agent->plan;

    for (uint32_t i = 0; agent->unclaimed > 0 && i < plan->core.n_addresses; i++) {
        int error = plan->monitors[i].hold->unqueued_error;

        if (error == 0)
            continue;
        plan->monitors[i].hold->unqueued_error = 0;
        agent->unclaimed--;
        if (plan->core.addresses[i].claim == CORE_CLAIM_CLAIMING)
            on_claimed(agent, i, error);
        else
            core_on_released(&plan->core, agent->now_ns, i, error);
    }
}

/* Questions of the core that could not be queued, for the same reason. */
static void settle_unasked(struct agent *agent)
{
    struct plan *plan = agent->plan;

    for (uint32_t i = 0; agent->unasked > 0 && i < plan->core.n_addresses; i++) {
        if (plan->monitors[i].is_unasked)
            core_on_unasked(&plan->core, agent->now_ns, i);
        plan->monitors[i].is_unasked = false;
    }
    agent->unasked = 0;
}

void agent_flush(struct agent *agent, nsec_t now_ns)
{
    agent->now_ns = now_ns;
    if (agent->plan) {
        if (agent->links_changed)
            links_refresh(agent, now_ns);
        links_recheck(agent, now_ns);
        settle_unclaimed(agent);
        steps_run(agent, now_ns);
        lease_run(agent, now_ns);
        leaving_run(agent, now_ns);
        announcer_run(agent->plan->announcer, now_ns);
        proof_run(agent, now_ns);
        agent->ports->flush(agent->userdata);
        settle_unasked(agent);
        journaling_run(agent, now_ns);
    }
    if (agent->changed || commands_deadline(agent) <= now_ns)
        commands_settle(agent, now_ns);
    agent->changed = false;
    agent->next_deadline_ns = agent_deadline(agent);
}

void agent_worked(struct agent *agent, nsec_t begun_ns, nsec_t now_ns)
{
    nsec_t over_ns = now_ns - nsec_max(begun_ns, agent->next_deadline_ns);

    if (over_ns > 0)
        agent->worked_ns += nsec_min(over_ns, WORK_MAX_NS);
    rounds_rest(agent, begun_ns, now_ns);
    agent->next_deadline_ns = agent_deadline(agent);
}

void agent_on_clock_step(struct agent *agent, nsec_t now_ns)
{
    agent->now_ns = now_ns;
    agent_say(agent, LOG_INFO, "the wall clock was set: rounds under way do not count");
    for (uint32_t i = 0; agent->plan && i < agent->plan->core.n_sources; i++)
        void_source(agent, i);
    if (agent->plan)
        agent->plan->core.lasting_changed = true; /* the journal's times are by that clock */
}

void agent_on_links_changed(struct agent *agent, nsec_t now_ns)
{
    agent->now_ns = now_ns;
    agent->links_changed = true;
}

/* Whether the address is one of a claim of ours in that state, just there. */
static bool is_ours(const struct plan *plan, uint32_t number, enum core_claim claim, const struct link_address *address)
{
    return plan->core.addresses[number].claim == claim && plan->monitors[number].hold->ifindex == address->ifindex &&
           plan->monitors[number].hold->prefix == address->prefix;
}

static void say_taken(struct agent *agent, uint32_t address)
{
    struct monitor *m = &agent->plan->monitors[address];
    struct target *target = &agent->plan->targets[agent->plan->core.addresses[address].held_on];
    char ip[IP_ADDRESS_TEXT], manager[256];

    if (target->manager_asked_ns == 0 || agent->now_ns - target->manager_asked_ns >= MANAGER_FRESH_NS) {
        target->manager = agent->ports->manager(agent->userdata, m->hold->ifindex);
        target->manager_asked_ns = agent->now_ns;
    }
    m->hold->taken_by = target->manager;
    manager_tell(m->hold->taken_by, target->name, manager, sizeof manager);
    agent_say(agent, LOG_WARNING, "another program took %s off %s%s%s", ip_address_format(&m->map->ip, ip),
              target->name, manager[0] ? "; " : "", manager);
}

void agent_lost_address(struct agent *agent, uint32_t address)
{
    struct plan *plan = agent->plan;
    bool lapsed = lease_ran_out(agent, address);
    char ip[IP_ADDRESS_TEXT];

    if (lapsed)
        tell_lapsed(agent, address);
    else if (plan->core.nics[plan->core.addresses[address].nic].disarmed)
        agent_say(agent, LOG_NOTICE, "%s, which could not be given back, is off now",
                  ip_address_format(&plan->monitors[address].map->ip, ip));
    else
        say_taken(agent, address);
    actions_end_hold(agent, address);
    plan->monitors[address].hold->is_put_back = !lapsed;
    core_on_gone(&plan->core, agent->now_ns, address, lapsed);
    plan->monitors[address].hold->is_put_back = false;
    let_in_refresh(agent, address);
    rounds_arm(agent, address);
}

void agent_lost_with_nic(struct agent *agent, uint32_t address)
{
    struct plan *plan = agent->plan;
    uint16_t target = plan->core.addresses[address].held_on;
    char text[IP_ADDRESS_TEXT];

    agent_say(agent, LOG_WARNING,
              "%s went with %s: it is claimed again as soon as there is a NIC for it, if it is free",
              ip_address_format(&plan->monitors[address].map->ip, text), plan->targets[target].name);
    actions_end_hold(agent, address);
    agent->links_changed = true;
    /* The notice about the NIC itself may come later. */
    core_on_link(&plan->core, agent->now_ns, target, false);
    core_on_gone_with_nic(&plan->core, agent->now_ns, address);
    let_in_refresh(agent, address);
    rounds_arm(agent, address);
}

/*
 * An administrator, or a second program, has put the address of a source on this very host. The kernel would answer
 * our echo requests itself, so that a dead source would look alive for ever.
 */
static void note_own(struct agent *agent, uint32_t number, bool own)
{
    struct monitor *m = &agent->plan->monitors[number];
    char text[IP_ADDRESS_TEXT];

    if (m->is_ours_otherwise == own)
        return;
    m->is_ours_otherwise = own;
    ip_address_format(&m->map->ip, text);
    if (own)
        agent_say(agent, LOG_ERR, "this host has %s by other means: its source cannot be watched until that is gone",
                  text);
    else
        agent_say(agent, LOG_NOTICE, "this host does not have %s by other means any more: its source is watched", text);
    rounds_void(agent, number, agent->now_ns);
}

static bool is_claimed(const struct core_address *a)
{
    return a->claim == CORE_CLAIM_CLAIMING || a->claim == CORE_CLAIM_HELD || a->claim == CORE_CLAIM_RELEASING;
}

void agent_on_address_changed(struct agent *agent, nsec_t now_ns, const struct link_address *address, bool present)
{
    uint32_t number = agent->plan ? plan_find(agent, agent->plan, &address->ip) : UINT32_MAX;
    uint16_t target;

    if (!present)
        leaving_gone(agent, &address->ip, address->ifindex, address->prefix);
    if (number == UINT32_MAX) {
        agent_on_links_changed(agent, now_ns);
        return;
    }
    agent->now_ns = now_ns;
    /* What we put on and take off ourselves is told by its results. */
    if (!present || (!is_claimed(&agent->plan->core.addresses[number]) &&
                     !leaving_has(agent, &address->ip, address->ifindex, address->prefix)))
        note_own(agent, number, present);
    if (!present && is_ours(agent->plan, number, CORE_CLAIM_RELEASING, address))
        agent->plan->monitors[number].hold->is_gone = true;
    if (present || !is_ours(agent->plan, number, CORE_CLAIM_HELD, address))
        return;
    /* That the source is back may be told by what is still queued, and the address be given up for it. */
    rounds_drain(agent);
    if (!is_ours(agent->plan, number, CORE_CLAIM_HELD, address))
        return;
    target = agent->plan->core.addresses[number].held_on;
    /* Where it lay on a shelf, the NIC in question is still the target NIC. */
    if (lease_ran_out(agent, number) ||
        agent->ports->carrier(agent->userdata, agent->plan->targets[target].link.ifindex) > 0)
        agent_lost_address(agent, number);
    else
        agent_lost_with_nic(agent, number);
}

void agent_on_claim_result(struct agent *agent, nsec_t now_ns, const struct claims_request *request, int error)
{
    struct plan *plan = agent->plan;
    uint32_t address = plan_find(agent, plan, &request->ip);

    agent->now_ns = now_ns;
    agent->changed = true;
    if (request->id == UINT32_MAX) {
        leaving_on_result(agent, request, error);
        return;
    }
    /* Of a claim that the file, or another NIC of that name, has overtaken. */
    if (address == UINT32_MAX || plan->monitors[address].hold->ifindex != request->ifindex)
        return;
    switch (request->operation) {
    case CLAIMS_ADD:
        if (error == -EEXIST)
            note_own(agent, address, true);
        on_claimed(agent, address, error);
        if (error < 0 && error != -EEXIST && error != -ENODEV)
            leaving_doubt(agent, &request->ip, request->ifindex, request->prefix);
        break;
    case CLAIMS_REMOVE:
        core_on_released(&plan->core, now_ns, address, plan->monitors[address].hold->is_gone ? 0 : error);
        break;
    case CLAIMS_RENEW:
        lease_on_result(agent, address, error);
        return;
    }
    /* The file changed the lease while it was asked for. */
    if (error == 0 && plan->core.addresses[address].claim == CORE_CLAIM_HELD &&
        request->valid_s != lease_seconds(plan, address))
        lease_resume(agent, address, request->valid_s ? request->valid_s : UINT32_MAX);
    let_in_refresh(agent, address);
    /* Its rounds rested while it was ours: where they go on, that is no sign that we were late. */
    rounds_void(agent, address, NSEC_NEVER);
}

void agent_release_all(struct agent *agent, nsec_t now_ns)
{
    struct plan *plan = agent->plan;

    agent->now_ns = now_ns;
    agent->journaling.on = false; /* this is no failback, and nobody pauses: the successor goes on as we did */
    for (uint32_t i = 0; plan && i < plan->core.n_sources; i++) {
        core_pause(&plan->core, now_ns, i);
        plan->core.sources[i].leaves_first = false; /* there is no time */
    }
    for (uint32_t i = 0; plan && i < plan->core.n_nics; i++)
        core_failback(&plan->core, now_ns, i);
}

bool agent_is_idle(const struct agent *agent)
{
    const struct plan *plan = agent->plan;

    if (agent->n_strays > 0)
        return false;
    for (uint32_t i = 0; plan && i < plan->core.n_nics; i++)
        if (plan->core.nics[i].n_held > 0 || plan->core.nics[i].n_claiming > 0 || plan->core.nics[i].n_releasing > 0)
            return false;
    return true;
}

void agent_each_held(const struct agent *agent,
                     void (*each)(void *userdata, int ifindex, const struct ip_address *ip, uint8_t prefix),
                     void *userdata)
{
    const struct plan *plan = agent->plan;

    for (uint32_t i = 0; plan && i < plan->core.n_addresses; i++)
        if (plan->core.addresses[i].held_on != CORE_NO_TARGET)
            each(userdata, plan->monitors[i].hold->ifindex, &plan->monitors[i].map->ip, plan->monitors[i].hold->prefix);
}

/* Whether one of the addresses that go on shelves of that number may be claimed on the target NIC. */
static bool has_shelf(const struct plan *plan, uint16_t target, uint32_t number)
{
    uint32_t end = (number + 1) * SHELF_ADDRESSES;

    for (uint32_t i = number * SHELF_ADDRESSES; i < end && i < plan->core.n_addresses; i++) {
        const uint16_t *targets = plan->core.addresses[i].target;

        if (plan->monitors[i].map->ip.family == AF_INET && (targets[0] == target || targets[1] == target))
            return true;
    }
    return false;
}

void agent_each_shelf(const struct agent *agent, void (*each)(void *userdata, int target, unsigned number),
                      void *userdata)
{
    const struct plan *plan = agent->plan;

    for (uint16_t i = 0; plan && i < plan->core.n_targets; i++) {
        const struct target *t = &plan->targets[i];

        for (uint32_t k = 0;
             t->link.ifindex != 0 && t->n_ipv4 > SHELVED_FROM && k * SHELF_ADDRESSES < plan->core.n_addresses; k++)
            if (has_shelf(plan, i, k))
                each(userdata, t->link.ifindex, k);
    }
}

void agent_on_hung(struct agent *agent, nsec_t now_ns)
{
    const struct plan *plan = agent->plan;

    agent->now_ns = now_ns;
    for (uint32_t i = 0; plan && i < plan->core.n_addresses; i++)
        if (plan->core.addresses[i].claim == CORE_CLAIM_HELD)
            lease_lapse(agent, i);
}
