/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between fork and exec: the process becomes the command. Whatever may wait is done here, where it keeps nobody else
 * waiting: name services, file systems.
 */
#pragma once

#include <sys/types.h>

#include "agent/effects/job.h"

/* Bytes of what the child says of itself. */
#define CHILD_NEWS_MAX 1024

/* First byte of what it says; a reason follows. Nothing is said of a command that was let go. */
#define CHILD_REFUSED 'r'
#define CHILD_FAILED 'f'

/* Its ends of the pipes; all above stderr. */
struct child_pipes {
    int input;  /* becomes stdin */
    int output; /* becomes stdout and stderr */
    int news;   /* says why it was not to be */
};

/* Becomes the command, and never returns. `parent`: a check does not outlive this process. */
_Noreturn void child_run(const struct job_run *run, const struct child_pipes *pipes, pid_t parent);
