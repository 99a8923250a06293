/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/inbox.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/cleanup.h"

/*
 * Room for all replies that come while the program is kept from running for a second or so, or that ten thousand
 * addresses send at once: the kernel allows for twice as much, and a driver may take 2 KiB for each. It costs memory
 * only while it is full.
 */
#define RECEIVE_BUFFER_BYTES (16 << 20)
/* Errors of the socket in one go that are no reason to give up: ICMP errors about what was asked. */
#define ERRORS_MAX 64

struct inbox {
    int fd;                              /* borrowed */
    inbox_packet_fn packet;              /* called for each */
    void *userdata;                      /* of packet */
    struct mmsghdr headers[INBOX_BATCH]; /* one for each slot */
    struct inbox_slot {
        struct iovec vector; /* of bytes */
        union {
            struct sockaddr_ll link;
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } from;                                        /* who sent it */
        _Alignas(struct cmsghdr) uint8_t control[256]; /* stamp, packet info, drops */
        uint8_t bytes[INBOX_BYTES];                    /* the packet */
    } slots[INBOX_BATCH];
};

int inbox_new(struct inbox **ret, int fd, inbox_packet_fn packet, void *userdata)
{
    CLEANUP_FREE struct inbox *inbox = calloc(1, sizeof *inbox);
    int bytes = RECEIVE_BUFFER_BYTES, on = 1;

    if (!inbox)
        return -ENOMEM;
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
        return -errno;
    /* FORCE passes the system's limit and needs a capability; a smaller queue works, and its losses are counted. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    inbox->fd = fd;
    inbox->packet = packet;
    inbox->userdata = userdata;
    for (size_t i = 0; i < INBOX_BATCH; i++) {
        struct inbox_slot *slot = &inbox->slots[i];

        slot->vector = (struct iovec){.iov_base = slot->bytes, .iov_len = sizeof slot->bytes};
        inbox->headers[i].msg_hdr = (struct msghdr){.msg_iov = &slot->vector, .msg_iovlen = 1};
    }
    *ret = TAKE_POINTER(inbox);
    return 0;
}

void inbox_free(struct inbox *inbox)
{
    free(inbox);
}

/* The kernel overwrites these lengths with what it filled in. */
static void prepare_slots(struct inbox *inbox, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *message = &inbox->headers[i].msg_hdr;

        message->msg_name = &inbox->slots[i].from;
        message->msg_namelen = sizeof inbox->slots[i].from;
        message->msg_control = inbox->slots[i].control;
        message->msg_controllen = sizeof inbox->slots[i].control;
    }
}

static nsec_t receive_stamp(struct msghdr *message, const struct probe_clock *clock)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct timespec stamp;
        nsec_t received_ns;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        received_ns = stamp.tv_sec * NSEC_PER_SEC + stamp.tv_nsec + clock->to_monotonic_ns;
        return received_ns < clock->now_ns ? received_ns : clock->now_ns;
    }
    return clock->now_ns;
}

static void hand_over(struct inbox *inbox, unsigned index, const struct probe_clock *clock)
{
    struct msghdr *message = &inbox->headers[index].msg_hdr;

    if (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return;
    inbox->packet(inbox->userdata, &(const struct inbox_packet){
                                       .bytes = inbox->slots[index].bytes,
                                       .length = inbox->headers[index].msg_len,
                                       .from = message->msg_name,
                                       .from_length = message->msg_namelen,
                                       .message = message,
                                       .received_ns = receive_stamp(message, clock),
                                   });
}

int inbox_read(struct inbox *inbox, const struct probe_clock *clock, unsigned limit, bool all)
{
    unsigned n_read = 0, n_errors = 0;

    while (n_read < limit) {
        unsigned room = limit - n_read < INBOX_BATCH ? limit - n_read : INBOX_BATCH;
        int count;

        prepare_slots(inbox, room);
        count = recvmmsg(inbox->fd, inbox->headers, room, MSG_DONTWAIT, NULL);
        if (count < 0) {
            if (errno == EAGAIN)
                break;
            if (errno != EINTR && ++n_errors > ERRORS_MAX)
                return n_read > 0 ? (int)n_read : -errno;
            continue;
        }
        for (unsigned i = 0; i < (unsigned)count; i++)
            hand_over(inbox, i, clock);
        n_read += (unsigned)count;
        if (!all && (unsigned)count < room)
            break;
    }
    return (int)n_read;
}
