/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP check: can a connection be opened? Many at once, none of which waits for another; the connection is closed as
 * soon as it stands. What is asked is whether the service accepts, not what it says.
 */
#pragma once

#include "agent/base/address.h"
#include "agent/base/time.h"

/* What became of one attempt. */
enum tcp_outcome {
    TCP_CONNECTED,
    TCP_REFUSED, /* reset, unreachable, or no answer in time: the errno tells (-ETIMEDOUT: our own time limit) */
    TCP_UNABLE,  /* this host could not even ask: out of descriptors, ports or memory, no route, forbidden */
};

struct tcp_request {
    struct ip_address to;
    struct ip_address from; /* family 0: any */
    int ifindex;            /* goes through this NIC alone; 0: wherever the route goes */
    uint16_t port;
    nsec_t timeout_ns;
};

struct tcp_check;

/* `error`: 0, or negative errno. */
typedef void (*tcp_done_fn)(void *userdata, uint32_t id, enum tcp_outcome outcome, int error, nsec_t took_ns);

/* For ids below `max`. 0 or negative errno. */
int tcp_check_open(struct tcp_check **ret, uint32_t max, tcp_done_fn done, void *userdata);
void tcp_check_close(struct tcp_check *check);
/* Readable when an attempt came to an end. */
int tcp_check_fd(const struct tcp_check *check);

/*
 * Begins an attempt. 0: `done` tells how it ended, later or (on a host of our own) from within this call. -EALREADY:
 * one of this id is under way.
 */
int tcp_check_begin(struct tcp_check *check, nsec_t now_ns, uint32_t id, const struct tcp_request *request);
/* Ends one without a word. */
void tcp_check_cancel(struct tcp_check *check, uint32_t id);

/* Reads what came in first, then ends what took too long. Up to `limit` ends at once; more come with the next call. */
void tcp_check_on_readable(struct tcp_check *check, nsec_t now_ns, unsigned limit);
nsec_t tcp_check_deadline(const struct tcp_check *check);
void tcp_check_on_time(struct tcp_check *check, nsec_t now_ns);
