/* SPDX-License-Identifier: Apache-2.0 */
/* Who else is on the link: neighbours with a hardware address that is good for use, and gateways. */
#include <linux/neighbour.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

#include "netlink/links_internal.h"

/* Next hops of one NIC that are told apart from other neighbours. */
#define GATEWAYS_MAX 16

/* False where libnl's address is of another family, or none. */
static bool read_ip(struct nl_addr *from, uint8_t family, struct ip_address *ret)
{
    if (!from || nl_addr_get_family(from) != family || nl_addr_get_len(from) != ip_address_size(family))
        return false;
    *ret = ip_address_of(family, nl_addr_get_binary_addr(from));
    return true;
}

static bool is_main_default(struct rtnl_route *route)
{
    struct nl_addr *destination = rtnl_route_get_dst(route);

    return rtnl_route_get_table(route) == RT_TABLE_MAIN && rtnl_route_get_type(route) == RTN_UNICAST && destination &&
           nl_addr_get_prefixlen(destination) == 0;
}

static bool leads_somewhere(const struct links *links, struct rtnl_route *route)
{
    struct link_info nic;

    for (int i = 0; i < rtnl_route_get_nnexthops(route); i++) {
        struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, i);

        if (hop && links_by_index(links, rtnl_route_nh_get_ifindex(hop), &nic) == 0 && nic.up)
            return true;
    }
    return false;
}

void links_prune_routes(struct links *links)
{
    struct nl_object *object, *next;

    for (object = nl_cache_get_first(links->route_cache); object; object = next) {
        struct rtnl_route *route = (struct rtnl_route *)object;

        next = nl_cache_get_next(object);
        if (!is_main_default(route) || !leads_somewhere(links, route))
            nl_cache_remove(object);
    }
}

/* RTA_VIA names a next hop of another family than the route's (RFC 5549). */
static bool gateway_of(struct rtnl_nexthop *hop, uint8_t family, struct ip_address *ret)
{
    return read_ip(rtnl_route_nh_get_gateway(hop), family, ret) || read_ip(rtnl_route_nh_get_via(hop), family, ret);
}

static bool contains(const struct ip_address *list, size_t n, const struct ip_address *ip)
{
    for (size_t i = 0; i < n; i++)
        if (ip_address_equal(&list[i], ip))
            return true;
    return false;
}

size_t links_gateways(const struct links *links, int ifindex, uint8_t family, struct ip_address *ret, size_t max)
{
    struct ip_address gateway;
    struct nl_object *object;
    size_t n = 0;

    for (object = nl_cache_get_first(links->route_cache); object; object = nl_cache_get_next(object)) {
        struct rtnl_route *route = (struct rtnl_route *)object;

        for (int i = 0; is_main_default(route) && i < rtnl_route_get_nnexthops(route); i++) {
            struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, i);

            if (n < max && hop && rtnl_route_nh_get_ifindex(hop) == ifindex && gateway_of(hop, family, &gateway) &&
                !contains(ret, n, &gateway))
                ret[n++] = gateway;
        }
    }
    return n;
}

/* False where the entry is of another NIC or family, or its hardware address is not known, or not in use. */
static bool read_neighbour(struct rtnl_neigh *entry, int ifindex, uint8_t family, struct link_neighbour *ret)
{
    const int usable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
    struct nl_addr *mac = rtnl_neigh_get_lladdr(entry);
    struct link_neighbour neighbour = {};
    int state = rtnl_neigh_get_state(entry);

    if (rtnl_neigh_get_ifindex(entry) != ifindex || rtnl_neigh_get_family(entry) != family)
        return false;
    if (state < 0 || !(state & usable) || !mac || nl_addr_get_len(mac) != sizeof neighbour.mac.bytes)
        return false;
    if (!read_ip(rtnl_neigh_get_dst(entry), family, &neighbour.ip))
        return false;
    memcpy(neighbour.mac.bytes, nl_addr_get_binary_addr(mac), sizeof neighbour.mac.bytes);
    if (mac_address_is_unset(&neighbour.mac))
        return false;
    neighbour.fresh = (state & (NUD_REACHABLE | NUD_PERMANENT)) != 0;
    *ret = neighbour;
    return true;
}

size_t links_neighbours(const struct links *links, int ifindex, uint8_t family, struct link_neighbour *ret, size_t max)
{
    struct ip_address gateways[GATEWAYS_MAX];
    size_t n_gateways = links_gateways(links, ifindex, family, gateways, GATEWAYS_MAX), n = 0;
    struct link_neighbour neighbour;
    struct nl_object *object;

    /* Rank 3: a fresh gateway, 2: a gateway, 1: fresh, 0: neither. */
    for (int rank = 3; rank >= 0; rank--) {
        for (object = nl_cache_get_first(links->neighbour_cache); object; object = nl_cache_get_next(object)) {
            if (n == max)
                return n;
            if (!read_neighbour((struct rtnl_neigh *)object, ifindex, family, &neighbour))
                continue;
            neighbour.gateway = contains(gateways, n_gateways, &neighbour.ip);
            if (neighbour.gateway * 2 + neighbour.fresh == rank)
                ret[n++] = neighbour;
        }
    }
    return n;
}
