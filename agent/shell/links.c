/* SPDX-License-Identifier: Apache-2.0 */
/* What the NICs of this host look like to the targets: there or not, carrier, own addresses. */
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* Carrier as the device itself tells it; where it cannot be asked, as it was last notified. */
static bool has_carrier(struct agent *agent, const struct link_info *link)
{
    int r = agent->ports->carrier(agent->userdata, link->ifindex);

    return r < 0 ? link->carrier : r > 0;
}

struct own_addresses {
    const struct agent *agent;
    struct target *target;
};

/* An address of the ipmap is never our own to ask from, whoever put it there. */
static bool collect_own(void *cookie, const struct link_address *address)
{
    struct own_addresses *own = cookie;

    if (plan_find(own->agent, own->agent->plan, &address->ip) == UINT32_MAX)
        own->target->own[own->target->n_own++] = *address;
    return own->target->n_own < OWN_ADDRESSES_MAX;
}

static void say_link(struct agent *agent, struct target *t, bool fit)
{
    if (t->told_there && t->link.ifindex == 0)
        agent_say(agent, LOG_WARNING, "target NIC %s is gone", t->name);
    else if (!t->told_there && t->link.ifindex != 0)
        agent_say(agent, LOG_INFO, "target NIC %s is there, %s carrier", t->name, fit ? "with" : "without");
    else if (t->told_fit != fit)
        agent_say(agent, fit ? LOG_INFO : LOG_WARNING, "target NIC %s %s", t->name,
                  fit          ? "has carrier"
                  : t->link.up ? "has no carrier"
                               : "is down");
    t->told_there = t->link.ifindex != 0;
    t->told_fit = fit;
}

/*
 * What is held there cannot be announced meanwhile, and is announced anew when there is carrier again: the switch
 * behind it may have forgotten us.
 */
static void reannounce(struct agent *agent, nsec_t now_ns, uint16_t number, bool fit)
{
    struct plan *plan = agent->plan;

    for (uint32_t i = 0; i < plan->core.n_addresses; i++) {
        if (plan->core.addresses[i].claim != CORE_CLAIM_HELD || plan->core.addresses[i].held_on != number)
            continue;
        announcer_stop(plan->announcer, i);
        proof_end(agent, i);
        if (fit) {
            announcer_start(plan->announcer, i, number, now_ns);
            proof_begin(agent, now_ns, i);
        }
    }
}

/* Another NIC by that name, or none: what was held went with the one before, and what was asked through it, too. */
static void replace_nic(struct agent *agent, nsec_t now_ns, uint16_t number)
{
    const struct plan *plan = agent->plan;

    for (uint32_t i = 0; i < plan->core.n_addresses; i++) {
        const struct monitor *m = &plan->monitors[i];

        if (plan->core.addresses[i].claim != CORE_CLAIM_HELD || plan->core.addresses[i].held_on != number)
            continue;
        agent_take_off(agent, &m->map->ip, m->hold->ifindex, m->hold->prefix); /* it may only be called otherwise now */
        agent_lost_with_nic(agent, i);
    }
    core_on_link(&agent->plan->core, now_ns, number, false);
}

static void refresh_target(struct agent *agent, nsec_t now_ns, uint16_t number)
{
    struct plan *plan = agent->plan;
    struct target *t = &plan->targets[number];
    struct own_addresses own = {.agent = agent, .target = t};
    int ifindex_before = t->link.ifindex;
    bool was_fit, fit = false;

    if (agent->ports->link_by_name(agent->userdata, t->name, &t->link) < 0)
        memset(&t->link, 0, sizeof t->link);
    if (ifindex_before != 0 && ifindex_before != t->link.ifindex)
        replace_nic(agent, now_ns, number);
    was_fit = plan->core.targets[number].fit;
    t->n_own = 0;
    if (t->link.ifindex != 0) {
        agent->ports->each_address(agent->userdata, t->link.ifindex, collect_own, &own);
        plan->core.targets[number].mac = t->link.mac;
        t->link.carrier = has_carrier(agent, &t->link);
        fit = t->link.up && t->link.carrier && t->link.ethernet;
    }
    say_link(agent, t, fit);
    witness_refresh(agent, number);
    core_on_link(&plan->core, now_ns, number, fit);
    if (fit != was_fit)
        reannounce(agent, now_ns, number, fit);
    if (fit && !was_fit)
        witness_ask(agent, now_ns, number);
}

void links_refresh(struct agent *agent, nsec_t now_ns)
{
    for (uint16_t i = 0; i < agent->plan->core.n_targets; i++)
        refresh_target(agent, now_ns, i);
    agent->links_changed = false;
}

void links_recheck(struct agent *agent, nsec_t now_ns)
{
    struct plan *plan = agent->plan;

    for (uint16_t i = 0; i < plan->core.n_targets; i++) {
        struct target *t = &plan->targets[i];

        if (!t->recheck)
            continue;
        t->recheck = false;
        if (t->link.ifindex != 0 && has_carrier(agent, &t->link) != t->link.carrier)
            refresh_target(agent, now_ns, i);
    }
}
