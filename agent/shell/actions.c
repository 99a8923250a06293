/* SPDX-License-Identifier: Apache-2.0 */
/* What the core asks for, done through the ports. Nothing here calls back into the core. */
#include <netinet/in.h>

#include "agent/shell/internal.h"

/* What is announced again waits for claims under way, so that all are announced once before any is again; no longer. */
#define FIRST_COPIES_NS (1 * NSEC_PER_SEC)
/* After a restart the next round comes no later than this. */
#define RESTART_WITHIN_NS (100 * NSEC_PER_MSEC)

/*
 * The prefix to put the address on with. A host prefix where the NIC is in that subnet already: then no address of the
 * host's own ever becomes a secondary of ours, and no route hangs on it. Else as written, which brings the route to the
 * subnet along.
 */
static uint8_t claim_prefix(const struct target *t, const struct ipmap_address *map)
{
    for (size_t i = 0; i < t->n_own; i++)
        if (ip_address_same_net(&t->own[i].ip, &map->ip, t->own[i].prefix) && !ip_address_is_link_local(&t->own[i].ip))
            return (uint8_t)ip_address_bits(map->ip.family);
    return map->prefix;
}

/* Whether what is put on that NIC is claimed on the target NIC. */
static bool is_place_of(struct agent *agent, const struct target *t, int ifindex)
{
    return ifindex == t->link.ifindex ||
           (t->link.ifindex != 0 && agent->ports->shelf_of(agent->userdata, ifindex) == t->link.ifindex);
}

/* The NIC to put the address on: where they are thousands, a shelf of the target NIC, which spares the kernel time. */
static int place(struct agent *agent, const struct target *t, uint32_t address)
{
    const struct monitor *m = &agent->plan->monitors[address];
    int shelf = 0;

    /* One that brings its subnet along is to have its route through the target NIC. */
    if (t->n_ipv4 > SHELVED_FROM && m->map->ip.family == AF_INET && m->hold->prefix == 32)
        shelf = agent->ports->shelf(agent->userdata, t->link.ifindex, address / SHELF_ADDRESSES);
    return shelf > 0 ? shelf : t->link.ifindex;
}

static int submit(struct agent *agent, uint32_t address, enum claims_operation operation)
{
    struct monitor *m = &agent->plan->monitors[address];
    uint32_t valid_s = operation == CLAIMS_ADD ? lease_seconds(agent->plan, address) : 0;
    int r = agent->ports->claim(agent->userdata, &(struct claims_request){.operation = operation,
                                                                          .id = address,
                                                                          .ifindex = m->hold->ifindex,
                                                                          .ip = m->map->ip,
                                                                          .prefix = m->hold->prefix,
                                                                          .valid_s = valid_s});

    if (r < 0) {
        m->hold->unqueued_error = r;
        agent->unclaimed++;
    }
    return r;
}

static void do_claim(struct agent *agent, uint32_t address, uint16_t target)
{
    struct monitor *m = &agent->plan->monitors[address];
    const struct target *t = &agent->plan->targets[target];

    /* Who took it off may have taken the host's own addresses along, to put them on again in a moment. */
    if (!m->hold->is_put_back || !is_place_of(agent, t, m->hold->ifindex))
        m->hold->prefix = claim_prefix(t, m->map);
    m->hold->ifindex = place(agent, t, address);
    m->hold->lease_asked_ns = agent->now_ns;
    leaving_claimed(agent, &m->map->ip, m->hold->ifindex, m->hold->prefix);
    if (submit(agent, address, CLAIMS_ADD) < 0)
        return;
    agent->plan->targets[target].newest_claim = address;
    announcer_hold_back(agent->plan->announcer, target, agent->now_ns + FIRST_COPIES_NS);
}

void actions_claimed(struct agent *agent, uint32_t address)
{
    struct plan *plan = agent->plan;
    uint16_t target = plan->core.addresses[address].held_on;

    if (target != CORE_NO_TARGET && plan->targets[target].newest_claim == address)
        announcer_hold_back(plan->announcer, target, NSEC_UNSET);
}

void actions_end_hold(struct agent *agent, uint32_t address)
{
    announcer_stop(agent->plan->announcer, address);
    proof_end(agent, address);
    lease_end(agent, address);
}

static void do_release(struct agent *agent, uint32_t address)
{
    actions_end_hold(agent, address);
    agent->plan->monitors[address].hold->is_gone = false;
    submit(agent, address, CLAIMS_REMOVE);
}

/* A neighbour takes the word of a frame whose Ethernet source is ours; only the ARP sender is the source's. */
void actions_announce_source(struct agent *agent, int ifindex, const struct mac_address *own,
                             const struct ip_address *ip, const struct mac_address *mac)
{
    struct arp_frame frame;

    if (ifindex == 0)
        return;
    if (ip->family == AF_INET6) {
        arp_frame_advertise(&frame, own, mac, ip, false);
        agent->ports->frame(agent->userdata, ifindex, &frame);
        return;
    }
    arp_frame_announce_request(&frame, own, mac, ip);
    agent->ports->frame(agent->userdata, ifindex, &frame);
    arp_frame_announce_reply(&frame, own, mac, ip);
    agent->ports->frame(agent->userdata, ifindex, &frame);
}

static void do_announce_source(struct agent *agent, const struct core_action *action)
{
    const struct target *t = &agent->plan->targets[action->target];

    actions_announce_source(agent, t->link.ifindex, &t->link.mac, &agent->plan->monitors[action->address].map->ip,
                            &action->mac);
}

static void do_restart(struct agent *agent, uint32_t nic)
{
    const struct core_nic *n = &agent->plan->core.nics[nic];

    for (uint32_t i = 0; i < n->n_addresses; i++)
        rounds_void(agent, n->first_address + i, agent->now_ns + RESTART_WITHIN_NS);
}

int actions_announce(void *userdata, uint32_t address, unsigned copy)
{
    struct agent *agent = userdata;
    const struct plan *plan = agent->plan;
    const struct target *t = &plan->targets[plan->core.addresses[address].held_on];
    const struct ip_address *ip = &plan->monitors[address].map->ip;
    struct arp_frame frame;
    int r;

    /* What is said to all reaches a source that is in its duplicate address detection, and would end it. */
    if (copy >= ANNOUNCER_PLAN_CONFIRMED && core_yields_to_source(&plan->core, address))
        return proof_refresh(agent, address);
    if (ip->family == AF_INET6) {
        arp_frame_advertise(&frame, &t->link.mac, &t->link.mac, ip, agent->ipv6_router);
        r = agent->ports->frame(agent->userdata, t->link.ifindex, &frame);
        return r < 0 ? r : 1;
    }
    /* Some switches and hosts take only the one form, some only the other. Of thousands the request alone goes first,
     * so that all are announced in half the time; who takes only the reply has it with the second copy. */
    arp_frame_announce_request(&frame, &t->link.mac, &t->link.mac, ip);
    r = agent->ports->frame(agent->userdata, t->link.ifindex, &frame);
    if (r < 0)
        return r;
    if (copy == 0 && t->n_ipv4 > SHELVED_FROM)
        return 1;
    arp_frame_announce_reply(&frame, &t->link.mac, &t->link.mac, ip);
    r = agent->ports->frame(agent->userdata, t->link.ifindex, &frame);
    return r < 0 ? r : 2;
}

static void announce_anew(struct agent *agent, const struct core_action *action)
{
    announcer_start(agent->plan->announcer, action->address, action->target, agent->now_ns);
    proof_begin(agent, agent->now_ns, action->address);
}

static void announce(struct agent *agent, const struct core_action *action)
{
    announce_anew(agent, action);
    lease_begin(agent, action->address);
    let_in_refresh(agent, action->address);
}

/* Of a NIC, or of what a source serves. */
static void on_change(struct agent *agent, const struct core_action *action)
{
    agent->changed = true;
    if (action->type == CORE_CHANGED) {
        tell_change(agent, action->nic, action->was);
        sequences_on_change(agent, action->nic);
    } else {
        tell_service(agent, action->source, action->service_was);
        sequences_on_service_change(agent, action->source, action->service_was);
    }
}

/* Hooks, units, the name server. */
static void run(struct agent *agent, const struct core_action *action)
{
    if (action->type == CORE_PREPARE)
        sequences_prepare(agent, action->source, action->nic);
    else if (action->type == CORE_LEAVE)
        sequences_leave(agent, action->source, action->nic);
    else
        sequences_move_name(agent, action->source, action->type == CORE_CLAIM_NAME);
}

void actions_handle(void *userdata, const struct core_action *action)
{
    struct agent *agent = userdata;

    switch (action->type) {
    case CORE_ASK:
        rounds_ask(agent, action);
        break;
    case CORE_ASK_WITNESSES:
        witness_ask(agent, agent->now_ns, action->target);
        break;
    case CORE_ASK_CARRIER:
        agent->plan->targets[action->target].recheck = true;
        break;
    case CORE_HURRY:
        rounds_hurry(agent, action->address);
        break;
    case CORE_RESTART:
        do_restart(agent, action->nic);
        break;
    case CORE_CLAIM:
        do_claim(agent, action->address, action->target);
        break;
    case CORE_RELEASE:
        do_release(agent, action->address);
        break;
    case CORE_ANNOUNCE:
        announce(agent, action);
        break;
    case CORE_ANNOUNCE_AGAIN:
        announce_anew(agent, action);
        break;
    case CORE_DEFEND:
        actions_announce(agent, action->address, 1);
        break;
    case CORE_ANNOUNCE_SOURCE:
        do_announce_source(agent, action);
        break;
    case CORE_RETURNED:
        tell_return(agent, action->address);
        break;
    case CORE_RETURN_PROBED:
        tell_return_probed(agent, action->address, &action->mac);
        break;
    case CORE_CONFLICT:
        tell_conflict(agent, action->address, &action->mac);
        break;
    case CORE_CHANGED:
    case CORE_SERVICE_CHANGED:
        on_change(agent, action);
        break;
    case CORE_PREPARE:
    case CORE_LEAVE:
    case CORE_CLAIM_NAME:
    case CORE_RELEASE_NAME:
        run(agent, action);
        break;
    }
}
