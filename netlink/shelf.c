/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/shelf.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/cleanup.h"
#include "netlink/links_internal.h"
#include "netlink/query.h"

#define PREFIX "standin"

static void cleanup_socket(struct nl_sock **socket)
{
    nl_socket_free(*socket);
}

static void cleanup_link(struct rtnl_link **link)
{
    rtnl_link_put(*link);
}

static void cleanup_cache(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}

static void cleanup_query(struct query **query)
{
    query_close(*query);
}

int shelf_name(char name[static LIMIT_NIC_NAME], int target, unsigned number)
{
    char text[sizeof PREFIX + 24];
    int length = snprintf(text, sizeof text, PREFIX "%d-%u", target, number);

    if (length >= LIMIT_NIC_NAME)
        return -ENAMETOOLONG;
    memcpy(name, text, (size_t)length + 1);
    return 0;
}

int shelf_target(const char *name, uint32_t group)
{
    char again[LIMIT_NIC_NAME], *end;
    unsigned long target, number;

    if (group != SHELF_GROUP || strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    target = strtoul(name + strlen(PREFIX), &end, 10);
    if (*end != '-' || target == 0 || target > INT_MAX)
        return 0;
    number = strtoul(end + 1, NULL, 10);
    /* Exactly as we write it. */
    if (number > UINT_MAX || shelf_name(again, (int)target, (unsigned)number) < 0)
        return 0;
    return strcmp(again, name) == 0 ? (int)target : 0;
}

static int open_socket(struct nl_sock **ret)
{
    CLEANUP(cleanup_socket) struct nl_sock *socket = nl_socket_alloc();
    int error;

    if (!socket)
        return -ENOMEM;
    error = nl_connect(socket, NETLINK_ROUTE);
    if (error < 0)
        return links_errno(error);
    *ret = TAKE_POINTER(socket);
    return 0;
}

/* Changes the one thing of the NIC that `change` sets. */
static int apply(struct nl_sock *socket, struct rtnl_link *link, void (*change)(struct rtnl_link *link, int target),
                 int target)
{
    CLEANUP(cleanup_link) struct rtnl_link *changes = rtnl_link_alloc();

    if (!changes)
        return -ENOMEM;
    change(changes, target);
    return links_errno(rtnl_link_change(socket, link, changes, 0));
}

/* For people who wonder. */
static void set_alias(struct rtnl_link *link, int target)
{
    char name[IF_NAMESIZE], alias[IF_NAMESIZE + 64];

    snprintf(alias, sizeof alias, "addresses that standin claims for %s",
             if_indextoname((unsigned)target, name) ? name : "another NIC");
    rtnl_link_set_ifalias(link, alias);
}

/* No address of the link comes by itself. */
static void set_no_ipv6(struct rtnl_link *link, int target)
{
    (void)target;
    rtnl_link_inet6_set_addr_gen_mode(link, IN6_ADDR_GEN_MODE_NONE);
}

static void set_up(struct rtnl_link *link, int target)
{
    (void)target;
    rtnl_link_set_flags(link, IFF_UP);
}

static int add(struct nl_sock *socket, const char *name, const char *kind)
{
    CLEANUP(cleanup_link) struct rtnl_link *link = rtnl_link_alloc();

    if (!link || rtnl_link_set_type(link, kind) < 0)
        return -ENOMEM;
    rtnl_link_set_name(link, name);
    rtnl_link_set_group(link, SHELF_GROUP);
    switch (-rtnl_link_add(socket, link, NLM_F_CREATE | NLM_F_EXCL)) {
    case NLE_SUCCESS:
        return 0;
    case NLE_EXIST:
        return -EEXIST;
    case NLE_OPNOTSUPP:
        return -EOPNOTSUPP;
    case NLE_PERM:
        return -EPERM;
    default:
        return -EIO;
    }
}

int shelf_make(int target, unsigned number)
{
    static const char *const kinds[] = {"dummy", "ifb"};
    CLEANUP(cleanup_socket) struct nl_sock *socket = NULL;
    CLEANUP(cleanup_link) struct rtnl_link *link = NULL;
    char name[LIMIT_NIC_NAME];
    int error = shelf_name(name, target, number);

    if (error == 0)
        error = open_socket(&socket);
    if (error < 0)
        return error;
    error = -EOPNOTSUPP;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && error == -EOPNOTSUPP; i++)
        error = add(socket, name, kinds[i]);
    if (error < 0 && error != -EEXIST)
        return error;
    error = links_errno(rtnl_link_get_kernel(socket, 0, name, &link));
    if (error < 0)
        return error;
    if (shelf_target(name, rtnl_link_get_group(link)) != target)
        return -EEXIST;
    /* Both are comforts; a kernel without IPv6 refuses the second. */
    (void)apply(socket, link, set_alias, target);
    (void)apply(socket, link, set_no_ipv6, target);
    return apply(socket, link, set_up, target);
}

/* Also where that cannot be known, it is not. */
static bool is_empty(struct query *query, int ifindex)
{
    const struct address_message *addresses;
    size_t n = 1;

    return query_addresses(query, AF_INET, ifindex, &addresses, &n) == 0 && n == 0 &&
           query_addresses(query, AF_INET6, ifindex, &addresses, &n) == 0 && n == 0;
}

int shelf_sweep(void)
{
    CLEANUP(cleanup_socket) struct nl_sock *socket = NULL;
    CLEANUP(cleanup_cache) struct nl_cache *cache = NULL;
    CLEANUP(cleanup_query) struct query *query = NULL;
    int error = open_socket(&socket);

    if (error == 0)
        error = query_open(&query);
    if (error == 0)
        error = links_errno(rtnl_link_alloc_cache(socket, AF_UNSPEC, &cache));
    if (error < 0)
        return error;
    for (struct nl_object *object = nl_cache_get_first(cache); object; object = nl_cache_get_next(object)) {
        struct rtnl_link *link = (struct rtnl_link *)object;

        if (shelf_target(rtnl_link_get_name(link), rtnl_link_get_group(link)) > 0 &&
            is_empty(query, rtnl_link_get_ifindex(link)))
            (void)rtnl_link_delete(socket, link); /* gone already, or there to stay */
    }
    return 0;
}
