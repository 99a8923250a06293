/* SPDX-License-Identifier: Apache-2.0 */
/* A way to the process: by its socket, or by starting it. */
#pragma once

#include <sys/types.h>

#include "agent/effects/jobs.h"

/* Connects, else starts. Returns the descriptor, and *ret_pid: 0 where it was there; or negative errno. */
int jobs_process_start(const struct jobs_options *options, pid_t *ret_pid);
