/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include "probes/link_kind.h"

/* A reply, and none that announces its own sender (RFC 5227 section 3): that answers nobody. */
#define ARP_FILTER "arp[0:2] = 1 and arp[2:2] = 0x0800 and arp[6:2] = 2 and arp[14:4] != arp[24:4]"

static bool is_answer(const struct arp_heard *heard, const struct link_arrival *arrival)
{
    struct mac_address own;

    if (heard->kind != ARP_HEARD_REPLY)
        return false;
    if (arrival->packet_type == PACKET_HOST)
        return true;
    /*
     * RFC 3927 section 2.5 has hosts with a link-local address broadcast their replies, and RFC 5227 section 2.6 lets
     * any host do so. The target hardware address, copied from the request, tells whose answer it is.
     */
    return arrival->packet_type == PACKET_BROADCAST && link_own_mac(arrival->fd, arrival->ifindex, &own) == 0 &&
           mac_address_equal(&heard->target_mac, &own);
}

const struct link_kind link_kind_arp = {
    .kind = PROBE_ARP,
    .family = AF_INET,
    .protocol = ETHERTYPE_ARP,
    .filter = ARP_FILTER,
    .is_answer = is_answer,
};
