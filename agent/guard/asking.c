/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/guard/asking.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "arp/frame.h"

void asking_open(struct asking *asking)
{
    /* Protocol 0: it receives nothing. */
    asking->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    asking->n_own = 0;
}

void asking_close(struct asking *asking)
{
    if (asking->fd >= 0)
        close(asking->fd);
    asking->fd = -EBADF;
}

/* False where it is no address. */
static bool read_address(const struct sockaddr *from, struct ip_address *ret)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;

    if (from && from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof v4);
        *ret = ip_address_of(AF_INET, &v4.sin_addr);
        return true;
    }
    if (from && from->sa_family == AF_INET6) {
        memcpy(&v6, from, sizeof v6);
        *ret = ip_address_of(AF_INET6, &v6.sin6_addr);
        return true;
    }
    return false;
}

static uint8_t prefix_of(const struct ip_address *mask)
{
    unsigned bits = 0;

    while (bits < ip_address_bits(mask->family) && mask->bytes[bits / 8] & 0x80 >> bits % 8)
        bits++;
    return (uint8_t)bits;
}

/* The Ethernet NIC of that name. */
static bool find_nic(const struct ifaddrs *list, const char *name, struct asking_own *ret)
{
    struct sockaddr_ll link;

    for (; list; list = list->ifa_next) {
        if (!list->ifa_addr || list->ifa_addr->sa_family != AF_PACKET || strcmp(list->ifa_name, name) != 0)
            continue;
        memcpy(&link, list->ifa_addr, sizeof link);
        ret->ifindex = link.sll_ifindex;
        memcpy(ret->mac.bytes, link.sll_addr, sizeof ret->mac.bytes);
        return link.sll_hatype == ARPHRD_ETHER;
    }
    return false;
}

static bool is_held(const struct notes *held, const struct asking_own *own)
{
    for (const struct note *note = notes_newest(held); note; note = notes_before(held, note))
        if (note->held.ifindex == own->ifindex && ip_address_equal(&note->held.ip, &own->ip))
            return true;
    return false;
}

static void free_list(struct ifaddrs **list)
{
    freeifaddrs(*list);
}

void asking_look(struct asking *asking, const struct notes *held)
{
    CLEANUP(free_list) struct ifaddrs *list = NULL;

    asking->n_own = 0;
    if (asking->fd < 0 || getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *i = list; i && asking->n_own < ASKING_OWN_MAX; i = i->ifa_next) {
        struct asking_own own;
        struct ip_address mask;

        if (!read_address(i->ifa_addr, &own.ip) || !read_address(i->ifa_netmask, &mask))
            continue;
        own.prefix = prefix_of(&mask);
        /* A host prefix shares its subnet with nobody; most of what is held has one. */
        if (own.prefix < ip_address_bits(own.ip.family) && find_nic(list, i->ifa_name, &own) && !is_held(held, &own))
            asking->own[asking->n_own++] = own;
    }
}

/* One in the subnet; for IPv6 a link-local one otherwise. */
static const struct asking_own *find_own(const struct asking *asking, const struct guard_held *taken)
{
    const struct asking_own *link_local = NULL;

    for (size_t i = 0; i < asking->n_own; i++) {
        const struct asking_own *own = &asking->own[i];

        if (own->ifindex != taken->ifindex || own->ip.family != taken->ip.family)
            continue;
        if (ip_address_same_net(&own->ip, &taken->ip, own->prefix))
            return own;
        if (own->ip.family == AF_INET6 && ip_address_is_link_local(&own->ip))
            link_local = own;
    }
    return link_local;
}

void asking_ask(const struct asking *asking, const struct guard_held *taken)
{
    const struct asking_own *own = find_own(asking, taken);
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(taken->ip.family == AF_INET ? ETH_P_ARP : ETH_P_IPV6),
                             .sll_ifindex = taken->ifindex,
                             .sll_halen = ETH_ALEN};
    struct arp_frame frame;

    if (!own)
        return;
    arp_frame_request(&frame, &own->mac, &own->ip, &taken->ip, &(struct mac_address){});
    memcpy(to.sll_addr, frame.bytes, ETH_ALEN);
    sendto(asking->fd, frame.bytes, frame.length, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof to);
}
