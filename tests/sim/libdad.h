/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that come back and ask first: duplicate address detection by RFC 5227 (IPv4) and RFC 4862 section 5.4 (IPv6).
 */
#pragma once

#include "tests/sim/libhost.h"

/* An address that its host does not have yet. */
struct sim_tentative {
    struct sim_nic *nic;
    struct sim_address address;
    unsigned probes; /* sent so far */
    bool over;       /* it has the address, or does not ask any more */
    bool failed;     /* somebody else was heard to have it */
};

/* The host is alive again, without its addresses, and probes for each of them before it has it. */
void sim_host_return_with_dad(struct sim_host *host);
/* It does not go on with that. */
void sim_host_stop_dad(struct sim_host *host);
/* How many addresses it did not get. */
size_t sim_host_dad_failures(const struct sim_host *host);
/* From the host: what its NIC hears. */
void sim_dad_hear(const struct sim_nic *nic, const struct arp_heard *heard);
