/* SPDX-License-Identifier: Apache-2.0 */
/* An ipmap takes effect in the world: what the kernel holds for us, the ports, the guard. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "agent/shell/guarding.h"
#include "agent/shell/world_internal.h"

struct held_list {
    struct claims_held *list;
    size_t n;
    int error;
};

static void collect_held(void *userdata, const struct claims_held *held)
{
    struct held_list *all = userdata;
    struct claims_held *grown = reallocarray(all->list, all->n + 1, sizeof *grown);

    if (!grown) {
        all->error = -ENOMEM;
        return;
    }
    all->list = grown;
    all->list[all->n++] = *held;
}

int world_load(struct world *world, struct ipmap *ipmap, bool first)
{
    struct held_list held = {0};
    int r = 0;

    if (first)
        r = claims_list_held(collect_held, &held);
    if (r >= 0)
        r = held.error;
    if (r >= 0)
        r = listeners_add_nics(world, ipmap);
    world_take_time(world);
    if (r >= 0)
        r = world_services_load(world, ipmap);
    if (r >= 0)
        r = agent_load(world->agent, world->clock.now_ns, ipmap, held.list, held.n);
    /* What was adopted or is being released, the guard before ours knows; ours must, before it takes over. */
    for (size_t i = 0; r >= 0 && i < held.n; i++)
        guarding_hold(world->guarding, held.list[i].ifindex, &held.list[i].ip, held.list[i].prefix);
    free(held.list);
    if (r < 0)
        return r;
    listeners_take_effect(world);
    if (first)
        world_sweep_flags(world);
    world->shelves_error = 0;
    shelves_refresh(world);
    guarding_adopted(world->guarding);
    advise(world, ipmap);
    malloc_trim(0); /* what reading the file took, and the plan before */
    return r;
}
