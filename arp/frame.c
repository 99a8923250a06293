/* SPDX-License-Identifier: Apache-2.0 */
#include "arp/frame.h"

#include <assert.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>

/* RFC 4861 section 4.6: options count their length in units of eight bytes. */
#define ND_OPTION_UNIT 8
/* RFC 4861 section 7.1: whatever passed a router has less. */
#define ND_HOP_LIMIT 255
/* The VLAN identifier in a tag. */
#define VLAN_ID_MASK 0x0fff

/* What follows the type of a VLAN tag. */
struct vlan_tag {
    uint16_t control; /* priority and VLAN identifier */
    uint16_t type;    /* of the payload */
};

/* RFC 4861 section 4.6.1: source or target link-layer address. */
struct link_layer_option {
    uint8_t type;
    uint8_t length; /* in units of eight bytes */
    struct mac_address mac;
};

struct arp_packet {
    struct ether_header ethernet;
    struct ether_arp arp;
} __attribute__((packed));

/* Solicitations and advertisements are laid out alike. */
struct nd_packet {
    struct ether_header ethernet;
    struct ip6_hdr ip;
    struct nd_neighbor_solicit nd;
    struct link_layer_option option; /* left out of the probe form */
} __attribute__((packed));

_Static_assert(sizeof(struct arp_packet) == 42 && sizeof(struct nd_packet) == 86, "frames have no gaps");
_Static_assert(sizeof(struct nd_packet) <= ARP_FRAME_MAX, "the longest frame fits");

static const struct mac_address broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const uint8_t all_nodes[16] = {[0] = 0xff, [1] = 0x02, [15] = 0x01};
/* RFC 4291 section 2.7.1: the last three bytes are those of the address. */
static const uint8_t solicited_node[16] = {[0] = 0xff, [1] = 0x02, [11] = 0x01, [12] = 0xff};

/* RFC 1071, over an even number of bytes, without the final complement. `sum` continues an earlier run. */
static uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* RFC 8200 section 8.1: over a pseudo-header and the message. 0 when the message holds its own right checksum. */
static uint16_t icmp6_checksum(const struct ip6_hdr *ip, const uint8_t *message, size_t length)
{
    const uint8_t rest[8] = {[2] = (uint8_t)(length >> 8), [3] = (uint8_t)length, [7] = IPPROTO_ICMPV6};
    uint32_t sum = 0;

    sum = checksum_add(sum, ip->ip6_src.s6_addr, sizeof ip->ip6_src);
    sum = checksum_add(sum, ip->ip6_dst.s6_addr, sizeof ip->ip6_dst);
    sum = checksum_add(sum, rest, sizeof rest);
    return (uint16_t)~checksum_add(sum, message, length);
}

/* What a host may have as its own hardware address: not all zero, no group. */
static bool is_station(const struct mac_address *mac)
{
    return !mac_address_is_unset(mac) && (mac->bytes[0] & 1) == 0;
}

/* RFC 5227 section 1.1 names the kinds. */
static int arp_kind(uint16_t operation, const struct ip_address *sender, const struct ip_address *target,
                    enum arp_heard_kind *ret)
{
    bool nobody = ip_address_is_unspecified(sender), same = ip_address_equal(sender, target);

    if (operation == ARPOP_REQUEST && !ip_address_is_unspecified(target)) {
        *ret = nobody ? ARP_HEARD_PROBE : same ? ARP_HEARD_ANNOUNCEMENT : ARP_HEARD_REQUEST;
        return 0;
    }
    /* A reply to a probe goes to 0.0.0.0: only its sender must be somebody. */
    if (operation == ARPOP_REPLY && !nobody) {
        *ret = same ? ARP_HEARD_ANNOUNCEMENT : ARP_HEARD_REPLY;
        return 0;
    }
    return -EBADMSG;
}

/* RFC 826. What follows is padding. */
static int parse_arp(const uint8_t *payload, size_t length, struct arp_heard *heard)
{
    struct ether_arp arp;
    int r;

    if (length < sizeof arp)
        return -EBADMSG;
    memcpy(&arp, payload, sizeof arp);
    if (arp.arp_hrd != htons(ARPHRD_ETHER) || arp.arp_pro != htons(ETHERTYPE_IP) || arp.arp_hln != sizeof arp.arp_sha ||
        arp.arp_pln != sizeof arp.arp_spa)
        return -EBADMSG;

    memcpy(&heard->sender_mac, arp.arp_sha, sizeof arp.arp_sha);
    memcpy(&heard->target_mac, arp.arp_tha, sizeof arp.arp_tha);
    heard->sender_ip = ip_address_of(AF_INET, arp.arp_spa);
    heard->target_ip = ip_address_of(AF_INET, arp.arp_tpa);
    if (ip_address_is_multicast(&heard->sender_ip) || ip_address_is_multicast(&heard->target_ip))
        return -EBADMSG;
    r = arp_kind(ntohs(arp.arp_op), &heard->sender_ip, &heard->target_ip, &heard->kind);
    if (r < 0)
        return r;
    if (heard->kind == ARP_HEARD_PROBE)
        heard->sender_ip = (struct ip_address){0};
    return 0;
}

/*
 * Walks the options, whose bytes are whole units. The link-layer address of `type`, where there is one, goes to
 * *ret_mac. Returns whether there was one (1, 0), or -EBADMSG.
 */
static int parse_options(const uint8_t *options, size_t length, uint8_t type, struct mac_address *ret_mac)
{
    struct link_layer_option option;
    size_t size;
    int found = 0;

    for (; length > 0; options += size, length -= size) {
        size = (size_t)options[1] * ND_OPTION_UNIT;
        /* RFC 4861 sections 7.1.1 and 7.1.2: every option has a length above zero. */
        if (size == 0 || size > length)
            return -EBADMSG;
        if (options[0] != type)
            continue;
        /* RFC 2464 section 6: one unit is what an Ethernet address takes. */
        if (size != sizeof option)
            return -EBADMSG;
        memcpy(&option, options, sizeof option);
        *ret_mac = option.mac;
        found = 1;
    }
    return found;
}

/* RFC 4861 section 7.1.1, beyond what both messages share. */
static int parse_solicitation(const struct ip6_hdr *ip, const uint8_t *options, size_t length, struct arp_heard *heard)
{
    struct ip_address source = ip_address_of(AF_INET6, &ip->ip6_src);
    int r;

    r = parse_options(options, length, ND_OPT_SOURCE_LINKADDR, &heard->sender_mac);
    if (r < 0)
        return r;
    heard->kind = ARP_HEARD_REQUEST;
    if (!ip_address_is_unspecified(&source)) {
        heard->sender_ip = source;
        return 0;
    }
    /* From `::`: to a solicited-node address only, and without a source link-layer address. */
    if (r > 0 || memcmp(&ip->ip6_dst, solicited_node, 13) != 0)
        return -EBADMSG;
    heard->kind = ARP_HEARD_PROBE;
    return 0;
}

/* RFC 4861 section 7.1.2, beyond what both messages share. `heard->target_ip` is the message's target. */
static int parse_advertisement(const struct ip6_hdr *ip, bool solicited, const uint8_t *options, size_t length,
                               struct arp_heard *heard)
{
    int r;

    heard->sender_ip = heard->target_ip;
    heard->target_ip = ip_address_of(AF_INET6, &ip->ip6_dst);
    /* An advertisement to a group answers nobody. */
    if (solicited && ip_address_is_multicast(&heard->target_ip))
        return -EBADMSG;
    r = parse_options(options, length, ND_OPT_TARGET_LINKADDR, &heard->sender_mac);
    if (r < 0)
        return r;
    heard->kind = solicited ? ARP_HEARD_REPLY : ARP_HEARD_ANNOUNCEMENT;
    return 0;
}

/* The checks of RFC 4861 sections 7.1.1 and 7.1.2 that are the same. Extension headers: not what a neighbour sends. */
static int parse_nd(const uint8_t *payload, size_t length, struct arp_heard *heard)
{
    struct nd_neighbor_advert nd;
    struct ip6_hdr ip;
    size_t message, rest;

    if (length < sizeof ip + sizeof nd)
        return -EBADMSG;
    memcpy(&ip, payload, sizeof ip);
    payload += sizeof ip;
    message = ntohs(ip.ip6_plen);
    /* Both messages are whole units, and so are all options. */
    if (ip.ip6_vfc >> 4 != 6 || ip.ip6_nxt != IPPROTO_ICMPV6 || ip.ip6_hlim != ND_HOP_LIMIT || message < sizeof nd ||
        message > length - sizeof ip || message % ND_OPTION_UNIT != 0 || ip.ip6_src.s6_addr[0] == 0xff)
        return -EBADMSG;
    memcpy(&nd, payload, sizeof nd);
    rest = message - sizeof nd;
    if (nd.nd_na_hdr.icmp6_code != 0 || icmp6_checksum(&ip, payload, message) != 0)
        return -EBADMSG;

    heard->sender_mac = heard->ethernet_source;
    heard->target_ip = ip_address_of(AF_INET6, &nd.nd_na_target);
    if (ip_address_is_multicast(&heard->target_ip) || ip_address_is_unspecified(&heard->target_ip))
        return -EBADMSG;
    if (nd.nd_na_hdr.icmp6_type == ND_NEIGHBOR_SOLICIT)
        return parse_solicitation(&ip, payload + sizeof nd, rest, heard);
    if (nd.nd_na_hdr.icmp6_type == ND_NEIGHBOR_ADVERT)
        return parse_advertisement(&ip, (nd.nd_na_flags_reserved & ND_NA_FLAG_SOLICITED) != 0, payload + sizeof nd,
                                   rest, heard);
    return -EBADMSG;
}

/*
 * Reads the Ethernet header. Returns the payload and its type and true length, or NULL. Frames of a VLAN belong to
 * another NIC; a priority tag (IEEE 802.1Q: VLAN identifier 0) names no VLAN and is skipped, as the kernel does.
 */
static const uint8_t *parse_ethernet(const uint8_t *bytes, size_t length, struct mac_address *ret_source,
                                     struct mac_address *ret_target, uint16_t *ret_type, size_t *ret_length)
{
    struct ether_header ethernet;
    struct vlan_tag tag;
    size_t size = sizeof ethernet;

    if (length < size)
        return NULL;
    memcpy(&ethernet, bytes, sizeof ethernet);
    memcpy(ret_source, ethernet.ether_shost, sizeof *ret_source);
    memcpy(ret_target, ethernet.ether_dhost, sizeof *ret_target);
    *ret_type = ntohs(ethernet.ether_type);
    if (*ret_type == ETHERTYPE_VLAN && length >= size + sizeof tag) {
        memcpy(&tag, bytes + size, sizeof tag);
        if ((ntohs(tag.control) & VLAN_ID_MASK) == 0) {
            *ret_type = ntohs(tag.type);
            size += sizeof tag;
        }
    }
    *ret_length = length - size;
    return bytes + size;
}

int arp_frame_parse(const void *bytes, size_t length, struct arp_heard *ret)
{
    struct arp_heard heard = {0};
    const uint8_t *payload;
    uint16_t type;
    size_t rest;
    int r = -EBADMSG;

    payload = parse_ethernet(bytes, length, &heard.ethernet_source, &heard.ethernet_target, &type, &rest);
    if (!payload)
        return -EBADMSG;
    if (type == ETHERTYPE_ARP)
        r = parse_arp(payload, rest, &heard);
    else if (type == ETHERTYPE_IPV6)
        r = parse_nd(payload, rest, &heard);
    if (r < 0)
        return r;
    /* RFC 1812 section 3.3.2: who claims a group or broadcast address as its own is not believed. */
    if (!is_station(&heard.sender_mac))
        return -EBADMSG;
    *ret = heard;
    return 0;
}

/* RFC 791 section 3.1. */
static int parse_ipv4(const uint8_t *payload, size_t length, struct arp_traffic *traffic)
{
    struct iphdr ip;

    if (length < sizeof ip)
        return -EBADMSG;
    memcpy(&ip, payload, sizeof ip);
    if (ip.version != 4 || ip.ihl * 4U < sizeof ip || ntohs(ip.tot_len) < ip.ihl * 4U)
        return -EBADMSG;
    traffic->from = ip_address_of(AF_INET, &ip.saddr);
    traffic->to = ip_address_of(AF_INET, &ip.daddr);
    return 0;
}

/* RFC 8200 section 3. */
static int parse_ipv6(const uint8_t *payload, size_t length, struct arp_traffic *traffic)
{
    struct ip6_hdr ip;

    if (length < sizeof ip)
        return -EBADMSG;
    memcpy(&ip, payload, sizeof ip);
    if (ip.ip6_vfc >> 4 != 6)
        return -EBADMSG;
    if (ip.ip6_nxt == IPPROTO_ICMPV6) {
        if (length == sizeof ip)
            return -EBADMSG;
        if (payload[sizeof ip] == ND_NEIGHBOR_SOLICIT || payload[sizeof ip] == ND_NEIGHBOR_ADVERT)
            return -EBADMSG;
    }
    traffic->from = ip_address_of(AF_INET6, &ip.ip6_src);
    traffic->to = ip_address_of(AF_INET6, &ip.ip6_dst);
    return 0;
}

int arp_frame_parse_traffic(const void *bytes, size_t length, struct arp_traffic *ret)
{
    struct arp_traffic traffic = {0};
    const uint8_t *payload;
    uint16_t type;
    size_t rest;
    int r = -EBADMSG;

    payload = parse_ethernet(bytes, length, &traffic.ethernet_source, &traffic.ethernet_target, &type, &rest);
    if (!payload)
        return -EBADMSG;
    if (type == ETHERTYPE_IP)
        r = parse_ipv4(payload, rest, &traffic);
    else if (type == ETHERTYPE_IPV6)
        r = parse_ipv6(payload, rest, &traffic);
    if (r < 0)
        return r;
    if (ip_address_is_unspecified(&traffic.from) || ip_address_is_multicast(&traffic.from) ||
        ip_address_is_multicast(&traffic.to))
        return -EBADMSG;
    *ret = traffic;
    return 0;
}

static void fill_ethernet(struct ether_header *ethernet, const struct mac_address *source,
                          const struct mac_address *target, uint16_t type)
{
    memcpy(ethernet->ether_dhost, target, sizeof ethernet->ether_dhost);
    memcpy(ethernet->ether_shost, source, sizeof ethernet->ether_shost);
    ethernet->ether_type = htons(type);
}

/* RFC 826. `sender_mac` speaks for `sender_ip`; the target's hardware address stands as given. */
static void build_arp(struct arp_frame *ret, const struct mac_address *own, const struct mac_address *to,
                      uint16_t operation, const struct mac_address *sender_mac, const struct ip_address *sender_ip,
                      const struct mac_address *target_mac, const struct ip_address *target_ip)
{
    struct arp_packet packet = {
        .arp.ea_hdr =
            {
                .ar_hrd = htons(ARPHRD_ETHER),
                .ar_pro = htons(ETHERTYPE_IP),
                .ar_hln = sizeof packet.arp.arp_sha,
                .ar_pln = sizeof packet.arp.arp_spa,
                .ar_op = htons(operation),
            },
    };

    fill_ethernet(&packet.ethernet, own, to, ETHERTYPE_ARP);
    memcpy(packet.arp.arp_sha, sender_mac, sizeof packet.arp.arp_sha);
    memcpy(packet.arp.arp_spa, sender_ip->bytes, sizeof packet.arp.arp_spa);
    memcpy(packet.arp.arp_tha, target_mac, sizeof packet.arp.arp_tha);
    memcpy(packet.arp.arp_tpa, target_ip->bytes, sizeof packet.arp.arp_tpa);
    memcpy(ret->bytes, &packet, sizeof packet);
    ret->length = sizeof packet;
}

/* RFC 2464 section 7: the group's last four bytes after 33:33. */
static struct mac_address group_mac(const uint8_t group[static 16])
{
    return (struct mac_address){{0x33, 0x33, group[12], group[13], group[14], group[15]}};
}

/*
 * Fills what the two messages share, in a packet whose addresses, type and flags are set; `option` is the type of the
 * option with the hardware address `mac`, 0: none.
 */
static void build_nd(struct arp_frame *ret, struct nd_packet *packet, uint8_t option, const struct mac_address *mac)
{
    size_t length = sizeof *packet - (option == 0 ? sizeof packet->option : 0);
    size_t before = offsetof(struct nd_packet, nd);
    uint16_t checksum;
    struct ip6_hdr ip;

    packet->ip.ip6_flow = htonl((uint32_t)6 << 28);
    packet->ip.ip6_plen = htons((uint16_t)(length - before));
    packet->ip.ip6_nxt = IPPROTO_ICMPV6;
    packet->ip.ip6_hlim = ND_HOP_LIMIT;
    packet->option = (struct link_layer_option){.type = option, .length = 1, .mac = *mac};
    memcpy(ret->bytes, packet, length);
    memcpy(&ip, &packet->ip, sizeof ip);
    checksum = htons(icmp6_checksum(&ip, ret->bytes + before, length - before));
    memcpy(ret->bytes + before + offsetof(struct icmp6_hdr, icmp6_cksum), &checksum, sizeof checksum);
    ret->length = length;
}

/* RFC 4861 section 7.2.2. */
static void build_solicitation(struct arp_frame *ret, const struct mac_address *own, const struct ip_address *sender_ip,
                               const struct ip_address *target_ip, const struct mac_address *to)
{
    struct nd_packet packet = {.nd.nd_ns_type = ND_NEIGHBOR_SOLICIT};
    bool probe = ip_address_is_unspecified(sender_ip), unicast = !mac_address_is_unset(to);
    struct mac_address group;
    uint8_t destination[16];

    memcpy(destination, solicited_node, sizeof destination);
    memcpy(destination + 13, target_ip->bytes + 13, 3);
    group = group_mac(destination);
    /* RFC 4861 section 7.1.1: the probe form must be to the group, whichever hardware address it is sent to. */
    if (unicast && !probe)
        memcpy(destination, target_ip->bytes, sizeof destination);
    fill_ethernet(&packet.ethernet, own, unicast ? to : &group, ETHERTYPE_IPV6);
    memcpy(&packet.ip.ip6_src, sender_ip->bytes, sizeof packet.ip.ip6_src);
    memcpy(&packet.ip.ip6_dst, destination, sizeof packet.ip.ip6_dst);
    memcpy(&packet.nd.nd_ns_target, target_ip->bytes, sizeof packet.nd.nd_ns_target);
    build_nd(ret, &packet, probe ? 0 : ND_OPT_SOURCE_LINKADDR, own);
}

void arp_frame_request(struct arp_frame *ret, const struct mac_address *own, const struct ip_address *sender_ip,
                       const struct ip_address *target_ip, const struct mac_address *to)
{
    assert(target_ip->family == AF_INET || target_ip->family == AF_INET6);
    assert(sender_ip->family == target_ip->family || sender_ip->family == AF_UNSPEC);

    if (target_ip->family == AF_INET6)
        build_solicitation(ret, own, sender_ip, target_ip, to);
    else
        /* RFC 5227 section 2.1.1: the hardware address asked for is all zero. */
        build_arp(ret, own, mac_address_is_unset(to) ? &broadcast : to, ARPOP_REQUEST, own, sender_ip,
                  &(const struct mac_address){{0}}, target_ip);
}

void arp_frame_announce_request(struct arp_frame *ret, const struct mac_address *own, const struct mac_address *owner,
                                const struct ip_address *ip)
{
    assert(ip->family == AF_INET);
    build_arp(ret, own, &broadcast, ARPOP_REQUEST, owner, ip, &(const struct mac_address){{0}}, ip);
}

void arp_frame_announce_reply(struct arp_frame *ret, const struct mac_address *own, const struct mac_address *owner,
                              const struct ip_address *ip)
{
    assert(ip->family == AF_INET);
    build_arp(ret, own, &broadcast, ARPOP_REPLY, owner, ip, owner, ip);
}

void arp_frame_advertise(struct arp_frame *ret, const struct mac_address *own, const struct mac_address *owner,
                         const struct ip_address *ip, bool router)
{
    struct nd_packet packet = {.nd.nd_ns_type = ND_NEIGHBOR_ADVERT};
    struct mac_address group = group_mac(all_nodes);

    assert(ip->family == AF_INET6);
    /* RFC 4861 section 7.2.6: unsolicited, so the Solicited flag stays zero; Override replaces what neighbours hold. */
    packet.nd.nd_ns_hdr.icmp6_dataun.icmp6_un_data32[0] = ND_NA_FLAG_OVERRIDE | (router ? ND_NA_FLAG_ROUTER : 0);
    fill_ethernet(&packet.ethernet, own, &group, ETHERTYPE_IPV6);
    memcpy(&packet.ip.ip6_src, ip->bytes, sizeof packet.ip.ip6_src);
    memcpy(&packet.ip.ip6_dst, all_nodes, sizeof packet.ip.ip6_dst);
    memcpy(&packet.nd.nd_ns_target, ip->bytes, sizeof packet.nd.nd_ns_target);
    build_nd(ret, &packet, ND_OPT_TARGET_LINKADDR, owner);
}
