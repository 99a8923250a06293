/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include "probes/link_kind.h"

/* RFC 4861 section 4.4: an advertisement (type 136, code 0) with the Solicited flag, from this link (hop limit). */
#define ND_FILTER "ip6[6] = 58 and ip6[7] = 255 and ip6[40] = 136 and ip6[41] = 0 and ip6[44] & 0x40 != 0"

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
    .filter = ND_FILTER,
    .is_answer = is_answer,
};
