/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks everybody on the LAN for an address that was just taken off: who has it? Another target that waits for it hears
 * that, and looks at once. A plain request from an address of this host's own, so that no neighbour learns anything
 * false from it.
 */
#pragma once

#include "agent/guard/notes.h"

/* Addresses of the host's own from which can be asked: more than its NICs have, as a rule. */
#define ASKING_OWN_MAX 64

struct asking {
    int fd; /* packet socket; negative: there is none, and nobody is asked */
    struct asking_own {
        int ifindex;
        struct mac_address mac; /* of the NIC */
        struct ip_address ip;
        uint8_t prefix;
    } own[ASKING_OWN_MAX]; /* as last looked at */
    size_t n_own;
};

/* Opens the socket, for which it takes CAP_NET_RAW. */
void asking_open(struct asking *asking);
void asking_close(struct asking *asking);
/* Looks which addresses the NICs have besides those that are held. */
void asking_look(struct asking *asking, const struct notes *held);
/* Asks for it once; not at all where its NIC has no address that fits. Never waits. */
void asking_ask(const struct asking *asking, const struct guard_held *taken);
