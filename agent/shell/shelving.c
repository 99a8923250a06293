/* SPDX-License-Identifier: Apache-2.0 */
/* The shelves of this host's target NICs: made before they are needed, used where that changes nothing for others. */
#include <errno.h>
#include <string.h>

#include "agent/shell/log.h"
#include "agent/shell/world_internal.h"
#include "netlink/shelf.h"

/* Settings are looked at anew after this: once for a takeover. */
#define LOOK_AGAIN_NS (1 * NSEC_PER_SEC)

/*
 * Reasons why the kernel would not answer for what is on another NIC: arp_ignore, or a VRF with its own table of local
 * addresses.
 */
static bool is_strict(struct world *world, const struct link_info *nic)
{
    nsec_t now_ns = world->clock.now_ns;

    if (world->strict_nic == nic->ifindex && now_ns - world->strict_looked_ns < LOOK_AGAIN_NS)
        return world->strict;
    world->strict_nic = nic->ifindex;
    world->strict_looked_ns = now_ns;
    world->strict = advice_setting(nic->name, "arp_ignore") != 0 || links_in_vrf(world->links, nic->ifindex);
    return world->strict;
}

int shelves_target(const struct world *world, int ifindex)
{
    struct link_info nic;

    return links_by_index(world->links, ifindex, &nic) == 0 ? nic.shelf_of : 0;
}

int shelves_find(struct world *world, int target, unsigned number)
{
    struct link_info nic, shelf;
    char name[LIMIT_NIC_NAME];

    if (links_by_index(world->links, target, &nic) < 0 || is_strict(world, &nic))
        return 0;
    if (shelf_name(name, target, number) < 0 || links_by_name(world->links, name, &shelf) < 0)
        return 0;
    return shelf.shelf_of == target && shelf.up ? shelf.ifindex : 0;
}

static void make(void *userdata, int target, unsigned number)
{
    struct world *world = userdata;
    struct link_info nic;
    int error;

    if (world->shelves_error < 0 || shelves_find(world, target, number) > 0 ||
        links_by_index(world->links, target, &nic) < 0 || is_strict(world, &nic))
        return;
    error = shelf_make(target, number);
    if (error == 0 || error == -ENAMETOOLONG)
        return;
    world->shelves_error = error;
    log_format(world->clock.now_ns, LOG_NOTICE,
               "no NIC can be made to spread the addresses of %s over (%s): all go on %s itself, which takes longer",
               nic.name, strerror(-error), nic.name);
}

void shelves_refresh(struct world *world)
{
    world->shelves_stale = false;
    agent_each_shelf(world->agent, make, world);
}
