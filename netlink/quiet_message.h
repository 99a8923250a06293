/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that make the filter of quiet.h, as the bytes of one transaction: pure. For quiet.c alone. */
#pragma once

#include <linux/netlink.h>

#include "agent/base/address.h"

/* Room for the name of a table, with its NUL. */
#define QUIET_NAME 32
/* Room for what makes a table, for one change of a pair, and for what begins and ends a transaction. */
#define QUIET_TABLE_BYTES 2048
#define QUIET_PAIR_BYTES 128
#define QUIET_FRAME_BYTES 256

/* A transaction being written. The kernel carries it out as a whole, or not at all. */
struct quiet_message {
    char *bytes; /* the caller's, aligned as a struct nlmsghdr is */
    size_t length;
    const char *table;     /* name of the table that it is all about */
    uint32_t sequence;     /* of each message in it, and so of each answer */
    uint8_t family;        /* AF_INET: ARP; AF_INET6: neighbour discovery */
    struct nlmsghdr *last; /* the newest message */
};

void quiet_message_begin(struct quiet_message *message);
/* Makes the table, owned by the socket that sends this, with its set of pairs and its rule. */
void quiet_message_make_table(struct quiet_message *message);
/* Removes the table with all that is in it. */
void quiet_message_remove_table(struct quiet_message *message);
/* To add a pair that is there does nothing; to remove one that is not fails, and the whole transaction with it. */
void quiet_message_change_pair(struct quiet_message *message, bool add, const struct ip_address *ip,
                               const struct mac_address *mac);
/* Has the last message before it acknowledged. */
void quiet_message_end(struct quiet_message *message);
