/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind links.h share. */
#pragma once

#include <netlink/cache.h>
#include <netlink/netlink.h>

#include "netlink/table.h"

struct links {
    struct nl_sock *events;    /* notifications */
    struct nl_sock *questions; /* dumps, and what is asked of one NIC */
    struct nl_cache *link_cache;
    struct nl_cache *neighbour_cache;
    struct nl_cache *route_cache; /* default routes of the main table only */
    int device_fd;                /* any socket: for ioctls about devices */
    struct table table;           /* NICs and addresses, by hash */
    struct links_callbacks callbacks;
    void *userdata;
    bool opened; /* callbacks may be called */
    int error;   /* what went wrong within a callback of libnl's: all must be read anew */
    bool stale;  /* notifications were lost, and what they told was not read anew yet */
    uint64_t overruns;
};

/* libnl's error as negative errno. */
int links_errno(int nl_error);

/*
 * The socket for questions, anew where there was one: once a question failed halfway, libnl's count of sequence numbers
 * is not the kernel's any more, and every later answer would be refused. On failure the old one stays.
 */
int links_open_questions(struct links *links);

/*
 * Takes out of the route cache all but the default routes of the main table, and of those the ones whose NICs are all
 * down or gone: the kernel deletes IPv4 routes then, without a notification.
 */
void links_prune_routes(struct links *links);
