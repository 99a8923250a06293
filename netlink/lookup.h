/* SPDX-License-Identifier: Apache-2.0 */
/* How things stand in the kernel with the addresses of several requests: one dump a NIC and family. For claims only. */
#pragma once

#include "netlink/claims.h"

struct query;

struct lookup {
    const struct claims_request *request; /* about which address */
    uint32_t number;                      /* the caller's: lookup_all changes the order */
    bool found;                           /* this very address, prefix and NIC is there */
    bool ours;                            /* and carries our mark */
    bool takes_along;                     /* taking it off may delete others that hang on it (IPv4 secondaries) */
    bool takes_foreign;                   /* and one that is not ours hangs on it now */
    uint32_t flags;                       /* IFA_F_... */
    uint32_t valid_s;                     /* what is left of its lifetime; MESSAGE_FOREVER */
    int error;                            /* negative errno: could not be asked, -ENODEV: there is no such NIC */
};

/* Fills in what is asked; sorts by NIC. */
void lookup_all(struct query *query, struct lookup *lookups, size_t n);
