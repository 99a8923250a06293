/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's filter of a port, put together without memory and so without failing: libpcap's compiler ends the
 * process where it has no memory, and a port changes its filter while addresses are held. Pure.
 */
#pragma once

#include <linux/filter.h>

#include "agent/base/address.h"

/* Instructions for ARP and ND; to tell our own hardware address; for a watched address; and the last one. */
#define ARP_FILTER_MAX(n_watched) (28 + 6 + 11 * (n_watched) + 1)

/*
 * Writes the program that keeps `bytes_kept` of each ARP, NS and NA frame and of each IP packet from another host's
 * Ethernet to `own` and one of the `n` watched addresses, and drops all else; also answers to `own`, which are the
 * probes'. Returns how many instructions it has, at
 * most ARP_FILTER_MAX(n).
 */
size_t arp_filter_write(struct sock_filter *code, uint32_t bytes_kept, const struct mac_address *own,
                        const struct ip_address *watched, size_t n);
