/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of probes: what is sent when, to whom and from which address; what replies and misses become. */
#include <errno.h>
#include <netinet/in.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/*
 * Rounds may start early by this part of their interval, where others start, so that they leave in one system call, and
 * one wake-up serves them all. Each keeps its own beat, so that the same ones go together every time, an interval
 * apart: nobody is found lost later for it. No more than so many do, so that the newest of them does not wait for the
 * others.
 */
#define EARLY_PART 32
#define EARLY_AT_ONCE 64
/* Rounds of one turn. What is left over gets its own turns, between which answers are read and claims go on. */
#define ROUNDS_AT_ONCE 256
/*
 * Where rounds never end, this part of the time is left to others: the host has other work, and the kernel takes the
 * real-time class from who never sleeps.
 */
#define REST_PART 5
/* Behind for so long without a pause: there are more rounds than can be sent. */
#define BEHIND_TOLD_NS (1 * NSEC_PER_SEC)
/* Replies without a learned MAC between two attempts to learn it. */
#define LEARN_EVERY 64
/* A source that was heard not longer ago than this has its address, and is in no duplicate address detection. */
#define HEARD_JUST_NOW_NS (1 * NSEC_PER_SEC)
/* An answer may take so much longer than usual without being late. */
#define WAIT_FLOOR_NS (1 * NSEC_PER_MSEC)
/* Where thousands hurry, this host must not stand still for it. */
#define HURRY_EACH_NS (20 * NSEC_PER_USEC)

static bool is_link_kind(enum probe_kind kind)
{
    return kind == PROBE_ARP || kind == PROBE_ND;
}

const struct ip_address *target_own_address(const struct target *target, const struct ip_address *to)
{
    const struct ip_address *link_local = NULL;

    for (size_t i = 0; i < target->n_own; i++) {
        const struct link_address *own = &target->own[i];

        if (ip_address_same_net(&own->ip, to, own->prefix) && !ip_address_is_link_local(&own->ip))
            return &own->ip;
        if (own->ip.family == AF_INET6 && to->family == AF_INET6 && ip_address_is_link_local(&own->ip))
            link_local = &own->ip;
    }
    return link_local;
}

void rounds_arm(struct agent *agent, uint32_t address)
{
    struct plan *plan = agent->plan;

    /* While it is held, the core asks for whoever else has it. */
    if (plan->core.addresses[address].monitored)
        heap_set(&plan->rounds, address,
                 plan->core.addresses[address].held_on == CORE_NO_TARGET
                     ? tracker_deadline(&plan->monitors[address].tracker)
                     : NSEC_NEVER);
}

/* Pending rounds are void. The next one starts at next_ns at the latest; NSEC_NEVER: as it was planned. */
void rounds_void(struct agent *agent, uint32_t address, nsec_t next_ns)
{
    struct tracker *t = &agent->plan->monitors[address].tracker;

    tracker_void(t);
    /* While an address is held its rounds rest: what was planned long ago is due now, and not late. */
    t->next_round_ns = nsec_max(nsec_min(next_ns, t->next_round_ns), agent->now_ns);
    rounds_arm(agent, address);
}

/* Sends one kind's request of a round. 0 or negative errno. */
static int send_kind(struct agent *agent, uint32_t address, const struct target *target, enum probe_kind kind,
                     const struct probe_token *token)
{
    const struct monitor *m = &agent->plan->monitors[address];
    const struct core_address *a = &agent->plan->core.addresses[address];
    const struct ip_address *own = target_own_address(target, &m->map->ip);
    struct probe_request request = {
        .kind = kind, .ifindex = target->link.ifindex, .to = m->map->ip, .own = target->link.mac, .token = *token};

    /* RFC 5227 section 2.1.1: a request without a sender is a probe for use, which would hinder the source in its
     * own. */
    if (is_link_kind(kind) && !own)
        return -EADDRNOTAVAIL;
    if (own)
        request.from = *own;
    /* Unicast; from the first miss on, or in a hurry, by broadcast, which is evidence for verify. So it is while pings
     * alone are answered: the source has another MAC by now, or what was learned was that of a target that stood in. */
    if (is_link_kind(kind) && m->tracker.misses == 0 && m->tracker.hurry_ns == 0 && !m->mac_silent)
        request.peer = a->mac;
    return agent->ports->probe(agent->userdata, &request);
}

static void start_round(struct agent *agent, nsec_t now_ns, uint32_t address)
{
    struct plan *plan = agent->plan;
    struct monitor *m = &plan->monitors[address];
    uint16_t path = core_path(&plan->core, address);
    struct probe_token token = tracker_start_round(&m->tracker, now_ns, agent_random(agent), m->kinds);
    int error = -ENETDOWN;

    m->unsent_kinds = m->kinds;
    m->mac_silent = !m->mac_answered;
    m->mac_answered = false;
    if (m->is_ours_otherwise) {
        tracker_cannot_probe(&m->tracker, EADDRINUSE);
        return;
    }
    for (int kind = 0; path != CORE_NO_TARGET && kind < PROBE_KINDS; kind++) {
        int r;

        if (!(m->kinds & (1u << kind)))
            continue;
        r = send_kind(agent, address, &plan->targets[path], (enum probe_kind)kind, &token);
        if (r < 0)
            error = r;
        else
            m->unsent_kinds &= (uint8_t) ~(1u << kind);
    }
    if (m->unsent_kinds == m->kinds)
        tracker_cannot_probe(&m->tracker, -error);
    /* Events of a carrier that comes back may be late: as long as there is no way to ask, look at the device. */
    for (int i = 0; path == CORE_NO_TARGET && i < 2; i++)
        if (plan->core.addresses[address].target[i] != CORE_NO_TARGET)
            plan->targets[plan->core.addresses[address].target[i]].recheck = true;
}

void agent_on_unsent(struct agent *agent, nsec_t now_ns, const struct probe_request *request, int error)
{
    struct plan *plan = agent->plan;
    uint32_t address = plan ? plan_find(agent, plan, &request->to) : UINT32_MAX;
    struct monitor *m;

    agent->now_ns = now_ns;
    if (plan && request->token.id & TOKEN_WITNESS)
        witness_on_unsent(agent, request);
    if (address == UINT32_MAX || request->token.id & (TOKEN_WITNESS | TOKEN_PROOF))
        return;
    m = &plan->monitors[address];
    if (request->token.sequence == 0) {
        core_on_unasked(&plan->core, now_ns, address);
        return;
    }
    if (request->token.id != m->tracker.id || request->token.sequence != m->tracker.sequence)
        return;
    m->unsent_kinds |= (uint8_t)(1u << request->kind);
    if (m->unsent_kinds == m->kinds) {
        tracker_cannot_probe(&m->tracker, error);
        rounds_arm(agent, address);
    }
}

/*
 * By how much the wait for an answer exceeds the usual round trip at least: a millisecond, or a quarter of an interval
 * that is shorter than four; a sixteenth of one that is long, where more patience costs little; and on top of that what
 * this host's own loop was late by.
 */
static nsec_t floor_ns(const struct agent *agent, const struct tracker *t)
{
    nsec_t spacing_ns = tracker_spacing(t), short_ns = nsec_min(spacing_ns / 4, WAIT_FLOOR_NS);

    return nsec_max(short_ns, spacing_ns / 16) + agent->lateness.recent_p99_ns;
}

/* early_ns: a round that is due so soon starts now. Nothing is judged early. */
static void run_address(struct agent *agent, nsec_t now_ns, uint32_t address, nsec_t early_ns)
{
    struct plan *plan = agent->plan;
    struct monitor *m = &plan->monitors[address];
    const struct core_address *a = &plan->core.addresses[address];
    const struct tracker_round *round;

    if (a->held_on != CORE_NO_TARGET) {
        tracker_void(&m->tracker); /* what was asked before the claim is nothing to judge any more */
        return;
    }
    while (tracker_judge(&m->tracker, now_ns, &round))
        core_on_miss(&plan->core, now_ns, address, m->tracker.misses, tracker_wait(&m->tracker));
    if (tracker_round_due(&m->tracker, now_ns + early_ns))
        start_round(agent, now_ns, address);
}

void rounds_hurry(struct agent *agent, uint32_t address)
{
    nsec_t least_ns = agent->plan->core.n_addresses * HURRY_EACH_NS;

    tracker_hurry(&agent->plan->monitors[address].tracker, agent->now_ns, least_ns);
    rounds_arm(agent, address);
}

void rounds_drain(struct agent *agent)
{
    if (agent->ports->drain(agent->userdata))
        return;
    /* Whose replies were lost, nobody knows: no round under way can be judged, due or not. */
    for (uint32_t i = 0; i < agent->plan->core.n_addresses; i++)
        if (agent->plan->core.addresses[i].held_on == CORE_NO_TARGET)
            rounds_void(agent, i, NSEC_NEVER);
    core_on_unheard(&agent->plan->core, agent->now_ns);
}

/* Rounds that are due soon go along with n_started that were due. */
static void run_early(struct agent *agent, nsec_t now_ns, uint32_t n_started)
{
    struct plan *plan = agent->plan;
    uint32_t address;
    nsec_t due_ns;

    while (n_started++ < EARLY_AT_ONCE && (due_ns = heap_first(&plan->rounds, &address)) != NSEC_NEVER) {
        const struct tracker *t = &plan->monitors[address].tracker;
        nsec_t early_ns = t->interval_ns / EARLY_PART;

        if (due_ns > now_ns + early_ns || due_ns != t->next_round_ns)
            return;
        run_address(agent, now_ns, address, early_ns);
        rounds_arm(agent, address);
    }
}

/* More rounds were due than one turn starts. People are told where that does not end. */
static void note_behind(struct agent *agent, nsec_t now_ns, bool behind)
{
    struct rounds_pace *pace = &agent->pace;
    uint32_t address;
    nsec_t late_ns = now_ns - heap_first(&agent->plan->rounds, &address);

    pace->left_over = behind;
    behind = behind && late_ns > agent->plan->monitors[address].tracker.interval_ns;
    if (!behind)
        pace->behind_since_ns = NSEC_UNSET;
    else if (pace->behind_since_ns == NSEC_UNSET)
        pace->behind_since_ns = now_ns;
    if (!behind || now_ns - pace->behind_since_ns < BEHIND_TOLD_NS || pace->told_generation == agent->generation)
        return;
    pace->told_generation = agent->generation;
    agent_say(
        agent, LOG_WARNING,
        "this host cannot ask %u addresses as often as the file says: rounds are %lld ms late by now, and what is "
        "lost is found the later; give them a longer interval",
        agent->plan->core.n_addresses, (long long)(late_ns / NSEC_PER_MSEC));
}

nsec_t rounds_deadline(const struct agent *agent)
{
    return nsec_max(heap_first(&agent->plan->rounds, NULL), agent->pace.rest_until_ns);
}

void rounds_rest(struct agent *agent, nsec_t begun_ns, nsec_t now_ns)
{
    if (agent->pace.left_over)
        agent->pace.rest_until_ns = now_ns + (now_ns - begun_ns) / (REST_PART - 1);
    agent->pace.left_over = false;
}

void rounds_run(struct agent *agent, nsec_t now_ns)
{
    struct plan *plan = agent->plan;
    bool drained = false;
    uint32_t address, n_started = 0;

    if (now_ns < agent->pace.rest_until_ns)
        return;
    while (n_started < ROUNDS_AT_ONCE && heap_first(&plan->rounds, &address) <= now_ns) {
        struct tracker *t = &plan->monitors[address].tracker;

        tracker_set_floor(t, floor_ns(agent, t), agent->lateness.woke_late_ns);
        /* Drain, then judge: a reply that is in a queue is a reply. */
        if (!drained && tracker_would_miss(t, now_ns)) {
            rounds_drain(agent);
            drained = true;
        }
        run_address(agent, now_ns, address, 0);
        rounds_arm(agent, address);
        n_started++;
    }
    if (n_started == 0)
        return;
    run_early(agent, now_ns, n_started);
    note_behind(agent, now_ns, n_started == ROUNDS_AT_ONCE);
}

void rounds_ask(struct agent *agent, const struct core_action *ask)
{
    const struct core_address *a = &agent->plan->core.addresses[ask->address];
    const struct target *t = &agent->plan->targets[ask->target];
    const struct ip_address *to = &agent->plan->monitors[ask->address].map->ip;
    const struct ip_address *own = ask->intent ? NULL : target_own_address(t, to);
    struct probe_request request = {.kind = to->family == AF_INET ? PROBE_ARP : PROBE_ND,
                                    .ifindex = t->link.ifindex,
                                    .to = *to,
                                    .own = t->link.mac,
                                    .peer = ask->mac,
                                    .token = {.id = ask->address}};

    if (t->link.ifindex == 0)
        return;
    /* Without an address of our own only the probe form is left. Of what is held it would read as a contest, and a
     * source that is in its own duplicate address detection would give up: so not unless it has just been heard. */
    if (!own && !ask->intent && a->claim == CORE_CLAIM_HELD &&
        (mac_address_is_unset(&ask->mac) || agent->now_ns - a->heard_ns > HEARD_JUST_NOW_NS))
        return;
    if (own)
        request.from = *own;
    if (agent->ports->probe(agent->userdata, &request) < 0) {
        agent->plan->monitors[ask->address].is_unasked = true;
        agent->unasked++;
    }
}

static bool is_own_mac(const struct agent *agent, const struct mac_address *mac)
{
    const struct plan *plan = agent->plan;

    for (uint16_t i = 0; i < plan->core.n_targets; i++)
        if (mac_address_equal(&plan->targets[i].link.mac, mac))
            return true;
    return false;
}

/* The MAC of a source that is only pinged is asked for now and then until it is known, and while neighbours have to be
 * told of it. */
static void learn_mac(struct agent *agent, uint32_t address)
{
    struct plan *plan = agent->plan;
    const struct monitor *m = &plan->monitors[address];
    uint16_t path = core_path(&plan->core, address);

    const struct core_address *a = &plan->core.addresses[address];

    if (((a->give_backs > 0 && !a->asked_by_link) ||
         (mac_address_is_unset(&a->mac) && m->tracker.count_answered % LEARN_EVERY == 1)) &&
        path != CORE_NO_TARGET && target_own_address(&plan->targets[path], &m->map->ip))
        rounds_ask(agent, &(struct core_action){.address = address, .target = path});
}

static void on_address_reply(struct agent *agent, uint32_t address, const struct probe_reply *reply)
{
    struct core *core = &agent->plan->core;
    const struct core_address *a = &core->addresses[address];
    const struct mac_address *mac = is_link_kind(reply->kind) ? &reply->peer : NULL;

    if (mac && is_own_mac(agent, mac))
        return;
    if (a->claim == CORE_CLAIM_HELD) {
        core_on_answer(core, agent->now_ns, address, mac);
        return;
    }
    if (a->held_on != CORE_NO_TARGET)
        return; /* on its way: the verdict stands */
    if (agent->plan->monitors[address].is_ours_otherwise)
        return;
    if (!a->monitored) {
        if (mac)
            core_on_heard(core, agent->now_ns, address, mac);
        return;
    }
    switch (tracker_reply(&agent->plan->monitors[address].tracker, reply)) {
    case TRACKER_ANSWER_IN_TIME:
    case TRACKER_ANSWER_LATE:
    case TRACKER_ANSWER_AGAIN:
        agent->plan->monitors[address].mac_answered |= mac != NULL;
        core_on_answer(core, agent->now_ns, address, mac);
        if (!mac)
            learn_mac(agent, address);
        break;
    case TRACKER_ANSWER_DUPLICATE:
    case TRACKER_ANSWER_STRANGER:
        /* No answer to a round, but to a broadcast of verify, or to somebody: who speaks for the address matters. */
        if (mac)
            core_on_heard(core, agent->now_ns, address, mac);
        break;
    }
    rounds_arm(agent, address);
}

void agent_on_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply)
{
    uint32_t address;

    agent->now_ns = now_ns;
    if (!agent->plan)
        return;
    if (reply->has_token && reply->token.id & TOKEN_PROOF) {
        proof_on_reply(agent, now_ns, reply);
        return;
    }
    if (reply->has_token && reply->token.id & TOKEN_WITNESS) {
        witness_on_reply(agent, now_ns, reply);
        return;
    }
    address = plan_find(agent, agent->plan, &reply->from);
    if (address != UINT32_MAX) {
        on_address_reply(agent, address, reply);
        return;
    }
    witness_on_reply(agent, now_ns, reply);
    if (is_link_kind(reply->kind))
        proof_on_link_reply(agent, now_ns, reply);
}

void agent_on_heard(struct agent *agent, nsec_t now_ns, int ifindex, const struct arp_heard *heard)
{
    struct core *core;
    uint32_t asked, speaker;

    (void)ifindex;
    agent->now_ns = now_ns;
    if (!agent->plan || is_own_mac(agent, &heard->sender_mac))
        return;
    core = &agent->plan->core;
    asked = plan_find(agent, agent->plan, &heard->target_ip);
    speaker = heard->kind == ARP_HEARD_PROBE ? UINT32_MAX : plan_find(agent, agent->plan, &heard->sender_ip);
    if (speaker != UINT32_MAX) {
        /* A reply to our own question comes by the probes, too, where our MAC has just changed, and counts there. */
        if (heard->kind != ARP_HEARD_REPLY || !is_own_mac(agent, &heard->ethernet_target))
            core_on_heard(core, now_ns, speaker, &heard->sender_mac);
        return;
    }
    if (asked == UINT32_MAX)
        return;
    switch (heard->kind) {
    case ARP_HEARD_REQUEST:
        core_on_asked(core, now_ns, asked, &heard->sender_mac);
        break;
    case ARP_HEARD_PROBE:
        core_on_rival(core, now_ns, asked, &heard->sender_mac);
        break;
    case ARP_HEARD_REPLY:
    case ARP_HEARD_ANNOUNCEMENT:
        break;
    }
}
