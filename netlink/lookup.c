/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/lookup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink/query.h"

static int compare(int ifindex_a, const struct ip_address *a, uint8_t prefix_a, const struct lookup *lookup)
{
    const struct claims_request *request = lookup->request;

    if (ifindex_a != request->ifindex)
        return ifindex_a < request->ifindex ? -1 : 1;
    if (memcmp(a, &request->ip, sizeof *a) != 0)
        return memcmp(a, &request->ip, sizeof *a);
    return (int)prefix_a - request->prefix;
}

static int compare_lookups(const void *a, const void *b)
{
    const struct claims_request *request = ((const struct lookup *)a)->request;

    return compare(request->ifindex, &request->ip, request->prefix, b);
}

static int compare_to_address(const void *key, const void *element)
{
    const struct address_message *address = key;

    return compare(address->ifindex, &address->ip, address->prefix, element);
}

/* Marks every lookup of this address: the same one may be asked for twice. */
static void match(const struct address_message *address, struct lookup *lookups, size_t n)
{
    struct lookup *lookup = bsearch(address, lookups, n, sizeof *lookups, compare_to_address);

    if (!lookup || address->peer)
        return;
    while (lookup > lookups && compare_to_address(address, lookup - 1) == 0)
        lookup--;
    for (; lookup < lookups + n && compare_to_address(address, lookup) == 0; lookup++) {
        lookup->found = true;
        lookup->ours = address->proto == CLAIMS_PROTO;
        lookup->flags = address->flags;
        lookup->valid_s = address->valid_s;
        lookup->takes_along = address->ip.family == AF_INET && !address->secondary && address->prefix < 32;
    }
}

/* Marks every lookup that this secondary address, which is not ours, hangs on: the one of its subnet and prefix. */
static void match_foreign(const struct address_message *address, struct lookup *lookups, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lookups[i].takes_along && lookups[i].request->prefix == address->prefix &&
            ip_address_same_net(&lookups[i].request->ip, &address->ip, address->prefix))
            lookups[i].takes_foreign = true;
}

/* All lookups of one NIC and family. */
static void look_up_group(struct query *query, struct lookup *lookups, size_t n)
{
    const struct address_message *addresses;
    bool secondaries = false;
    size_t n_addresses;
    int error =
        query_addresses(query, lookups->request->ip.family, lookups->request->ifindex, &addresses, &n_addresses);

    if (error < 0) {
        for (size_t i = 0; i < n; i++)
            lookups[i].error = error;
        return;
    }
    for (size_t i = 0; i < n_addresses; i++) {
        match(&addresses[i], lookups, n);
        secondaries = secondaries || addresses[i].secondary;
    }
    for (size_t i = 0; i < n; i++)
        lookups[i].takes_along = lookups[i].takes_along && secondaries;
    for (size_t i = 0; secondaries && i < n_addresses; i++)
        if (addresses[i].secondary && addresses[i].proto != CLAIMS_PROTO)
            match_foreign(&addresses[i], lookups, n);
}

void lookup_all(struct query *query, struct lookup *lookups, size_t n)
{
    size_t end;

    qsort(lookups, n, sizeof *lookups, compare_lookups);
    for (size_t start = 0; start < n; start = end) {
        for (end = start + 1; end < n; end++)
            if (lookups[end].request->ifindex != lookups[start].request->ifindex ||
                lookups[end].request->ip.family != lookups[start].request->ip.family)
                break;
        look_up_group(query, lookups + start, end - start);
    }
}
