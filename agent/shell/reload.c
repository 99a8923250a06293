/* SPDX-License-Identifier: Apache-2.0 */
/* A new ipmap takes effect: at the start with what an agent before us left, later with what carry.c carries over. */
#include <syslog.h>

#include "agent/shell/internal.h"

/* Takes an address off that no file speaks of any more. */
static void release_orphan(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    char text[IP_ADDRESS_TEXT];

    agent_say(agent, LOG_NOTICE, "releasing %s: it is no longer in the file", ip_address_format(ip, text));
    agent_take_off(agent, ip, ifindex, prefix);
}

/* What an agent before us left on this host: ours to hold, if the file still says so. */
static void adopt(struct agent *agent, const struct claims_held *held)
{
    struct plan *plan = agent->plan;
    uint32_t address = plan_find(agent, plan, &held->ip);
    const struct core_address *a = address == UINT32_MAX ? NULL : &plan->core.addresses[address];
    int shelf_of = agent->ports->shelf_of(agent->userdata, held->ifindex);
    int target = shelf_of ? shelf_of : held->ifindex;

    for (int i = 0; a && i < 2; i++) {
        if (a->target[i] == CORE_NO_TARGET || plan->targets[a->target[i]].link.ifindex != target)
            continue;
        plan->monitors[address].hold->ifindex = held->ifindex;
        plan->monitors[address].hold->prefix = held->prefix;
        core_on_adopted(&plan->core, agent->now_ns, address, a->target[i]);
        lease_resume(agent, address, held->valid_s);
        return;
    }
    release_orphan(agent, &held->ip, held->ifindex, held->prefix);
}

int agent_load(struct agent *agent, nsec_t now_ns, struct ipmap *ipmap, const struct claims_held *held, size_t n_held)
{
    struct plan *from = agent->plan, *to;
    int r;

    agent->now_ns = now_ns;
    r = plan_new(agent, ipmap, now_ns, &to);
    if (r < 0)
        return r;
    /* Each address may be left on two NICs, where it is not known what became of its claims. */
    r = leaving_reserve(agent, 2 * to->core.n_addresses + n_held + (from ? from->core.n_addresses : 0));
    if (r >= 0 && from)
        r = carry_plan(agent, from, to);
    if (r < 0) {
        to->ipmap = NULL; /* stays the caller's */
        plan_free(to);
        return r;
    }
    agent->plan = to;
    agent->generation++;
    agent->header.file_generation = agent->generation;
    agent->changed = true;
    agent->watch_changed = true;
    if (!from)
        agent->witness_idle_ns = now_ns;
    plan_free(from);
    links_refresh(agent, now_ns);
    if (!from)
        journaling_restore(agent);
    for (uint32_t i = 0; i < to->core.n_nics; i++)
        if (to->moved[i])
            core_move(&to->core, now_ns, i);
    for (size_t i = 0; i < n_held; i++)
        adopt(agent, &held[i]);
    if (!from)
        journaling_after_adoption(agent);
    let_in_refresh_all(agent);
    to->core.lasting_changed = true;
    return 0;
}
