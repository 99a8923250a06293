/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of this host that are looked at whenever a file is loaded. Two target NICs in one subnet answer ARP for each
 * other's addresses and send through whichever route came first, unless the kernel is told otherwise.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/shell/log.h"
#include "agent/shell/world_internal.h"

static int read_setting(const char *nic, const char *name)
{
    char path[128], text[16] = "";
    CLEANUP_CLOSE int fd = -1;

    snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/%s", nic, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return 0;
    return (int)strtol(text, NULL, 10);
}

/* The kernel takes the greater of "all" and the NIC's own. */
static int setting(const char *nic, const char *name)
{
    int all = read_setting("all", name), own = read_setting(nic, name);

    return all > own ? all : own;
}

struct subnet {
    struct link_address address;
    bool found;
};

static bool first_ipv4(void *userdata, const struct link_address *address)
{
    struct subnet *subnet = userdata;

    if (ip_address_bits(address->ip.family) == 32 && address->prefix < 32) {
        subnet->address = *address;
        subnet->found = true;
    }
    return !subnet->found;
}

static bool subnet_of(struct world *world, const char *nic, struct subnet *ret)
{
    struct link_info link;

    ret->found = false;
    if (links_by_name(world->links, nic, &link) == 0)
        links_each_address(world->links, link.ifindex, first_ipv4, ret);
    return ret->found;
}

static void advise_pair(const char *a, const char *b)
{
    if (setting(a, "arp_ignore") == 0 || setting(b, "arp_ignore") == 0 || setting(a, "arp_announce") < 2 ||
        setting(b, "arp_announce") < 2)
        log_format(
            world_now(), LOG_WARNING,
            "%s and %s are in one subnet: set net.ipv4.conf.all.arp_ignore=1 and arp_announce=2, or each answers "
            "ARP for the other's addresses",
            a, b);
    if (!setting(a, "ignore_routes_with_linkdown") || !setting(b, "ignore_routes_with_linkdown"))
        log_format(world_now(), LOG_WARNING,
                   "%s and %s are in one subnet: set net.ipv4.conf.all.ignore_routes_with_linkdown=1, or replies go on "
                   "leaving through the one without carrier",
                   a, b);
}

/* Claimed host prefixes have scope host, which these settings keep silent about. */
static void advise_nic(const char *nic)
{
    int arp_ignore = setting(nic, "arp_ignore");

    if (arp_ignore >= 3)
        log_format(world_now(), LOG_WARNING,
                   "arp_ignore is %d on %s: the kernel would not answer ARP for claimed addresses; set it to 0, 1 or 2",
                   arp_ignore, nic);
}

void advise(struct world *world)
{
    for (size_t i = 0; i < world->n_nics; i++)
        advise_nic(world->nics[i]->name);
    for (size_t i = 0; i < world->n_nics; i++)
        for (size_t k = i + 1; k < world->n_nics; k++) {
            struct subnet a, b;

            if (subnet_of(world, world->nics[i]->name, &a) && subnet_of(world, world->nics[k]->name, &b) &&
                ip_address_same_net(&a.address.ip, &b.address.ip, a.address.prefix))
                advise_pair(world->nics[i]->name, world->nics[k]->name);
        }
}
