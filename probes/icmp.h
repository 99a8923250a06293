/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ICMP echo probe, for IPv4 and IPv6: one raw socket a family for all addresses, with the kernel's filter set to
 * echo replies. The payload carries the token, and a reply counts only with every bit of it.
 */
#pragma once

#include "probes/probe.h"

struct icmp_probe;

/* family: AF_INET or AF_INET6. 0 or negative errno (-EPERM without CAP_NET_RAW). */
int icmp_probe_open(struct icmp_probe **ret, uint8_t family, probe_reply_fn reply, void *userdata);
void icmp_probe_close(struct icmp_probe *probe);
int icmp_probe_fd(const struct icmp_probe *probe);

/*
 * Queues one echo request through request->ifindex, from request->from if that is set. As link_probe_send; -EINVAL also
 * for a token whose sequence is 0.
 */
int icmp_probe_send(struct icmp_probe *probe, const struct probe_request *request);
void icmp_probe_flush(struct icmp_probe *probe,
                      void (*failed)(void *userdata, const struct probe_request *request, int error));
int icmp_probe_on_readable(struct icmp_probe *probe, const struct probe_clock *clock, unsigned limit);
int icmp_probe_drain(struct icmp_probe *probe, const struct probe_clock *clock, unsigned limit);
/* Replies lost because the socket's queue was full. The kernel tells with the next reply that it keeps. */
uint64_t icmp_probe_dropped(struct icmp_probe *probe);

/* Pure halves, for tests and fuzzers: the bytes after the IP header. */
#define ICMP_PROBE_BYTES 32
/* Writes an echo request of ICMP_PROBE_BYTES; the checksum is left to the kernel for IPv6. */
void icmp_probe_build(uint8_t bytes[static ICMP_PROBE_BYTES], uint8_t family, uint16_t identifier,
                      const struct probe_token *token);
/* -EBADMSG where it is no echo reply of this identifier with a whole token. */
int icmp_probe_parse(const uint8_t *bytes, size_t length, uint8_t family, uint16_t identifier, struct probe_token *ret);
