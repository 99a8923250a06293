/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/base/limits.h"

/* Room in the kernel for a burst of requests to thousands of addresses. */
#define SEND_BUFFER_BYTES (4 << 20)
/* TC_PRIO_CONTROL: in a congested queue, a probe that waits behind bulk traffic looks like a dead host. */
#define SEND_PRIORITY 7

/* A request that waits to leave (error 0) or was refused. */
struct outbox_entry {
    struct probe_request request; /* as the shell gave it */
    int error;                    /* errno (> 0) of the kernel's refusal */
};

struct outbox {
    int fd;                                       /* borrowed */
    outbox_compose_fn compose;                    /* request to bytes */
    void *userdata;                               /* of compose */
    struct outbox_entry *entries;                 /* refused ones first, then those that wait */
    size_t n_refused;                             /* how many of them were refused */
    size_t n;                                     /* how many there are */
    size_t capacity;                              /* of entries; grows only where requests are refused */
    struct outbox_message messages[OUTBOX_BATCH]; /* the batch, composed */
    struct iovec vectors[OUTBOX_BATCH];           /* one for each message */
    struct mmsghdr headers[OUTBOX_BATCH];         /* one for each message */
};

int outbox_new(struct outbox **ret, int fd, outbox_compose_fn compose, void *userdata)
{
    CLEANUP_FREE struct outbox *outbox = calloc(1, sizeof *outbox);
    int bytes = SEND_BUFFER_BYTES, priority = SEND_PRIORITY;

    if (!outbox)
        return -ENOMEM;
    outbox->entries = calloc(OUTBOX_BATCH, sizeof *outbox->entries);
    if (!outbox->entries)
        return -ENOMEM;
    outbox->capacity = OUTBOX_BATCH;
    outbox->fd = fd;
    outbox->compose = compose;
    outbox->userdata = userdata;
    /* Both help under load only, and both may be refused: then the kernel's defaults hold. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority);
    *ret = TAKE_POINTER(outbox);
    return 0;
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    free(outbox->entries);
    free(outbox);
}

static void compose_batch(struct outbox *outbox, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct outbox_message *message = &outbox->messages[i];

        *message = (struct outbox_message){0};
        outbox->compose(outbox->userdata, &outbox->entries[outbox->n_refused + i].request, message);
        outbox->vectors[i] = (struct iovec){.iov_base = message->bytes, .iov_len = message->length};
        outbox->headers[i] = (struct mmsghdr){
            .msg_hdr =
                {
                    .msg_name = &message->to,
                    .msg_namelen = message->to_length,
                    .msg_iov = &outbox->vectors[i],
                    .msg_iovlen = 1,
                    .msg_control = message->control_length ? message->control : NULL,
                    .msg_controllen = message->control_length,
                },
        };
    }
}

/* Keeps the entry at `index` as the newest refused one. What stood there has left or was refused itself. */
static void refuse(struct outbox *outbox, size_t index, int error)
{
    struct outbox_entry *entry = &outbox->entries[outbox->n_refused++];

    entry->request = outbox->entries[index].request;
    entry->error = error;
}

static void send_batch(struct outbox *outbox)
{
    size_t first = outbox->n_refused, count = outbox->n - first, next = 0;

    compose_batch(outbox, count);
    while (next < count) {
        int sent = sendmmsg(outbox->fd, &outbox->headers[next], (unsigned)(count - next), MSG_DONTWAIT);

        /*
         * It stops at the first that is refused, and tells why only when that is the first of all. The error is that
         * message's own: neither raw nor packet sockets let one send pay for an ICMP error about another.
         */
        if (sent > 0)
            next += (size_t)sent;
        else if (errno != EINTR)
            refuse(outbox, first + next++, errno);
    }
    outbox->n = outbox->n_refused;
}

static int grow(struct outbox *outbox)
{
    size_t capacity = outbox->capacity * 2;
    struct outbox_entry *entries;

    if (outbox->capacity >= LIMIT_ADDRESSES)
        return -ENOBUFS;
    entries = reallocarray(outbox->entries, capacity, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    outbox->entries = entries;
    outbox->capacity = capacity;
    return 0;
}

int outbox_add(struct outbox *outbox, const struct probe_request *request)
{
    if (outbox->n == outbox->capacity) {
        int r = grow(outbox);

        if (r < 0)
            return r;
    }
    outbox->entries[outbox->n++] = (struct outbox_entry){.request = *request};
    if (outbox->n - outbox->n_refused == OUTBOX_BATCH)
        send_batch(outbox);
    return 0;
}

void outbox_flush(struct outbox *outbox, void (*failed)(void *userdata, const struct probe_request *request, int error),
                  void *userdata)
{
    send_batch(outbox);
    if (failed)
        for (size_t i = 0; i < outbox->n_refused; i++)
            failed(userdata, &outbox->entries[i].request, outbox->entries[i].error);
    outbox->n_refused = 0;
    outbox->n = 0;
}
