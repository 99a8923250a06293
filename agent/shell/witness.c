/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Witnesses: third parties whose answers show that we are not the isolated one. On each target NIC: those of the file
 * that are in its subnet (all of them, by ICMP, where none is); else the default gateways; else neighbours that the
 * kernel knows there. A source is never a witness.
 */
#include <netinet/in.h>
#include <string.h>

#include "agent/shell/internal.h"

static bool may_witness(const struct agent *agent, const struct ip_address *ip)
{
    return plan_find(agent, agent->plan, ip) == UINT32_MAX && !ip_address_is_unspecified(ip);
}

static void add_peer(struct target *t, const struct peer *old, size_t n_old, const struct ip_address *ip,
                     const struct mac_address *mac)
{
    struct peer *p;

    if (t->n_peers == LIMIT_WITNESSES)
        return;
    for (size_t i = 0; i < t->n_peers; i++)
        if (ip_address_equal(&t->peers[i].ip, ip))
            return;
    p = &t->peers[t->n_peers++];
    *p = (struct peer){.ip = *ip};
    for (size_t i = 0; i < n_old; i++)
        if (ip_address_equal(&old[i].ip, ip))
            *p = old[i];
    if (mac)
        p->mac = *mac;
}

static void add_configured(struct target *t, const struct peer *old, size_t n_old)
{
    const struct ipmap_source *s = t->witnesses;

    for (size_t i = 0; i < s->n_witnesses; i++)
        if (target_own_address(t, &s->witnesses[i]))
            add_peer(t, old, n_old, &s->witnesses[i], NULL);
    for (size_t i = 0; t->n_peers == 0 && i < s->n_witnesses; i++)
        add_peer(t, old, n_old, &s->witnesses[i], NULL);
}

static void add_found(struct agent *agent, struct target *t, const struct peer *old, size_t n_old)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    struct ip_address gateways[PEERS_MAX];
    struct link_neighbour neighbours[PEERS_MAX * 4];

    for (size_t f = 0; f < 2; f++) {
        size_t n = agent->ports->gateways(agent->userdata, t->link.ifindex, families[f], gateways, PEERS_MAX);

        for (size_t i = 0; i < n; i++)
            if (may_witness(agent, &gateways[i]))
                add_peer(t, old, n_old, &gateways[i], NULL);
    }
    for (size_t f = 0; t->n_peers == 0 && f < 2; f++) {
        size_t n = agent->ports->neighbours(agent->userdata, t->link.ifindex, families[f], neighbours, PEERS_MAX * 4);

        for (size_t i = 0; i < n && t->n_peers < PEERS_MAX; i++)
            if (may_witness(agent, &neighbours[i].ip))
                add_peer(t, old, n_old, &neighbours[i].ip, &neighbours[i].mac);
    }
}

void witness_refresh(struct agent *agent, uint16_t target)
{
    struct target *t = &agent->plan->targets[target];
    struct core_target *core = &agent->plan->core.targets[target];
    struct peer old[LIMIT_WITNESSES];
    size_t n_old = t->n_peers;

    memcpy(old, t->peers, sizeof old);
    t->n_peers = 0;
    if (t->link.ifindex != 0) {
        if (t->witnesses->n_witnesses > 0)
            add_configured(t, old, n_old);
        else
            add_found(agent, t, old, n_old);
    }
    if (t->witnesses->witness_none)
        core->witness = CORE_WITNESS_NONE;
    else if (t->n_peers > 0 || t->witnesses->n_witnesses > 0)
        core->witness = CORE_WITNESS_EXPECTED;
    else
        core->witness = CORE_WITNESS_MISSING;
}

static void ask_by(struct agent *agent, struct peer *p, struct probe_request *request, enum probe_kind kind)
{
    request->kind = kind;
    if (agent->ports->probe(agent->userdata, request) >= 0)
        p->asked_kinds |= (uint8_t)(1u << kind);
}

static void ask_peer(struct agent *agent, nsec_t now_ns, uint16_t target, size_t number)
{
    struct target *t = &agent->plan->targets[target];
    struct peer *p = &t->peers[number];
    const struct ip_address *own = target_own_address(t, &p->ip);
    struct probe_request request = {.ifindex = t->link.ifindex, .to = p->ip, .own = t->link.mac};

    p->asked_ns = now_ns;
    p->nonce = agent_random(agent);
    p->sequence++;
    p->asked_kinds = 0;
    request.token = (struct probe_token){.id = TOKEN_WITNESS, .sequence = p->sequence, .nonce = p->nonce};
    if (own) {
        request.from = *own;
        ask_by(agent, p, &request, p->ip.family == AF_INET ? PROBE_ARP : PROBE_ND);
    }
    ask_by(agent, p, &request, PROBE_ICMP);
}

void witness_ask(struct agent *agent, nsec_t now_ns, uint16_t target)
{
    /* Neighbours and gateways may have come since. */
    if (agent->plan->targets[target].witnesses->n_witnesses == 0)
        witness_refresh(agent, target);
    for (size_t i = 0; i < agent->plan->targets[target].n_peers; i++)
        ask_peer(agent, now_ns, target, i);
}

void witness_idle(struct agent *agent, nsec_t now_ns)
{
    agent->witness_idle_ns = now_ns + WITNESS_IDLE_NS;
    for (uint16_t i = 0; i < agent->plan->core.n_targets; i++)
        if (agent->plan->core.targets[i].fit)
            witness_ask(agent, now_ns, i);
}

void witness_on_unsent(struct agent *agent, const struct probe_request *request)
{
    for (uint16_t i = 0; i < agent->plan->core.n_targets; i++) {
        struct target *t = &agent->plan->targets[i];

        for (size_t k = 0; k < t->n_peers; k++)
            if (t->peers[k].nonce == request->token.nonce && t->peers[k].sequence == request->token.sequence)
                t->peers[k].asked_kinds &= (uint8_t) ~(1u << request->kind);
    }
}

static void peer_answered(struct agent *agent, nsec_t now_ns, uint16_t target, struct peer *p,
                          const struct probe_reply *reply)
{
    /* Only an answer that came after its request left can be that request's, and only if it did leave. */
    if (p->asked_ns == NSEC_UNSET || reply->received_ns < p->asked_ns || !(p->asked_kinds & 1u << reply->kind))
        return;
    p->answered_ns = reply->received_ns;
    if (!mac_address_is_unset(&reply->peer))
        p->mac = reply->peer;
    core_on_witness(&agent->plan->core, now_ns, target, p->asked_ns);
}

/* A neighbour's ARP reply is for whichever target on that NIC asked it; one with a token, for the one that sent it. */
void witness_on_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply)
{
    for (uint16_t i = 0; i < agent->plan->core.n_targets; i++) {
        struct target *t = &agent->plan->targets[i];

        for (size_t k = 0; t->link.ifindex == reply->ifindex && k < t->n_peers; k++) {
            struct peer *p = &t->peers[k];

            if (ip_address_equal(&p->ip, &reply->from) &&
                (!reply->has_token || (p->nonce == reply->token.nonce && p->sequence == reply->token.sequence)))
                peer_answered(agent, now_ns, i, p, reply);
        }
    }
}
