/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two probes that ask the link itself, by ARP (IPv4) and by neighbour discovery (IPv6). Each owns one packet socket
 * for all NICs, with a filter that lets only replies through.
 */
#pragma once

#include "probes/probe.h"

struct link_probe;

/* kind: PROBE_ARP or PROBE_ND. 0 or negative errno (-EPERM without CAP_NET_RAW). */
int link_probe_open(struct link_probe **ret, enum probe_kind kind, probe_reply_fn reply, void *userdata);
void link_probe_close(struct link_probe *probe);
int link_probe_fd(const struct link_probe *probe);

/*
 * Queues one request; leaves with the batch at flush or when the batch is full. 0, or negative errno of this very
 * request where it is known at once: -EINVAL; -ENOMEM or -ENOBUFS where too many were refused since the last flush.
 */
int link_probe_send(struct link_probe *probe, const struct probe_request *request);
/*
 * Sends the batch. For each request that the kernel refused since the last flush, `failed` (may be NULL) is called with
 * its errno (> 0); the others left. It must not send.
 */
void link_probe_flush(struct link_probe *probe,
                      void (*failed)(void *userdata, const struct probe_request *request, int error));
/*
 * Reads at most `limit` packets, and fewer than there are where the descriptor stays readable for them. Returns how
 * many, or negative errno. A reply counts only when it is well-formed, an answer (no announcement; ND: solicited), and
 * sent to the NIC's own MAC; ARP also takes a broadcast reply whose target hardware address is the NIC's own. What a
 * host says to an ND request from `::` goes to all nodes and answers nobody (RFC 4861 section 7.2.4): arp/port.h hears
 * it, and it is no reply here.
 */
int link_probe_on_readable(struct link_probe *probe, const struct probe_clock *clock, unsigned limit);
/* The same until the queue is empty: fewer than `limit` means that it is. */
int link_probe_drain(struct link_probe *probe, const struct probe_clock *clock, unsigned limit);
/* Replies lost because the socket's queue was full, since it was opened. */
uint64_t link_probe_dropped(struct link_probe *probe);
