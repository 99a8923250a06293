/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions that the kernel answers at once: it makes the answer within our own system call, so that asking costs its
 * work and no waiting. For claims; quiet uses the sockets.
 */
#pragma once

#include <sys/types.h>

#include "netlink/message.h"

struct mnl_socket;
struct query;

/*
 * Opens a netlink socket of this protocol (NETLINK_...), close-on-exec; `blocking` ones give up after a second. 0 or
 * negative errno.
 */
int query_socket_open(struct mnl_socket **ret, int protocol, bool blocking);
/*
 * Receives one datagram of the kernel's (what others sent is passed over). Returns its length, or negative errno:
 * -EAGAIN nothing there, -ENOBUFS messages were lost, -EMSGSIZE it was cut off.
 */
ssize_t query_socket_receive(const struct mnl_socket *socket, void *buffer, size_t size);

int query_open(struct query **ret);
void query_close(struct query *query);

/*
 * All addresses of the family on the NIC (0: on all NICs), valid until the next question. 0 or negative errno, -ENODEV
 * where there is no such NIC.
 */
int query_addresses(struct query *query, uint8_t family, int ifindex, const struct address_message **ret,
                    size_t *ret_n);

/* Has the kernel carry one message out, which it numbers. The kernel's answer: 0 or negative errno. */
int query_carry_out(struct query *query, struct nlmsghdr *message);

/* Reads and sets one IPv4 setting (IPV4_DEVCONF_...) of the NIC. 0 or negative errno. */
int query_get_devconf(struct query *query, int ifindex, unsigned setting, uint32_t *ret);
int query_set_devconf(struct query *query, int ifindex, unsigned setting, uint32_t value);
