/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shelves: NICs of our own, which no packet ever passes, that carry IPv4 addresses for a target NIC. For each address
 * that is added the kernel walks the list of its NIC; so thousands go on in a fraction of the time when they lie on
 * several. The kernel answers ARP for them on the target NIC all the same, unless it is told to be strict (arp_ignore).
 */
#pragma once

#include "agent/base/limits.h"

/* So many addresses lie on one shelf: their walk is short, and there are not too many NICs. */
#define SHELF_ADDRESSES 512
/* The group (IFLA_GROUP) of every shelf: by this and their names they are known. */
#define SHELF_GROUP 0x5354

/* The name of a shelf by the target NIC's index and a number. 0, or -ENAMETOOLONG: there can be none. */
int shelf_name(char name[static LIMIT_NIC_NAME], int target, unsigned number);
/* Of which target NIC the NIC of that name and group is a shelf; 0: it is none. */
int shelf_target(const char *name, uint32_t group);

/*
 * Makes a shelf: a `dummy`, or `ifb` where the kernel has no such thing, up and without IPv6. 0, also where it was
 * there; -EEXIST where something else has its name; -EOPNOTSUPP where the kernel has neither. Takes up to a ms.
 */
int shelf_make(int target, unsigned number);
/* Removes every shelf that is empty. The kernel takes some 20 ms for each: for the end. 0 or negative errno. */
int shelf_sweep(void);
