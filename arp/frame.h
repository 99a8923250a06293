/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP and neighbour-discovery frames, built and read. Pure: bytes in, bytes out. Whoever reads frames hands in their
 * true length; nothing is read beyond it.
 */
#pragma once

#include "agent/base/address.h"

/* The longest frame built here: Ethernet, IPv6, solicitation or advertisement with one option. */
#define ARP_FRAME_MAX 96

struct arp_frame {
    uint8_t bytes[ARP_FRAME_MAX];
    size_t length;
};

enum arp_heard_kind {
    ARP_HEARD_REQUEST,      /* "who has target? tell sender" (v6: neighbour solicitation) */
    ARP_HEARD_REPLY,        /* an answer to somebody (v6: solicited advertisement) */
    ARP_HEARD_PROBE,        /* RFC 5227 probe: a request whose sender address is all zero (v6: NS from ::) */
    ARP_HEARD_ANNOUNCEMENT, /* sender and target address are one (v6: unsolicited advertisement) */
};

/* What a frame said. */
struct arp_heard {
    enum arp_heard_kind kind;
    struct mac_address ethernet_source; /* of the frame */
    struct mac_address ethernet_target;
    struct mac_address sender_mac; /* claimed in the payload; v6: link-layer option, else the frame's source */
    struct ip_address sender_ip;   /* who speaks for this address; v6 NA: the target. Unset in a probe */
    struct ip_address target_ip;   /* whom it asks for or answers; v6 NS: the target; v6 NA: the destination */
    struct mac_address target_mac; /* ARP only */
};

/*
 * Reads an Ethernet frame. 0 and *ret, or -EBADMSG where it is not a well-formed ARP-over-Ethernet-for-IPv4, NS or NA
 * frame: RFC 826; RFC 4861 sections 7.1.1 and 7.1.2 (hop limit 255, code 0, checksum, target not multicast, options of
 * non-zero length, and so on). A sender's hardware address that is zero or a group's is refused too, and so is a frame
 * of a VLAN, which belongs to another NIC. What follows the packet is padding.
 */
int arp_frame_parse(const void *bytes, size_t length, struct arp_heard *ret);

/* An IP packet that a neighbour sent. */
struct arp_traffic {
    struct mac_address ethernet_source; /* of the frame */
    struct mac_address ethernet_target;
    struct ip_address from; /* never unspecified, never multicast */
    struct ip_address to;   /* never multicast */
};

/*
 * Reads the addresses of an IP packet, whose end may be cut off. 0 and *ret, or -EBADMSG where it is none, or where it
 * is neighbour discovery: that travels by what the request said, not by the neighbour's own entry.
 */
int arp_frame_parse_traffic(const void *bytes, size_t length, struct arp_traffic *ret);

/*
 * Builds a request for target_ip. `to` unset: broadcast (v6: solicited-node multicast). `sender_ip` unset: the probe
 * form (RFC 5227 section 1.1; v6: from `::` without a source link-layer option, RFC 4862 section 5.4.2). Family is
 * target_ip's.
 */
void arp_frame_request(struct arp_frame *ret, const struct mac_address *own, const struct ip_address *sender_ip,
                       const struct ip_address *target_ip, const struct mac_address *to);

/*
 * Announces that `ip` is at `owner`, in frames whose Ethernet source is `own` (they differ only when the source's MAC
 * is announced on failback).
 * IPv4 request form: RFC 5227 section 1.1, ARP Announcement. IPv4 reply form: gratuitous reply whose target hardware
 * address equals the sender's, which is what Linux takes for gratuitous. IPv6: unsolicited advertisement with Override
 * to ff02::1 (RFC 4861 section 7.2.6).
 */
void arp_frame_announce_request(struct arp_frame *ret, const struct mac_address *own, const struct mac_address *owner,
                                const struct ip_address *ip);
void arp_frame_announce_reply(struct arp_frame *ret, const struct mac_address *own, const struct mac_address *owner,
                              const struct ip_address *ip);
/* `router`: the Router flag, true where this host forwards IPv6. */
void arp_frame_advertise(struct arp_frame *ret, const struct mac_address *own, const struct mac_address *owner,
                         const struct ip_address *ip, bool router);
