/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader: reads the ipmap and checks it against this host, in a thread of its own where the loop runs, because a
 * disk may be slow and a file long while there are rounds to judge. The thread shares nothing with the loop but its
 * result.
 */
#pragma once

#include "agent/config/ipmap.h"

/* ipmap_load with the checks that this host allows: NICs, and addresses that are its own and no claims of ours. */
int loader_load(const char *path, struct ipmap **ret, struct ipmap_messages *messages);

struct loader;

/* Begins loader_load in a thread. 0 or negative errno. */
int loader_start(struct loader **ret, const char *path);
/* Readable when it is done. */
int loader_fd(const struct loader *loader);
/* The result, as of ipmap_load; frees the loader. Waits where it is not done yet. */
int loader_finish(struct loader *loader, struct ipmap **ret, struct ipmap_messages *messages);
