/* SPDX-License-Identifier: Apache-2.0 */
/* Words for people: what changed, why, and what to do. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "agent/config/text.h"
#include "agent/shell/internal.h"

/* What is said of one address of a target NIC is not said aloud again for another within this time. */
#define ONE_OF_MANY_NS (10 * NSEC_PER_SEC)

/* What the reasons mean. The address, MAC or errno that one is about follows. */
static const char *const reason_texts[CORE_REASONS] = {
    [CORE_REASON_NONE] = "",
    [CORE_REASON_NO_CARRIER] = "no target NIC has carrier: check its cable or switch port",
    [CORE_REASON_WITNESS_SILENT] = "no witness answered since the first miss: this host may be the one that is cut off",
    [CORE_REASON_WITNESS_MISSING] =
        "there is no witness to ask: approve it, name one in the file, or say `witness none`",
    [CORE_REASON_IN_USE] = "somebody answers for an address",
    [CORE_REASON_CUT_OFF] =
        ("this host was without carrier and no witness tells who is cut off now: the source must be "
         "seen alive again, or standinctl failover"),
    [CORE_REASON_DELETED] = "another program on this host keeps taking an address off",
    [CORE_REASON_LAPSED] = "the lease ran out while this host stood still: it is verified again",
    [CORE_REASON_RIVAL] = "another target holds it or is about to: gave way",
    [CORE_REASON_RETURNED] = "released because the source is back",
    [CORE_REASON_NOT_ASKED] = "nobody could be asked whether the addresses are free",
    [CORE_REASON_POLICY_MANUAL] = "the file says `takeover manual`: standinctl approve or deny",
    [CORE_REASON_POLICY_NOTIFY] = "the file says `takeover notify`: standinctl failover takes over",
    [CORE_REASON_DAMPED] = "taken over by itself too often: somebody must look; standinctl approve or deny",
    [CORE_REASON_DENIED] = "denied by an operator",
    [CORE_REASON_APPROVAL_EXPIRED] = "nobody approved in time",
    [CORE_REASON_CLAIM_FAILED] = "the kernel refused the addresses",
    [CORE_REASON_RELEASE_FAILED] = "the kernel did not take an address off; try failback again",
    [CORE_REASON_LOST] = "the source was lost",
    [CORE_REASON_OPERATOR] = "by an operator",
    [CORE_REASON_FORCED] = "forced by an operator: if the source is alive, two hosts answer now",
    [CORE_REASON_ADOPTED] = "held already when the agent started",
    [CORE_REASON_HOME] = "back on the first choice of target NIC",
    [CORE_REASON_VETOED] = "a hook before the takeover said no",
    [CORE_REASON_NOT_FENCED] = "the source could not be fenced",
    [CORE_REASON_STAYS] = "what has to come before the failback failed: see its hooks and units",
    [CORE_REASON_SERVICE] = "a service of the source failed",
    [CORE_REASON_NO_FENCE] = ("a service failed, the host answers, and the file has neither a fence nor `force yes`: "
                              "standinctl failover --force"),
    [CORE_REASON_SERVICE_UNSEEN] = "its services were never seen to work since watching began",
    [CORE_REASON_NAME_FAILED] = "the name could not be moved",
};

const char *tell_reason_text(enum core_reason reason)
{
    return reason_texts[reason];
}

static const struct ip_address *ip_of(const struct agent *agent, uint32_t address)
{
    return &agent->plan->monitors[address].map->ip;
}

static const struct mac_address *set_mac(const struct mac_address *mac)
{
    return mac_address_is_unset(mac) ? NULL : mac;
}

/* "web1/eth0" */
static void name_nic(const struct agent *agent, uint32_t nic, char *text, size_t size)
{
    const struct plan *plan = agent->plan;

    snprintf(text, size, "%s/%s", plan->source_maps[plan->core.nics[nic].source]->name, plan->nic_maps[nic]->name);
}

static void append_subject(const struct agent *agent, char *text, size_t size, uint32_t address,
                           const struct mac_address *mac, int error)
{
    size_t used = strlen(text);
    char ip[IP_ADDRESS_TEXT], mac_text[MAC_ADDRESS_TEXT];

    if (address != UINT32_MAX && used < size)
        used += (size_t)snprintf(text + used, size - used, ": %s", ip_address_format(ip_of(agent, address), ip));
    if (mac && used < size)
        used += (size_t)snprintf(text + used, size - used, " is at %s", mac_address_format(mac, mac_text));
    if (error < 0 && used < size)
        snprintf(text + used, size - used, ": %s", strerror(-error));
}

/* Who it may be that keeps taking the address off. */
static void append_manager(const struct agent *agent, uint32_t nic, char *text, size_t size)
{
    const struct core_nic *n = &agent->plan->core.nics[nic];
    size_t used = strlen(text);
    char manager[256];

    if (n->reason_address == UINT32_MAX || used >= size)
        return;
    manager_tell(agent->plan->monitors[n->reason_address].hold->taken_by, "that NIC", manager, sizeof manager);
    snprintf(text + used, size - used, "; %s", manager[0] ? manager : "find that program");
}

/* Where one address makes the reason; others are about the whole NIC. */
static bool is_about_an_address(enum core_reason reason)
{
    return reason == CORE_REASON_IN_USE || reason == CORE_REASON_RIVAL || reason == CORE_REASON_DELETED ||
           reason == CORE_REASON_CLAIM_FAILED || reason == CORE_REASON_RELEASE_FAILED;
}

/* "3 takeovers within 1h: ...", unless the file has no limit any more. */
static void name_limit(const struct agent *agent, uint32_t nic, char *text, size_t size)
{
    const struct core_source *s = &agent->plan->core.sources[agent->plan->core.nics[nic].source];
    char within[DURATION_TEXT];

    if (s->max_takeovers > 0)
        snprintf(text, size, "%u takeovers within %s: somebody must look; standinctl approve or deny", s->max_takeovers,
                 duration_text(s->takeovers_within_ns, within));
}

void tell_reason(const struct agent *agent, uint32_t nic, char *text, size_t size)
{
    const struct core_nic *n = &agent->plan->core.nics[nic];

    snprintf(text, size, "%s", reason_texts[n->reason]);
    if (n->reason == CORE_REASON_DAMPED)
        name_limit(agent, nic, text, size);
    if (is_about_an_address(n->reason))
        append_subject(agent, text, size, n->reason_address, set_mac(&n->reason_mac), n->reason_error);
    if (n->reason == CORE_REASON_DELETED)
        append_manager(agent, nic, text, size);
}

void tell_refusal(const struct agent *agent, const struct core_refusal *refusal, char *text, size_t size)
{
    char ip[IP_ADDRESS_TEXT], mac[MAC_ADDRESS_TEXT];

    if (refusal->reason == CORE_REASON_IN_USE && refusal->address != UINT32_MAX)
        snprintf(text, size, "the source is alive: %s answers%s%s; stop it first, or use --force",
                 ip_address_format(ip_of(agent, refusal->address), ip), set_mac(&refusal->mac) ? " at " : "",
                 set_mac(&refusal->mac) ? mac_address_format(&refusal->mac, mac) : "");
    else
        snprintf(text, size, "%s", reason_texts[refusal->reason]);
}

/* How loud a state is. What a remote host can bring about at any rate is debug. */
static int priority_of(enum core_state state, enum core_reason reason)
{
    switch (state) {
    case CORE_UNSEEN:
    case CORE_LATE:
    case CORE_VERIFYING:
    case CORE_STATES:
        return LOG_DEBUG;
    case CORE_PREPARING:
    case CORE_UP:
    case CORE_CLAIMING:
    case CORE_RELEASING:
    case CORE_DISARMED:
        return LOG_NOTICE;
    case CORE_HOLDING:
        return reason == CORE_REASON_FORCED || reason == CORE_REASON_RELEASE_FAILED ? LOG_ALERT : LOG_WARNING;
    case CORE_BLOCKED:
        return LOG_WARNING;
    case CORE_AWAITING:
    case CORE_LOST:
        return LOG_ALERT;
    }
    return LOG_NOTICE;
}

/* The newest answer of any address that is lost now. */
static nsec_t last_answer_ns(const struct agent *agent, uint32_t nic)
{
    const struct plan *plan = agent->plan;
    const struct core_nic *n = &plan->core.nics[nic];
    nsec_t newest_ns = NSEC_UNSET;

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (plan->core.addresses[i].life == CORE_LIFE_LOST && plan->monitors[i].tracker.last_answer_ns > newest_ns)
            newest_ns = plan->monitors[i].tracker.last_answer_ns;
    return newest_ns;
}

static void say_verdict(struct agent *agent, uint32_t nic)
{
    const struct core_nic *n = &agent->plan->core.nics[nic];
    nsec_t last_ns = last_answer_ns(agent, nic);
    char name[2 * LIMIT_NAME + 2];

    name_nic(agent, nic, name, sizeof name);
    if (n->by_operator)
        agent_say(agent, LOG_NOTICE, "%s: verify begins, by an operator", name);
    else
        agent_say(agent, n->since_ns == agent->now_ns ? LOG_NOTICE : LOG_DEBUG,
                  "%s: verdict lost, %u rounds missed, last answer %.1f ms ago; verify begins", name,
                  agent->plan->core.sources[n->source].misses,
                  last_ns ? (double)(agent->now_ns - last_ns) / NSEC_PER_MSEC : -1.0);
}

void tell_change(struct agent *agent, uint32_t nic, enum core_state was)
{
    struct plan *plan = agent->plan;
    const struct core_nic *n = &plan->core.nics[nic];
    char name[2 * LIMIT_NAME + 2], reason[512];
    /* Lateness and verifies come and go; the state that was last worth a word decides whether a new one is. */
    bool quiet = priority_of(n->state, n->reason) == LOG_DEBUG;
    bool news = plan->told[nic] != n->state || plan->told_reason[nic] != n->reason;

    if (n->state == CORE_VERIFYING && (plan->told[nic] == CORE_UP || n->by_operator)) {
        say_verdict(agent, nic);
        return;
    }
    name_nic(agent, nic, name, sizeof name);
    tell_reason(agent, nic, reason, sizeof reason);
    if (quiet || !news) {
        agent_say(agent, LOG_DEBUG, "%s: %s, was %s%s%s", name, core_state_name(n->state), core_state_name(was),
                  reason[0] ? ": " : "", reason);
        return;
    }
    plan->told[nic] = n->state;
    plan->told_reason[nic] = n->reason;
    agent_say(agent, priority_of(n->state, n->reason), "%s: %s%s%s", name, core_state_name(n->state),
              reason[0] ? ": " : "", reason);
    if (priority_of(n->state, n->reason) == LOG_ALERT)
        sequences_alarm(agent, n->source, nic, reason);
}

void tell_proof(struct agent *agent, uint32_t address)
{
    const struct plan *plan = agent->plan;
    const struct monitor *m = &plan->monitors[address];
    const struct core_nic *n = &plan->core.nics[plan->core.addresses[address].nic];
    char ip[IP_ADDRESS_TEXT], by[IP_ADDRESS_TEXT], name[2 * LIMIT_NAME + 2];
    uint32_t confirmed = 0;

    for (uint32_t i = 0; i < n->n_addresses; i++)
        confirmed += plan->core.addresses[n->first_address + i].claim == CORE_CLAIM_HELD &&
                     plan->monitors[n->first_address + i].hold->proof == PROOF_CONFIRMED;
    name_nic(agent, plan->core.addresses[address].nic, name, sizeof name);
    agent_say(agent, confirmed == n->n_held ? LOG_NOTICE : LOG_DEBUG,
              "%s: %s on %s confirmed by %s in %.2f ms (%u of %u addresses)", name, ip_address_format(&m->map->ip, ip),
              plan->targets[plan->core.addresses[address].held_on].name, ip_address_format(&m->hold->proof_by, by),
              (double)m->hold->proof_after_ns / NSEC_PER_MSEC, confirmed, n->n_held);
}

/* One of thousands is told loudly; the others within a moment are like it, and status tells them. */
static int priority_of_one(const struct agent *agent, nsec_t *told_ns, int priority)
{
    if (*told_ns != NSEC_UNSET && agent->now_ns - *told_ns < ONE_OF_MANY_NS)
        return LOG_DEBUG;
    *told_ns = agent->now_ns;
    return priority;
}

/* ", one of 5000": how many addresses are held on that target NIC; nothing where it is the only one. */
static const char *one_of_many(const struct agent *agent, uint16_t target, char text[static 40])
{
    const struct core *core = &agent->plan->core;
    uint32_t held = 0;

    for (uint32_t i = 0; i < core->n_addresses; i++)
        held += core->addresses[i].claim == CORE_CLAIM_HELD && core->addresses[i].held_on == target;
    text[0] = '\0';
    if (held > 1)
        snprintf(text, 40, ", one of %u there,", held);
    return text;
}

void tell_unconfirmed(struct agent *agent, uint32_t address, bool asked)
{
    const struct monitor *m = &agent->plan->monitors[address];
    uint16_t held_on = agent->plan->core.addresses[address].held_on;
    struct target *t = &agent->plan->targets[held_on];
    int priority = priority_of_one(agent, &t->unconfirmed_told_ns, LOG_WARNING);
    char ip[IP_ADDRESS_TEXT], many[40] = "";

    agent_say(agent, priority, "%s on %s%s is unconfirmed: %s", ip_address_format(&m->map->ip, ip), t->name,
              priority == LOG_WARNING ? one_of_many(agent, held_on, many) : many,
              !asked ? "no neighbour is known there to ask"
              : m->hold->proof == PROOF_REACHED
                  ? "neighbours answer by ARP, but nothing arrives by their own entries; do they refuse gratuitous ARP?"
                  : "no neighbour answers; announcing goes on");
}

void tell_lapsed(struct agent *agent, uint32_t address)
{
    uint16_t held_on = agent->plan->core.addresses[address].held_on;
    struct target *t = &agent->plan->targets[held_on];
    int priority = priority_of_one(agent, &t->lapsed_told_ns, LOG_ERR);
    char ip[IP_ADDRESS_TEXT], many[40] = "";

    agent_say(agent, priority, "the lease of %s on %s%s ran out, because this host stood still",
              ip_address_format(&agent->plan->monitors[address].map->ip, ip), t->name,
              priority == LOG_ERR ? one_of_many(agent, held_on, many) : many);
}

void tell_return(struct agent *agent, uint32_t address)
{
    const struct plan *plan = agent->plan;
    const struct core_address *a = &plan->core.addresses[address];
    char ip[IP_ADDRESS_TEXT], mac[MAC_ADDRESS_TEXT], name[2 * LIMIT_NAME + 2];

    name_nic(agent, a->nic, name, sizeof name);
    if (plan->core.sources[plan->core.nics[a->nic].source].failback_automatic)
        agent_say(agent, LOG_NOTICE, "%s: the source is back: %s is at %s too", name,
                  ip_address_format(&plan->monitors[address].map->ip, ip), mac_address_format(&a->mac, mac));
    else
        agent_say(agent, LOG_ALERT, "%s: the source is back: %s is at %s too; `standinctl failback %s` gives it back",
                  name, ip_address_format(&plan->monitors[address].map->ip, ip), mac_address_format(&a->mac, mac),
                  name);
}

void tell_return_probed(struct agent *agent, uint32_t address, const struct mac_address *mac)
{
    const struct plan *plan = agent->plan;
    struct monitor *m = &plan->monitors[address];
    char ip[IP_ADDRESS_TEXT], text[MAC_ADDRESS_TEXT], name[2 * LIMIT_NAME + 2];

    if (m->hold->probed_told_ns != NSEC_UNSET && agent->now_ns - m->hold->probed_told_ns < CONFLICT_TOLD_NS)
        return;
    m->hold->probed_told_ns = agent->now_ns;
    name_nic(agent, plan->core.addresses[address].nic, name, sizeof name);
    if (core_yields_to_source(&plan->core, address))
        agent_say(agent, LOG_NOTICE, "%s: the source is coming back: %s, at %s, is about to use %s", name, name,
                  mac_address_format(mac, text), ip_address_format(&m->map->ip, ip));
    else
        agent_say(agent, LOG_ALERT,
                  "%s: the source, at %s, wants to use %s, and finds that it is held here: `standinctl failback %s`, "
                  "then have the source configure its addresses anew",
                  name, mac_address_format(mac, text), ip_address_format(&m->map->ip, ip), name);
}

void tell_conflict(struct agent *agent, uint32_t address, const struct mac_address *mac)
{
    const struct plan *plan = agent->plan;
    struct monitor *m = &plan->monitors[address];
    char ip[IP_ADDRESS_TEXT], text[MAC_ADDRESS_TEXT], name[2 * LIMIT_NAME + 2];

    if (m->hold->conflict_told_ns != NSEC_UNSET && agent->now_ns - m->hold->conflict_told_ns < CONFLICT_TOLD_NS)
        return;
    m->hold->conflict_told_ns = agent->now_ns;
    name_nic(agent, plan->core.addresses[address].nic, name, sizeof name);
    agent_say(agent, LOG_ALERT,
              "%s: conflict: %s, which is held here, is used at %s too; if that is the source, "
              "`standinctl failback %s` gives it back",
              name, ip_address_format(&m->map->ip, ip), mac_address_format(mac, text), name);
}
