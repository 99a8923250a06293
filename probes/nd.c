/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <sys/socket.h>

#include "probes/link_kind.h"

/* Where the header and the advertisement stand in a frame. */
enum { IP6 = sizeof(struct ether_header), ND = IP6 + sizeof(struct ip6_hdr) };

/* RFC 4861 section 4.4: an advertisement (type 136, code 0) with the Solicited flag, from this link (hop limit). */
static struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP6 + offsetof(struct ip6_hdr, ip6_nxt)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 9),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP6 + offsetof(struct ip6_hdr, ip6_hlim)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 255, 0, 7),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ND + offsetof(struct nd_neighbor_advert, nd_na_type)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 5),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ND + offsetof(struct nd_neighbor_advert, nd_na_code)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ND + offsetof(struct nd_neighbor_advert, nd_na_flags_reserved)),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40, 0, 1), /* of the field's first byte */
    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

static bool is_answer(const struct arp_heard *heard, const struct link_arrival *arrival)
{
    /*
     * RFC 4861 section 7.2.4: the answer to a solicitation from an address goes to that address, by unicast. To one
     * from `::` it goes to all nodes, without the Solicited flag, and cannot be told from an announcement.
     */
    return heard->kind == ARP_HEARD_REPLY && arrival->packet_type == PACKET_HOST;
}

const struct link_kind link_kind_nd = {
    .kind = PROBE_ND,
    .family = AF_INET6,
    .protocol = ETHERTYPE_IPV6,
    .filter = {.len = sizeof code / sizeof *code, .filter = code},
    .is_answer = is_answer,
};
