/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of this host that are looked at whenever a file is loaded. Two target NICs in one subnet answer ARP for each
 * other's addresses and send through whichever route came first, unless the kernel is told otherwise. And who manages
 * a NIC's addresses may take ours off.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/shell/log.h"
#include "agent/shell/managers.h"
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

int advice_setting(const char *nic, const char *name)
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
    if (advice_setting(a, "arp_ignore") == 0 || advice_setting(b, "arp_ignore") == 0 ||
        advice_setting(a, "arp_announce") < 2 || advice_setting(b, "arp_announce") < 2)
        log_format(
            world_now(), LOG_WARNING,
            "%s and %s are in one subnet: set net.ipv4.conf.all.arp_ignore=1 and arp_announce=2, or each answers "
            "ARP for the other's addresses",
            a, b);
    if (!advice_setting(a, "ignore_routes_with_linkdown") || !advice_setting(b, "ignore_routes_with_linkdown"))
        log_format(world_now(), LOG_WARNING,
                   "%s and %s are in one subnet: set net.ipv4.conf.all.ignore_routes_with_linkdown=1, or replies go on "
                   "leaving through the one without carrier",
                   a, b);
}

static void advise_manager(struct world *world, const char *nic)
{
    char file[PATH_MAX], text[256];
    struct link_info link;
    enum manager manager;

    if (links_by_name(world->links, nic, &link) < 0)
        return;
    manager = manager_of(NULL, link.ifindex);
    if (manager == MANAGER_NONE || (manager == MANAGER_NETWORKD && manager_networkd_keeps(link.ifindex)))
        return;
    manager_tell(manager, nic, text, sizeof text);
    file[0] = '\0';
    if (manager == MANAGER_NETWORKD)
        manager_networkd_file(link.ifindex, file, sizeof file);
    log_format(world_now(), LOG_WARNING, "claimed addresses may be taken off again: %s%s%s%s", text,
               file[0] ? " (" : "", file, file[0] ? ")" : "");
}

/* Claimed host prefixes have scope host, which these settings keep silent about. */
static void advise_nic(const char *nic)
{
    int arp_ignore = advice_setting(nic, "arp_ignore");

    if (arp_ignore >= 3)
        log_format(world_now(), LOG_WARNING,
                   "arp_ignore is %d on %s: the kernel would not answer ARP for claimed addresses; set it to 0, 1 or 2",
                   arp_ignore, nic);
}

struct neighbourhood {
    const struct ip_address *ip;
    bool found; /* an own address from which `ip` can be asked */
};

static bool reaches(void *userdata, const struct link_address *address)
{
    struct neighbourhood *n = userdata;

    n->found = !ip_address_equal(&address->ip, n->ip) &&
               (ip_address_same_net(&address->ip, n->ip, address->prefix) ||
                (address->ip.family == n->ip->family && ip_address_is_link_local(&address->ip)));
    return !n->found;
}

/* RFC 5227 section 2.1.1 is why ARP needs it: without a sender of its own, a request would be a probe for use. */
static bool lacks_own_address(struct world *world, const struct ipmap_address *address)
{
    struct neighbourhood n = {.ip = &address->ip};
    struct link_info link;

    if (!address->monitor || links_by_name(world->links, address->dev, &link) < 0)
        return false;
    links_each_address(world->links, link.ifindex, reaches, &n);
    return !n.found;
}

/* Once for a source: its addresses are alike in this. */
static void advise_source(struct world *world, const struct ipmap_source *source)
{
    char text[IP_ADDRESS_TEXT];

    if (!(source->probes & (IPMAP_PROBE_ARP | IPMAP_PROBE_ND)))
        return;
    for (size_t i = 0; i < source->n_nics; i++)
        for (size_t k = 0; k < source->nics[i].n_addresses; k++) {
            const struct ipmap_address *address = &source->nics[i].addresses[k];

            if (!lacks_own_address(world, address))
                continue;
            log_format(world_now(), LOG_WARNING,
                       "source %s: %s has no address of its own in the subnet of %s, and cannot ask there by ARP or ND",
                       source->name, address->dev, ip_address_format(&address->ip, text));
            return;
        }
}

void advise(struct world *world, const struct ipmap *ipmap)
{
    for (size_t i = 0; i < ipmap->n_sources; i++)
        advise_source(world, &ipmap->sources[i]);
    for (size_t i = 0; i < world->n_nics; i++) {
        advise_nic(world->nics[i]->name);
        advise_manager(world, world->nics[i]->name);
    }
    for (size_t i = 0; i < world->n_nics; i++)
        for (size_t k = i + 1; k < world->n_nics; k++) {
            struct subnet a, b;

            if (subnet_of(world, world->nics[i]->name, &a) && subnet_of(world, world->nics[k]->name, &b) &&
                ip_address_same_net(&a.address.ip, &b.address.ip, a.address.prefix))
                advise_pair(world->nics[i]->name, world->nics[k]->name);
        }
}
