/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps our kernel quiet towards a source that comes back. Its duplicate address detection (DAD) asks the link who has
 * its address, and while we hold that our kernel would answer at once, so that the source goes without it. A filter
 * (nf_tables) drops exactly those questions: an ARP request with sender address 0.0.0.0 (RFC 5227, 1.1), a neighbour
 * solicitation from :: (RFC 4862, 5.4.2), of one MAC for one address. All else is answered. Listeners (libpcap) hear
 * the question all the same: they come before the filter.
 *
 * The filter belongs to a socket of ours, and the kernel removes it with the socket, however we end. Nobody else can
 * change it meanwhile, `nft flush ruleset` included. A host that never holds an address has none.
 */
#pragma once

#include "agent/base/address.h"

struct quiet;

/* Changes in one send: what bounds the time that one turn spends in the kernel. */
#define QUIET_BATCH 256

/* Asks nothing of the kernel yet. 0 or -ENOMEM. */
int quiet_open(struct quiet **ret);
/* Removes the filter, for which the kernel takes up to some 50 ms. */
void quiet_close(struct quiet *quiet);

/*
 * What quiet_flush is to do; neither reaches the kernel by itself. Pairs are not counted: added twice, one is removed
 * by the first removal; to remove one that is not there is no error. Add once the address is held, remove when it is no
 * longer.
 */
/* 0, -ENOMEM, or -EINVAL where `ip` is no address. */
int quiet_add(struct quiet *quiet, const struct ip_address *ip, const struct mac_address *mac);
void quiet_remove(struct quiet *quiet, const struct ip_address *ip, const struct mac_address *mac);

/*
 * Brings at most one batch of changes, all of one family, into the kernel, which does that and answers within this
 * call: there is no descriptor to wait for. Returns how many changes are left (call again next turn), or a negative
 * errno:
 *   -EPROTONOSUPPORT, -EOPNOTSUPP, -EAFNOSUPPORT, -ENOENT, -EINVAL
 *                      this kernel has no such filters (nf_tables and its family arp or ip6; owned tables: Linux 5.12)
 *   -EPERM             CAP_NET_ADMIN is missing
 *   -ENOMEM, -ENOBUFS, -EMFILE and others: the moment was bad
 * On an error the filter of that family is gone as a whole. Its pairs are kept and tried again, all of them, when the
 * next one of the family is added. So the caller says once that the DAD of a source that comes back will fail, goes on,
 * and calls again next turn as after a batch: the other family may have changes left.
 */
int quiet_flush(struct quiet *quiet);
