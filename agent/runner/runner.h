/* SPDX-License-Identifier: Apache-2.0 */
/* The runner's loop: one agent, its commands, their ends. */
#pragma once

/* Commands that may run at once. */
#define RUNNER_TASKS_MAX 256

struct runner_options {
    int agent;     /* a connection to the agent, with whom this process ends; -EBADF: agents come by `listening` */
    int listening; /* where agents come, one at a time; -EBADF where there is `agent` */
};

/* Serves until the agent of `agent` is gone and its commands have ended, or SIGTERM. The exit status. */
int runner_run(const struct runner_options *options);
