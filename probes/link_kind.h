/* SPDX-License-Identifier: Apache-2.0 */
/* Only for this folder. What the ARP probe and the ND probe each say for themselves; link.c has what they share. */
#pragma once

#include <linux/filter.h>

#include "arp/frame.h"
#include "probes/probe.h"

/* How a frame reached us. */
struct link_arrival {
    int fd;              /* the probe's socket, for what judging must ask of the kernel */
    int ifindex;         /* NIC that it came in on */
    uint8_t packet_type; /* PACKET_HOST, PACKET_BROADCAST, ... of linux/if_packet.h */
};

struct link_kind {
    enum probe_kind kind;
    uint8_t family;           /* of the addresses that it asks for */
    uint16_t protocol;        /* Ethernet type, as in a header (host order); the filter sees no other */
    struct sock_fprog filter; /* lets only answers through */
    /* Whether a well-formed frame is an answer to a request of ours. */
    bool (*is_answer)(const struct arp_heard *heard, const struct link_arrival *arrival);
};

extern const struct link_kind link_kind_arp;
extern const struct link_kind link_kind_nd;

/* The hardware address of the NIC. 0 or negative errno. */
int link_own_mac(int fd, int ifindex, struct mac_address *ret);
