/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts addresses on NICs and takes them off, in batches of netlink messages with an acknowledgement each (libmnl).
 * Every address put on carries our IFA_PROTO mark; only addresses that carry it are ever renewed or taken off.
 */
#pragma once

#include "agent/base/address.h"
#include "agent/base/time.h"

/* Our mark in IFA_PROTO ('S'); the kernel's own origins are 0 to 3. */
#define CLAIMS_PROTO 0x53
/* Messages in one send, at most. */
#define CLAIMS_BATCH 64
/*
 * Additions begin with so many, and go on with twice as many after each send that was quick, with half as many after
 * each that was slow: so the first address of thousands is there at once, and no turn spends long in the kernel, which
 * takes the longer for an address the more the NIC has.
 */
#define CLAIMS_BATCH_FIRST 4
/* Requests sent whose answers were not read yet: what bounds the memory that answers take in the kernel. */
#define CLAIMS_IN_FLIGHT_MAX (16 * CLAIMS_BATCH)
/* Requests that may wait at once. */
#define CLAIMS_QUEUE_MAX (1u << 19)

struct claims;

enum claims_operation {
    CLAIMS_ADD,
    CLAIMS_REMOVE,
    /*
     * Starts the lease anew, or sets another. Mark, flags and routes stay, and no notification says that anything went.
     * The kernel cannot be told to change an address only where it is: so the address is looked up just before, and one
     * that goes in the microseconds between is put on again.
     */
    CLAIMS_RENEW,
};

struct claims_request {
    enum claims_operation operation;
    uint32_t id; /* the caller's; comes back with the result */
    int ifindex;
    struct ip_address ip;
    uint8_t prefix;   /* exactly as it is to be put on, or was */
    uint32_t valid_s; /* ADD, RENEW: the lease, after which the kernel takes the address off by itself; 0: for ever */
};

/*
 * `error`: 0, or negative errno for this one address: the kernel's answer, or
 *   -EEXIST         ADD: the NIC has this address already, and it is not ours (one that is ours is given the lease)
 *   -EADDRNOTAVAIL  REMOVE, RENEW: it is not there
 *   -EACCES         REMOVE, RENEW: it is there, but does not carry our mark, and stays as it is
 *   -ENODEV         there is no such NIC (any more), and so no such address
 *   -ENOBUFS        the kernel's answer was lost, and the address is not as asked for: ask again
 *   any other       where answers cannot be read: also that of a request that was carried out
 * Called from claims_on_readable only, in the order of submission. It may submit; it must not close.
 */
typedef void (*claims_result_fn)(void *userdata, const struct claims_request *request, int error);

int claims_open(struct claims **ret, claims_result_fn result, void *userdata);
void claims_close(struct claims *claims);
int claims_fd(const struct claims *claims);

/*
 * Queues a request. Nothing reaches the kernel before claims_flush. 0; -EINVAL where it can be no address of a NIC;
 * -ENOMEM, also beyond CLAIMS_QUEUE_MAX.
 */
int claims_submit(struct claims *claims, const struct claims_request *request);
/* How many requests wait to be sent. */
uint32_t claims_queued(const struct claims *claims);
/*
 * Sends at most one batch, all of one operation. Returns how many requests are still queued (call again next turn), or
 * negative errno: nothing was sent, and all stays queued. Sends nothing while CLAIMS_IN_FLIGHT_MAX answers wait to be
 * read. Removals and renewals are looked up in the kernel just before. Where a removal would take secondary addresses
 * of its subnet along (promote_secondaries off), the NIC's setting is turned on for that one batch; where the end of a
 * lease would take along one that is not ours, it is turned on and stays. Remove in the reverse order of adding, and
 * renew NIC by NIC: it spares the kernel the work.
 */
int claims_flush(struct claims *claims);
/*
 * Reads the kernel's answers and hands each to the result callback. 0, or negative errno where they could not be read:
 * what had no answer then was looked up.
 */
int claims_on_readable(struct claims *claims);

/* An address of ours that the kernel holds: it carries the mark. */
struct claims_held {
    int ifindex;
    struct ip_address ip;
    uint8_t prefix;
    uint32_t valid_s; /* what is left of its lease; UINT32_MAX: for ever */
};
/* Asks the kernel (not a cache) for every address that carries our mark. 0 or negative errno. Blocks; for start-up. */
int claims_list_held(void (*each)(void *userdata, const struct claims_held *held), void *userdata);
