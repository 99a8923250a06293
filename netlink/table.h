/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NICs and addresses in memory, found by hash: pure. libnl's own link and address caches are searched from end to end,
 * which with 10,000 addresses takes longer than putting them on.
 */
#pragma once

#include <sys/queue.h>

#include "netlink/links.h"

/* How a NIC stands to others. */
enum nic_kind {
    NIC_PLAIN,      /* has its own carrier */
    NIC_OVER_PORTS, /* bridge, bond, team: NICs whose `master` it is */
    NIC_OVER_LOWER, /* VLAN, macvlan and their like: `lower` */
};

/* An address that the kernel has on a NIC. */
struct address_entry {
    LIST_ENTRY(address_entry) by_key;
    TAILQ_ENTRY(address_entry) of_nic;
    struct link_address address;
    uint32_t generation; /* of the newest dump that held it */
};
LIST_HEAD(address_list, address_entry);
TAILQ_HEAD(address_queue, address_entry);

/* A NIC. One whose addresses came before it did is not `present` yet. */
struct nic {
    LIST_ENTRY(nic) by_index;
    LIST_ENTRY(nic) by_name; /* while present */
    LIST_ENTRY(nic) in_all;
    struct link_info info; /* only .ifindex while not present */
    bool present;
    enum nic_kind kind;
    int master;                     /* the bridge, bond or team it is a port of; 0 */
    int lower;                      /* NIC_OVER_LOWER: the NIC below; 0 where that is in another namespace */
    struct address_queue addresses; /* in the kernel's order */
};
LIST_HEAD(nic_list, nic);

/* Chains stay short up to some ten thousands of each. */
#define TABLE_NICS 1024
#define TABLE_ADDRESSES 16384

struct table {
    uint64_t seed; /* of the hashes */
    struct nic_list all;
    struct nic_list by_index[TABLE_NICS];
    struct nic_list by_name[TABLE_NICS];
    struct address_list by_key[TABLE_ADDRESSES];
    uint32_t generation; /* of the newest dump */
};

void table_init(struct table *table, uint64_t seed);
void table_clear(struct table *table);

/* NULL where there is none that is present. */
struct nic *table_nic_by_index(const struct table *table, int ifindex);
struct nic *table_nic_by_name(const struct table *table, const char *name);

/* Puts the NIC in, or its new state in place. 1 where what link_info shows changed, 0 where not, -ENOMEM. */
int table_put_nic(struct table *table, const struct link_info *info, enum nic_kind kind, int master, int lower);
/* Takes the NIC out, and its addresses with it. Whether it was there. */
bool table_remove_nic(struct table *table, int ifindex);

/* Puts the address in, as seen in dump table->generation. 1 where it is new, 0 where not, -ENOMEM. */
int table_put_address(struct table *table, const struct link_address *address);
/* Whether it was there. */
bool table_remove_address(struct table *table, const struct link_address *address);

/* Both take addresses out, and tell of each: those of one NIC; those that the newest dump did not hold. */
typedef void (*table_address_fn)(void *userdata, const struct link_address *address);
void table_drop_addresses(struct table *table, int ifindex, table_address_fn gone, void *userdata);
void table_drop_stale(struct table *table, table_address_fn gone, void *userdata);
