/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof of a takeover. From each claimed address neighbours are asked twice: by ARP/ND, which also corrects their entry
 * and whose answer reads "reached" (it is sent to the address in the request), and by ICMP echo, whose answer travels
 * by the neighbour's own entry and reads "confirmed". Any other IP packet to the address confirms as well; it is
 * watched for where the first question was not answered.
 */
#include <netinet/in.h>
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* When to ask again, counted from the question before; the last for ever. */
static const nsec_t ask_again_ns[] = {
    20 * NSEC_PER_MSEC,   80 * NSEC_PER_MSEC, 400 * NSEC_PER_MSEC, 600 * NSEC_PER_MSEC, 1100 * NSEC_PER_MSEC,
    2200 * NSEC_PER_MSEC, 5 * NSEC_PER_SEC,   10 * NSEC_PER_SEC,   30 * NSEC_PER_SEC,   60 * NSEC_PER_SEC,
};
#define ASK_AGAIN_STEPS (sizeof ask_again_ns / sizeof *ask_again_ns)
/* Unanswered questions after which people are told. */
#define ASKS_UNTIL_TOLD 5

/*
 * Addresses asked for in one go, and when the rest follows: announcements of thousands, and the probes of other
 * sources, must not wait for the questions of all.
 */
#define ASK_AT_ONCE 10
#define ASK_TICK_NS (1 * NSEC_PER_MSEC)
/* Who the kernel's neighbours are is looked at no more often than this. */
#define NEIGHBOURS_FRESH_NS (20 * NSEC_PER_MSEC)

void proof_begin(struct agent *agent, nsec_t now_ns, uint32_t address)
{
    struct monitor *m = &agent->plan->monitors[address];

    m->hold->claimed_ns = now_ns;
    m->hold->proof = PROOF_NONE;
    m->hold->proof_by = (struct ip_address){0};
    m->hold->proof_after_ns = 0;
    m->hold->proof_asks = 0;
    heap_set(&agent->plan->proofs, address, now_ns);
}

void proof_end(struct agent *agent, uint32_t address)
{
    struct monitor *m = &agent->plan->monitors[address];

    agent->watch_changed = agent->watch_changed || m->hold->proof_asks > 1;
    m->hold->claimed_ns = NSEC_UNSET;
    heap_set(&agent->plan->proofs, address, NSEC_NEVER);
}

/* Whom the kernel knows on the NIC. It may know thousands, and is not asked for each address that is to be proved. */
static const struct neighbours *neighbours_of(struct agent *agent, struct target *t, uint8_t family)
{
    struct neighbours *neighbours = family == AF_INET ? &t->ipv4 : &t->ipv6;

    if (neighbours->asked_ns == NSEC_UNSET || agent->now_ns - neighbours->asked_ns >= NEIGHBOURS_FRESH_NS) {
        neighbours->n =
            agent->ports->neighbours(agent->userdata, t->link.ifindex, family, neighbours->known, PEERS_MAX * 2);
        neighbours->asked_ns = agent->now_ns;
    }
    return neighbours;
}

/* Whom to ask: witnesses of the address's family first, then what else the kernel knows on that NIC. */
static size_t choose_peers(struct agent *agent, struct target *t, uint8_t family, struct peer *ret)
{
    const struct neighbours *neighbours;
    size_t n = 0;

    for (size_t i = 0; i < t->n_peers && n < PEERS_MAX; i++)
        if (t->peers[i].ip.family == family)
            ret[n++] = t->peers[i];
    if (n == PEERS_MAX)
        return n;
    neighbours = neighbours_of(agent, t, family);
    for (size_t i = 0; i < neighbours->n && n < PEERS_MAX; i++) {
        const struct link_neighbour *neighbour = &neighbours->known[i];
        bool known = plan_find(agent, agent->plan, &neighbour->ip) != UINT32_MAX;

        for (size_t k = 0; k < n; k++)
            known = known || ip_address_equal(&ret[k].ip, &neighbour->ip);
        if (!known)
            ret[n++] = (struct peer){.ip = neighbour->ip, .mac = neighbour->mac};
    }
    return n;
}

static void ask_peer(struct agent *agent, const struct target *t, uint32_t address, const struct peer *peer)
{
    const struct monitor *m = &agent->plan->monitors[address];
    struct arp_frame frame;

    arp_frame_request(&frame, &t->link.mac, &m->map->ip, &peer->ip, &peer->mac);
    agent->ports->frame(agent->userdata, t->link.ifindex, &frame);
    agent->ports->probe(
        agent->userdata,
        &(struct probe_request){
            .kind = PROBE_ICMP,
            .ifindex = t->link.ifindex,
            .from = m->map->ip,
            .to = peer->ip,
            .own = t->link.mac,
            .token = {.id = TOKEN_PROOF, .sequence = m->hold->proof_asks, .nonce = m->hold->proof_nonce},
        });
}

int proof_refresh(struct agent *agent, uint32_t address)
{
    const struct plan *plan = agent->plan;
    const struct monitor *m = &plan->monitors[address];
    struct target *t = &plan->targets[plan->core.addresses[address].held_on];
    struct peer peers[PEERS_MAX];
    size_t n = choose_peers(agent, t, m->map->ip.family, peers);

    for (size_t i = 0; i < n; i++) {
        struct arp_frame frame;
        int r;

        if (mac_address_is_unset(&peers[i].mac))
            continue; /* that would be said to all */
        /* A neighbour takes the sender of a request into its table. */
        arp_frame_request(&frame, &t->link.mac, &m->map->ip, &peers[i].ip, &peers[i].mac);
        r = agent->ports->frame(agent->userdata, t->link.ifindex, &frame);
        if (r < 0)
            return r;
    }
    return (int)n + 1;
}

static void ask(struct agent *agent, nsec_t now_ns, uint32_t address)
{
    struct plan *plan = agent->plan;
    struct monitor *m = &plan->monitors[address];
    struct target *t = &plan->targets[plan->core.addresses[address].held_on];
    unsigned step = m->hold->proof_asks < ASK_AGAIN_STEPS ? m->hold->proof_asks : ASK_AGAIN_STEPS - 1;
    struct peer peers[PEERS_MAX];
    size_t n;

    m->hold->proof_nonce = agent_random(agent);
    m->hold->proof_asks++;
    m->hold->proof_asked_ns = now_ns;
    agent->watch_changed = agent->watch_changed || m->hold->proof_asks > 1;
    heap_set(&plan->proofs, address, now_ns + ask_again_ns[step]);
    if (t->link.ifindex == 0)
        return;
    n = choose_peers(agent, t, m->map->ip.family, peers);
    for (size_t i = 0; i < n; i++)
        ask_peer(agent, t, address, &peers[i]);
    if (m->hold->proof_asks == ASKS_UNTIL_TOLD)
        tell_unconfirmed(agent, address, n > 0);
}

/* What the ports watch for: on each NIC, the first addresses that a question did not confirm. */
static void update_watch(struct agent *agent)
{
    struct plan *plan = agent->plan;
    struct ip_address watched[32];

    agent->watch_changed = false;
    for (uint16_t i = 0; i < plan->core.n_targets; i++) {
        size_t n = 0;

        for (uint32_t k = 0; k < plan->proofs.count && n < sizeof watched / sizeof *watched; k++) {
            uint32_t address = plan->proofs.entries[k].id;

            if (plan->core.addresses[address].held_on == i)
                watched[n++] = plan->monitors[address].map->ip;
        }
        if (plan->targets[i].link.ifindex != 0)
            agent->ports->watch(agent->userdata, plan->targets[i].link.ifindex, watched, n);
    }
}

nsec_t proof_deadline(const struct agent *agent)
{
    return nsec_max(heap_first(&agent->plan->proofs, NULL), agent->proof_tick_ns);
}

void proof_run(struct agent *agent, nsec_t now_ns)
{
    uint32_t address;

    for (unsigned n = 0; proof_deadline(agent) <= now_ns; n++) {
        if (n == ASK_AT_ONCE) {
            agent->proof_tick_ns = now_ns + ASK_TICK_NS;
            break;
        }
        heap_first(&agent->plan->proofs, &address);
        ask(agent, now_ns, address);
    }
    if (agent->watch_changed)
        update_watch(agent);
}

void proof_found(struct agent *agent, nsec_t now_ns, uint32_t address, enum proof proof, const struct ip_address *by)
{
    struct plan *plan = agent->plan;
    struct monitor *m = &plan->monitors[address];

    if (m->hold->claimed_ns == NSEC_UNSET || m->hold->proof >= proof)
        return;
    m->hold->proof = proof;
    m->hold->proof_by = *by;
    m->hold->proof_after_ns = now_ns - m->hold->claimed_ns;
    agent->changed = true;
    if (proof == PROOF_CONFIRMED) {
        heap_set(&plan->proofs, address, NSEC_NEVER);
        announcer_confirmed(plan->announcer, address);
        agent->watch_changed = agent->watch_changed || m->hold->proof_asks > 1;
        tell_proof(agent, address);
    }
}

void proof_on_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply)
{
    uint32_t address = plan_find(agent, agent->plan, &reply->to);

    if (address != UINT32_MAX && agent->plan->monitors[address].hold->proof_nonce == reply->token.nonce)
        proof_found(agent, now_ns, address, PROOF_CONFIRMED, &reply->from);
}

void proof_on_link_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply)
{
    uint32_t address = plan_find(agent, agent->plan, &reply->to);

    if (address != UINT32_MAX && agent->plan->core.addresses[address].claim == CORE_CLAIM_HELD)
        proof_found(agent, now_ns, address, PROOF_REACHED, &reply->from);
}

void agent_on_traffic(struct agent *agent, nsec_t now_ns, const struct ip_address *from, const struct ip_address *to)
{
    uint32_t address = agent->plan ? plan_find(agent, agent->plan, to) : UINT32_MAX;

    agent->now_ns = now_ns;
    if (address != UINT32_MAX && agent->plan->core.addresses[address].claim == CORE_CLAIM_HELD)
        proof_found(agent, now_ns, address, PROOF_CONFIRMED, from);
}
