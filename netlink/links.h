/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says about NICs, addresses, neighbours and routes: libnl caches that are kept up by notifications.
 * After an overrun (ENOBUFS) all caches are read anew. The view is read-only; claims.h changes addresses.
 */
#pragma once

#include "agent/base/address.h"
#include "agent/base/limits.h"
#include "agent/base/time.h"

struct links;

/* One NIC of this host. */
struct link_info {
    char name[LIMIT_NIC_NAME]; /* its name now */
    int ifindex;               /* follows it through renames */
    struct mac_address mac;    /* its hardware address */
    bool up;                   /* IFF_UP: administratively up */
    bool carrier;              /* IFF_RUNNING / IF_OPER_UP, as last notified: may lag (see links_ask_carrier) */
    bool ethernet;             /* ARPHRD_ETHER: has ARP and ND as this program speaks them */
    int shelf_of;              /* index of the target NIC whose shelf it is (shelf.h); 0: it is none */
};

/* An address on a NIC of this host. */
struct link_address {
    int ifindex;
    struct ip_address ip;
    uint8_t prefix;
};

/* A neighbour that the kernel knows a usable hardware address of. */
struct link_neighbour {
    struct ip_address ip;
    struct mac_address mac;
    bool gateway; /* a route's next hop on that NIC */
    bool fresh;   /* REACHABLE or PERMANENT: proved within the kernel's reachable time */
};

struct links_callbacks {
    /* A NIC appeared, changed or vanished (link_by_index then fails). */
    void (*link_changed)(void *userdata, int ifindex);
    /* An address came onto a NIC or went off it. */
    void (*address_changed)(void *userdata, const struct link_address *address, bool present);
    /* All was read anew after an overrun: ask again for whatever you remember. */
    void (*resynced)(void *userdata);
};

/*
 * Opens the caches. Callbacks come only from links_on_readable. Returns 0 or negative errno; *ret is the caller's, for
 * links_close.
 */
int links_open(struct links **ret, const struct links_callbacks *callbacks, void *userdata);
void links_close(struct links *links);

int links_fd(const struct links *links);
/* Reads what is queued. 0, or negative errno when the caches could not be kept (the caller gives up or reopens). */
int links_on_readable(struct links *links);
/* How often an overrun forced a resync. */
uint64_t links_overruns(const struct links *links);

/* -ENODEV where there is none. */
int links_by_name(const struct links *links, const char *name, struct link_info *ret);
int links_by_index(const struct links *links, int ifindex, struct link_info *ret);

/* Whether the NIC is a port of a VRF, and so has a table of local addresses beside that of the others. */
bool links_in_vrf(const struct links *links, int ifindex);

/*
 * Asks the device itself (ETHTOOL_GLINK), and, where it is stacked on others (bond, team, bridge, VLAN, macvlan), those
 * below it: it has carrier when any device below has. 1 carrier, 0 none, negative errno where it cannot be asked.
 * Costs microseconds and is never behind, unlike notifications.
 */
int links_ask_carrier(struct links *links, int ifindex);

/* Calls `each` for every address of the NIC (0: of all NICs) until it returns false. */
void links_each_address(const struct links *links, int ifindex,
                        bool (*each)(void *userdata, const struct link_address *address), void *userdata);

/* Fills up to max neighbours of the NIC and family, gateways first, then fresh ones; returns how many. */
size_t links_neighbours(const struct links *links, int ifindex, uint8_t family, struct link_neighbour *ret, size_t max);

/* The next hops of default routes through the NIC, whether or not their hardware address is known. */
size_t links_gateways(const struct links *links, int ifindex, uint8_t family, struct ip_address *ret, size_t max);
