/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as kernels give them. */
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/sim/libnet.h"

struct sim_arp {
    struct ether_header ethernet;
    struct ether_arp arp;
} __attribute__((packed));

struct sim_advertisement {
    struct ether_header ethernet;
    struct ip6_hdr ip;
    struct nd_neighbor_advert nd;
    uint8_t option[2]; /* type, length */
    struct mac_address mac;
} __attribute__((packed));

struct sim_frame sim_frame_of_link(const struct arp_frame *link)
{
    struct sim_frame frame = {.kind = SIM_LINK, .link = *link};
    struct ether_header ethernet;

    memcpy(&ethernet, link->bytes, sizeof ethernet);
    memcpy(frame.target.bytes, ethernet.ether_dhost, ETH_ALEN);
    memcpy(frame.source.bytes, ethernet.ether_shost, ETH_ALEN);
    return frame;
}

static struct ether_header ethernet_header(const struct mac_address *from, const struct mac_address *to, uint16_t type)
{
    struct ether_header header = {.ether_type = htons(type)};

    memcpy(header.ether_dhost, to->bytes, ETH_ALEN);
    memcpy(header.ether_shost, from->bytes, ETH_ALEN);
    return header;
}

static void answer_by_arp(struct arp_frame *ret, const struct mac_address *own, const struct ip_address *own_ip,
                          const struct mac_address *to, const struct ip_address *to_ip)
{
    struct sim_arp packet = {.ethernet = ethernet_header(own, to, ETHERTYPE_ARP)};

    packet.arp.ea_hdr = (struct arphdr){.ar_hrd = htons(ARPHRD_ETHER),
                                        .ar_pro = htons(ETHERTYPE_IP),
                                        .ar_hln = ETH_ALEN,
                                        .ar_pln = 4,
                                        .ar_op = htons(ARPOP_REPLY)};
    memcpy(packet.arp.arp_sha, own->bytes, ETH_ALEN);
    memcpy(packet.arp.arp_spa, own_ip->bytes, 4);
    memcpy(packet.arp.arp_tha, to->bytes, ETH_ALEN);
    memcpy(packet.arp.arp_tpa, to_ip->bytes, 4);
    memcpy(ret->bytes, &packet, sizeof packet);
    ret->length = sizeof packet;
}

/* RFC 4443 section 2.3: over the pseudo-header and the message. */
static uint16_t icmp6_checksum(const struct sim_advertisement *packet)
{
    const uint8_t *bytes = (const uint8_t *)packet;
    size_t message = offsetof(struct sim_advertisement, nd), addresses = offsetof(struct sim_advertisement, ip.ip6_src);
    uint32_t sum = (uint32_t)(sizeof *packet - message) + IPPROTO_ICMPV6;

    for (size_t i = addresses; i < sizeof *packet; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static void answer_by_nd(struct arp_frame *ret, const struct mac_address *own, const struct ip_address *own_ip,
                         const struct mac_address *to, const struct ip_address *to_ip)
{
    struct sim_advertisement packet = {
        .ethernet = ethernet_header(own, to, ETHERTYPE_IPV6),
        .option = {ND_OPT_TARGET_LINKADDR, 1},
        .mac = *own,
    };

    packet.ip.ip6_flow = htonl(6u << 28);
    packet.ip.ip6_plen = htons((uint16_t)(sizeof packet - offsetof(struct sim_advertisement, nd)));
    packet.ip.ip6_nxt = IPPROTO_ICMPV6;
    packet.ip.ip6_hlim = 255;
    memcpy(&packet.ip.ip6_src, own_ip->bytes, 16);
    memcpy(&packet.ip.ip6_dst, to_ip->bytes, 16);
    packet.nd.nd_na_type = ND_NEIGHBOR_ADVERT;
    packet.nd.nd_na_flags_reserved = ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE;
    memcpy(&packet.nd.nd_na_target, own_ip->bytes, 16);
    packet.nd.nd_na_cksum = icmp6_checksum(&packet);
    memcpy(ret->bytes, &packet, sizeof packet);
    ret->length = sizeof packet;
}

void sim_frame_answer(struct arp_frame *ret, const struct mac_address *own, const struct ip_address *own_ip,
                      const struct mac_address *to, const struct ip_address *to_ip)
{
    if (own_ip->family == AF_INET)
        answer_by_arp(ret, own, own_ip, to, to_ip);
    else
        answer_by_nd(ret, own, own_ip, to, to_ip);
}
