/* SPDX-License-Identifier: Apache-2.0 */
/* The netlink messages about addresses, as bytes: pure, for claims, for the address table, for tests and fuzzers. */
#pragma once

#include <linux/rtnetlink.h>

#include "netlink/claims.h"

/* Room for any one message that is built here. */
#define MESSAGE_BYTES_MAX 128
/* The lifetime that never ends (kernel: INFINITY_LIFE_TIME). */
#define MESSAGE_FOREVER UINT32_MAX

/* An address as RTM_NEWADDR or RTM_DELADDR tells of it. */
struct address_message {
    int ifindex;
    struct ip_address ip; /* the local one */
    uint8_t prefix;
    uint8_t proto;    /* IFA_PROTO: who put it there; 0 where the kernel says nothing */
    bool secondary;   /* IPv4: hangs on the first address of its subnet, and goes with it */
    bool peer;        /* point to point: the prefix is the peer's */
    uint32_t flags;   /* IFA_F_... */
    uint32_t valid_s; /* what is left of its valid lifetime; MESSAGE_FOREVER */
};

/*
 * Calls `each` for every whole message in a datagram, until it returns false. 0, or -EBADMSG where bytes are left that
 * are no message; what came before them was handed out. `bytes` is aligned as a struct nlmsghdr is.
 */
int message_each(const void *bytes, size_t length, bool (*each)(void *userdata, const struct nlmsghdr *message),
                 void *userdata);

/* Reads an address. -EBADMSG where it is none, or broken; *ret is then untouched. */
int message_parse_address(const struct nlmsghdr *message, struct address_message *ret);

/* Reads the error (0 or negative errno) of NLMSG_ERROR, or of the end of a dump. -EBADMSG where it is neither. */
int message_parse_result(const struct nlmsghdr *message, int *ret_error);

/* Reads one value of a NIC's IPv4 settings (IPV4_DEVCONF_...) out of RTM_NEWLINK. -EBADMSG, or -ENODATA. */
int message_parse_devconf(const struct nlmsghdr *message, unsigned setting, uint32_t *ret);

/* Each builds one message at `buffer` (aligned, MESSAGE_BYTES_MAX) and returns it. */
/* An addition or a removal. */
struct nlmsghdr *message_build_claim(void *buffer, uint32_t sequence, const struct claims_request *request);
/* Gives the address the lifetime `valid_s` (0: for ever) and `flags`: those that it has, or the kernel clears them. */
struct nlmsghdr *message_build_renewal(void *buffer, uint32_t sequence, const struct claims_request *request,
                                       uint32_t flags, uint32_t valid_s);
struct nlmsghdr *message_build_nothing(void *buffer, uint32_t sequence);
struct nlmsghdr *message_build_get_addresses(void *buffer, uint32_t sequence, uint8_t family, int ifindex);
struct nlmsghdr *message_build_get_link(void *buffer, uint32_t sequence, int ifindex);
struct nlmsghdr *message_build_set_devconf(void *buffer, uint32_t sequence, int ifindex, unsigned setting,
                                           uint32_t value);
