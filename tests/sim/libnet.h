/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modelled LAN: segments, each a switch that learns; NICs on its ports; frames that take their time, get lost or
 * come twice, as the faults of the two ports say. ARP and ND are real frames; echoes are their addresses and their
 * token.
 */
#pragma once

#include "arp/frame.h"
#include "netlink/links.h"
#include "probes/probe.h"
#include "tests/sim/libclock.h"

struct sim_host;
struct sim_world;

enum sim_frame_kind {
    SIM_LINK, /* ARP or ND: `link` */
    SIM_ECHO_REQUEST,
    SIM_ECHO_REPLY,
};

/* Who asked, at the host that asked: what an ICMP identifier tells. */
enum sim_asker {
    SIM_ASKER_AGENT,
    SIM_ASKER_CLIENT,
};

struct sim_frame {
    enum sim_frame_kind kind;
    struct mac_address source;
    struct mac_address target;
    struct arp_frame link;  /* its bytes, of SIM_LINK */
    struct ip_address from; /* of an echo, as all below */
    struct ip_address to;
    enum sim_asker asker;
    struct probe_token token;
    struct sim_host *answerer; /* of a reply: who sent it */
};

/* What a port does to the frames of its NIC. All zero: nothing. `out`: from the NIC to the switch. */
struct sim_faults {
    bool drop_out, drop_in;             /* every frame */
    uint32_t loss_out_ppm, loss_in_ppm; /* of a million frames */
    uint32_t duplicate_ppm;             /* of those that come in */
    nsec_t duplicate_after_ns;          /* how much later the copy comes */
    nsec_t delay_ns;                    /* each way */
    nsec_t jitter_ns;                   /* up to so much more, each way: frames may overtake each other */
};

struct sim_address {
    struct ip_address ip;
    uint8_t prefix;
    bool claimed;          /* put on by an agent */
    nsec_t since_ns;       /* on the NIC */
    nsec_t valid_until_ns; /* of what is claimed: its lease; NSEC_NEVER: no end */
};

/* As arp/port.h. */
#define SIM_WATCHED_MAX 32

/* An entry of a neighbour cache. */
struct sim_neighbour {
    struct ip_address ip;
    struct mac_address mac;
    bool resolved;             /* `mac` is known */
    nsec_t updated_ns;         /* when `mac` was last set: lock time */
    nsec_t confirmed_ns;       /* when an answer proved it */
    nsec_t asked_ns;           /* newest request */
    unsigned asks;             /* requests since it was proved */
    struct sim_frame *waiting; /* an IP packet that waits for it; owned */
};

struct sim_nic {
    char name[LIMIT_NIC_NAME];
    int ifindex;
    struct mac_address mac;
    struct sim_host *host;
    struct sim_segment *segment;
    bool up;           /* as the administrator says */
    bool connected;    /* its cable is in */
    bool carrier_told; /* carrier as last notified: behind by the host's link_lag_ns */
    struct sim_faults faults;
    nsec_t good_since_ns; /* nothing is wrong with NIC, cable and port since then; NSEC_NEVER */
    int refuse_claims;    /* negative errno for each address to be put on; 0 */
    struct sim_address *addresses;
    size_t n_addresses;
    struct sim_neighbour *neighbours;
    size_t n_neighbours;
    struct ip_address watched[SIM_WATCHED_MAX]; /* whose packets the host's agent wants to hear of */
    size_t n_watched;
};

struct sim_learned {
    struct mac_address mac;
    struct sim_nic *nic;
};

struct sim_segment {
    struct sim_world *world;
    nsec_t latency_ns;     /* from port to port */
    struct sim_nic **nics; /* on its ports */
    size_t n_nics;
    struct sim_learned *learned; /* the switch's table */
    size_t n_learned;
};

struct sim_segment *sim_segment_new(struct sim_world *world);
void sim_segment_free(struct sim_segment *segment);
void sim_segment_join(struct sim_segment *segment, struct sim_nic *nic);

/* Both cable and NIC: whether there is carrier now. */
bool sim_nic_has_carrier(const struct sim_nic *nic);
/* Sends the frame from the NIC, whatever its source address says. */
void sim_nic_send(struct sim_nic *nic, const struct sim_frame *frame);
/* The cable goes in or out, or the NIC up or down; the host's kernel tells after its lag. */
void sim_nic_connect(struct sim_nic *nic, bool connected);
void sim_nic_set_up(struct sim_nic *nic, bool up);
/* The NIC is no more, and comes back by the same name under another number, without addresses. */
void sim_nic_destroy(struct sim_nic *nic);
void sim_nic_create_again(struct sim_nic *nic, int ifindex);
void sim_nic_set_faults(struct sim_nic *nic, const struct sim_faults *faults);
/* Since when frames surely pass between the two, both ways; NSEC_NEVER where they may not. */
nsec_t sim_nics_joined_since(const struct sim_nic *a, const struct sim_nic *b);
/* The longest that a frame may take there and back. */
nsec_t sim_nics_round_trip(const struct sim_nic *a, const struct sim_nic *b);

/* Frames that the product never builds, since kernels answer for it: an ARP reply, a solicited advertisement. */
void sim_frame_answer(struct arp_frame *ret, const struct mac_address *own, const struct ip_address *own_ip,
                      const struct mac_address *to, const struct ip_address *to_ip);
/* A frame of ARP or ND with its Ethernet addresses read from its bytes. */
struct sim_frame sim_frame_of_link(const struct arp_frame *link);
