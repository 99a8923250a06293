/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every kind of probe has in common: one request, one reply, and the token that ties them together.
 *
 * A probe kind is an object with a socket. It offers an fd, an on_readable function that reads all that is queued and
 * hands each valid reply to one callback, and a send function that queues one request; requests leave together on
 * flush. It knows no source, no interval and no verdict: the tracker counts, the core judges.
 */
#pragma once

#include "agent/base/address.h"
#include "agent/base/time.h"

/* Kinds of liveness probes, also used as bit numbers (1u << kind). */
enum probe_kind {
    PROBE_ARP,  /* ARP request, IPv4 */
    PROBE_ND,   /* neighbour solicitation, IPv6 */
    PROBE_ICMP, /* echo request, IPv4 and IPv6 */
    PROBE_KINDS /* how many there are; no kind */
};

/* "arp", "nd", "icmp": the word in the ipmap, in status and in logs. */
const char *probe_kind_name(enum probe_kind kind);

/* Ties a reply to its request. Kinds whose replies cannot carry it (ARP, ND) report sequence 0: the newest round. */
struct probe_token {
    uint32_t id;       /* which tracker asked; the shell's own numbering */
    uint32_t sequence; /* which round of it; never 0 in a request */
    uint64_t nonce;    /* random, new in each round: what a stranger cannot know */
};

/* One request, as the shell hands it to a kind. */
struct probe_request {
    enum probe_kind kind;
    int ifindex;              /* NIC to send through */
    struct ip_address from;   /* own address to ask from; unset: the kernel chooses (ICMP); for ARP unset means the
                                 RFC 5227 probe form, sender 0.0.0.0; for ND `::` (a DAD solicitation, to which
                                 no reply is reported) */
    struct ip_address to;     /* the address asked */
    struct mac_address own;   /* hardware address of the NIC (ARP, ND) */
    struct mac_address peer;  /* unicast to it; unset: broadcast (ARP), solicited-node multicast (ND) */
    struct probe_token token; /* carried where the protocol has room (ICMP) */
};

/* One valid reply, as a kind hands it to the shell. */
struct probe_reply {
    enum probe_kind kind;
    int ifindex;              /* NIC that it came in on */
    struct ip_address from;   /* who answers: the address that was asked */
    struct ip_address to;     /* the address of ours that it was sent to */
    struct mac_address peer;  /* hardware address that claims `from` (ARP, ND); unset for ICMP */
    bool has_token;           /* whether `token` was carried (ICMP) */
    struct probe_token token; /* as in the request */
    nsec_t received_ns;       /* kernel's receive stamp, on CLOCK_MONOTONIC */
};

/* Called for each valid reply, from within on_readable. `reply` lives only during the call. */
typedef void (*probe_reply_fn)(void *userdata, const struct probe_reply *reply);

/*
 * Offset from the kernel's stamps (CLOCK_REALTIME) to CLOCK_MONOTONIC: monotonic = realtime + offset. Sampled once a
 * loop turn by the shell and handed to every on_readable, because the wall clock may step at any time.
 */
struct probe_clock {
    nsec_t now_ns;          /* CLOCK_MONOTONIC at the start of this turn */
    nsec_t to_monotonic_ns; /* add to a CLOCK_REALTIME stamp */
};
