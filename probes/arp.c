/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <stddef.h>
#include <sys/socket.h>

#include "probes/link_kind.h"

/* Where an ARP packet stands in a frame. */
enum { ARP = sizeof(struct ether_header) };

/* A reply, and none that announces its own sender (RFC 5227 section 3): that answers nobody. */
static struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ARP + offsetof(struct ether_arp, arp_hrd)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_ETHER, 0, 9),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ARP + offsetof(struct ether_arp, arp_pro)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 7),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ARP + offsetof(struct ether_arp, arp_op)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPOP_REPLY, 0, 5),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARP + offsetof(struct ether_arp, arp_spa)),
    BPF_STMT(BPF_MISC | BPF_TAX, 0),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARP + offsetof(struct ether_arp, arp_tpa)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

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
    .filter = {.len = sizeof code / sizeof *code, .filter = code},
    .is_answer = is_answer,
};
