/* SPDX-License-Identifier: Apache-2.0 */
/* The guard's own side: what runs in the process that guard_start forks. */
#pragma once

#include "agent/base/time.h"

struct child_options {
    const char *pid_path;  /* names the guard in charge */
    const char *lock_path; /* what a living agent holds */
    nsec_t patience_ns;    /* how long the agent may be silent, or a successor be awaited */
};

/* Makes a guard of this process: it never returns. `socket` leads to the agent. */
_Noreturn void child_run(int socket, const struct child_options *options);
