/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port: one libpcap handle on one target NIC, which hears ARP and ND and sends frames. Opened once and kept, because
 * opening costs milliseconds.
 */
#pragma once

#include "agent/base/time.h"
#include "arp/frame.h"

struct arp_port;

/* What a port may hear beside ARP and ND: unicast IP packets to these addresses, as proof that a neighbour's own entry
 * leads here. */
#define ARP_PORT_WATCHED_MAX 32

struct arp_port_callbacks {
    /* ARP or ND heard, never our own frames nor answers to us, which probes read. `received_ns`: CLOCK_MONOTONIC. */
    void (*heard)(void *userdata, struct arp_port *port, const struct arp_heard *heard, nsec_t received_ns);
    /* An IP packet for a watched address came in, addressed to this NIC's MAC. */
    void (*traffic)(void *userdata, struct arp_port *port, const struct ip_address *from, const struct ip_address *to,
                    nsec_t received_ns);
};

/*
 * Opens the port on the NIC named `name` (index `ifindex`). 0 or negative errno: -ENODEV (also where the name is
 * another NIC's by now), -ENETDOWN, -EPERM without CAP_NET_RAW, -EPROTONOSUPPORT where it is no Ethernet.
 */
int arp_port_open(struct arp_port **ret, const char *name, int ifindex, const struct arp_port_callbacks *callbacks,
                  void *userdata);
void arp_port_close(struct arp_port *port);
int arp_port_fd(const struct arp_port *port);
int arp_port_ifindex(const struct arp_port *port);

/*
 * Reads what is queued, at most `limit` frames. `to_monotonic_ns`: add to a CLOCK_REALTIME stamp. Returns how many were
 * read, or negative errno; -ENODEV or -ENETDOWN: the NIC is gone or down, close and open again when it is back.
 */
int arp_port_on_readable(struct arp_port *port, nsec_t to_monotonic_ns, unsigned limit);

/* Sends one frame. 0, or negative errno (-ENOBUFS, -ENETDOWN, ...). */
int arp_port_send(struct arp_port *port, const struct arp_frame *frame);

/*
 * Replaces the watched addresses (count 0: none; at most ARP_PORT_WATCHED_MAX). 0 or negative errno; nothing is changed
 * then. Traffic that came in before for other addresses is not told of any more. May be called from the callbacks, as
 * nothing else here but arp_port_send. A port that watches wakes for each packet: stop when the proof is there.
 */
int arp_port_watch(struct arp_port *port, const struct ip_address *addresses, size_t count);

/* Frames lost because we read too slowly, since the port was opened. */
uint64_t arp_port_dropped(struct arp_port *port);
