/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only for this folder. The outbox: requests that wait to leave together, and those that the kernel refused until the
 * caller was told of them. What a request looks like on the wire is for the kind to compose.
 */
#pragma once

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "probes/probe.h"

/* Requests in one system call. */
#define OUTBOX_BATCH 64
/* Bytes of the longest request. */
#define OUTBOX_BYTES 96

/* Room for the one control message that a request may need: NIC and own address. */
#define OUTBOX_CONTROL CMSG_SPACE(sizeof(struct in6_pktinfo))

/* Where a request goes. */
union outbox_address {
    struct sockaddr_ll link;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* One composed request. */
struct outbox_message {
    uint8_t bytes[OUTBOX_BYTES];                              /* what is sent */
    size_t length;                                            /* of that */
    union outbox_address to;                                  /* where it goes */
    socklen_t to_length;                                      /* of that */
    _Alignas(struct cmsghdr) uint8_t control[OUTBOX_CONTROL]; /* one control message, or none */
    size_t control_length;                                    /* of that; 0: none */
};

/* Turns a request into bytes. The message is all zero before. */
typedef void (*outbox_compose_fn)(void *userdata, const struct probe_request *request, struct outbox_message *ret);

struct outbox;

/* Sends through `fd`, which stays the caller's. 0 or -ENOMEM. */
int outbox_new(struct outbox **ret, int fd, outbox_compose_fn compose, void *userdata);
void outbox_free(struct outbox *outbox);

/*
 * Queues a request, and sends the batch when it is full. 0, -ENOMEM, or -ENOBUFS when too many refused requests wait
 * for outbox_flush.
 */
int outbox_add(struct outbox *outbox, const struct probe_request *request);
/* Sends the rest, then tells `failed` (may be NULL) of every request that was refused since the last flush. */
void outbox_flush(struct outbox *outbox, void (*failed)(void *userdata, const struct probe_request *request, int error),
                  void *userdata);
