/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbour caches, after Linux's arp_process and ndisc_recv_na. Where an entry was not proved for a while, it is asked
 * for by unicast when it is used next, and after three unanswered requests by broadcast.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/sim/libhost.h"
#include "tests/sim/libworld.h"

/* /proc/sys/net/ipv4/neigh/default: locktime, base_reachable_time, retrans_time, ucast_solicit. */
#define LOCK_NS NSEC_PER_SEC
#define REACHABLE_NS (30 * NSEC_PER_SEC)
#define RETRANS_NS NSEC_PER_SEC
#define UNICAST_ASKS 3

struct sim_neighbour *sim_neighbour_find(const struct sim_nic *nic, const struct ip_address *ip)
{
    for (size_t i = 0; i < nic->n_neighbours; i++)
        if (ip_address_equal(&nic->neighbours[i].ip, ip))
            return &nic->neighbours[i];
    return NULL;
}

void sim_neighbour_forget_all(struct sim_nic *nic)
{
    for (size_t i = 0; i < nic->n_neighbours; i++)
        free(nic->neighbours[i].waiting);
    free(nic->neighbours);
    nic->neighbours = NULL;
    nic->n_neighbours = 0;
}

static struct sim_neighbour *find_or_make(struct sim_nic *nic, const struct ip_address *ip)
{
    struct sim_neighbour *n = sim_neighbour_find(nic, ip);

    if (n)
        return n;
    nic->neighbours = sim_grow(nic->neighbours, nic->n_neighbours, sizeof *n);
    n = &nic->neighbours[nic->n_neighbours++];
    *n = (struct sim_neighbour){.ip = *ip};
    return n;
}

static void transmit(struct sim_nic *nic, const struct sim_neighbour *n, const struct sim_frame *packet)
{
    struct sim_frame frame = *packet;

    frame.source = nic->mac;
    frame.target = n->mac;
    sim_nic_send(nic, &frame);
}

static void update(struct sim_nic *nic, struct sim_neighbour *n, const struct mac_address *mac, bool confirmed)
{
    nsec_t now_ns = nic->segment->world->clock.now_ns;
    struct sim_frame *waiting = n->waiting;

    if (!n->resolved || !mac_address_equal(&n->mac, mac)) {
        n->updated_ns = now_ns;
        n->confirmed_ns = NSEC_UNSET;
    }
    n->mac = *mac;
    n->resolved = true;
    n->waiting = NULL;
    if (confirmed) {
        n->updated_ns = n->confirmed_ns = now_ns;
        n->asks = 0;
    }
    if (waiting)
        transmit(nic, n, waiting);
    free(waiting);
}

void sim_neighbour_asked(struct sim_nic *nic, const struct arp_heard *heard)
{
    update(nic, find_or_make(nic, &heard->sender_ip), &heard->sender_mac, false);
}

void sim_neighbour_heard(struct sim_nic *nic, const struct arp_heard *heard, bool unicast)
{
    const struct sim_host *host = nic->host;
    bool gratuitous = heard->kind == ARP_HEARD_ANNOUNCEMENT, may_override;
    struct sim_neighbour *n = sim_neighbour_find(nic, &heard->sender_ip);
    nsec_t now_ns = nic->segment->world->clock.now_ns;

    if (!n || (gratuitous && host->refuses_gratuitous))
        return;
    /* What is gratuitous overrides at once; any other word waits for the lock time. ND knows no lock time. */
    may_override = now_ns - n->updated_ns > LOCK_NS || (gratuitous && !host->locks_gratuitous) ||
                   heard->sender_ip.family == AF_INET6;
    if (!n->resolved || mac_address_equal(&n->mac, &heard->sender_mac) || may_override)
        update(nic, n, &heard->sender_mac, heard->kind == ARP_HEARD_REPLY && unicast);
}

static void ask(struct sim_nic *nic, struct sim_neighbour *n, const struct ip_address *from)
{
    bool unicast = n->resolved && n->asks < UNICAST_ASKS;
    struct arp_frame link;
    struct sim_frame frame;

    n->asked_ns = nic->segment->world->clock.now_ns;
    n->asks++;
    if (!unicast)
        n->resolved = false;
    arp_frame_request(&link, &nic->mac, from, &n->ip, unicast ? &n->mac : &(struct mac_address){{0}});
    frame = sim_frame_of_link(&link);
    sim_nic_send(nic, &frame);
}

void sim_neighbour_send(struct sim_nic *nic, const struct sim_frame *packet)
{
    struct sim_neighbour *n = find_or_make(nic, &packet->to);
    nsec_t now_ns = nic->segment->world->clock.now_ns;
    bool fresh = n->resolved && n->confirmed_ns != NSEC_UNSET && now_ns - n->confirmed_ns < REACHABLE_NS;

    if (!fresh && (n->asked_ns == NSEC_UNSET || now_ns - n->asked_ns >= RETRANS_NS))
        ask(nic, n, &packet->from);
    if (n->resolved) {
        transmit(nic, n, packet);
        return;
    }
    if (!n->waiting)
        n->waiting = sim_alloc(sizeof *n->waiting);
    *n->waiting = *packet;
}
