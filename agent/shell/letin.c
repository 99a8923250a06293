/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While an address is held, our kernel answers whoever probes for it before use, and keeps the source from getting its
 * own address back. Where the core yields to the source, the kernel has to leave its probes alone.
 */
#include "agent/shell/internal.h"

void let_in_end(struct agent *agent, struct monitor *m)
{
    if (mac_address_is_unset(&m->hold->let_in))
        return;
    agent->ports->let_in(agent->userdata, &m->map->ip, &m->hold->let_in, false);
    m->hold->let_in = (struct mac_address){{0}};
}

void let_in_refresh(struct agent *agent, uint32_t address)
{
    struct monitor *m = &agent->plan->monitors[address];
    struct mac_address wanted = {{0}};

    if (core_yields_to_source(&agent->plan->core, address))
        wanted = agent->plan->core.addresses[address].mac;
    if (mac_address_equal(&wanted, &m->hold->let_in))
        return;
    let_in_end(agent, m);
    if (!mac_address_is_unset(&wanted))
        agent->ports->let_in(agent->userdata, &m->map->ip, &wanted, true);
    m->hold->let_in = wanted;
}

void let_in_refresh_all(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->plan->core.n_addresses; i++)
        let_in_refresh(agent, i);
}
