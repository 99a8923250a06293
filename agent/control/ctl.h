/* SPDX-License-Identifier: Apache-2.0 */
/* standinctl, but for its main(): so that tests run it without a process. */
#pragma once

#include <stdio.h>

/* Exit status, as standinctl(8) lists it. */
enum ctl_status {
    CTL_DONE = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
    CTL_NO_AGENT = 3,
    CTL_NOT_HEALTHY = 4,
};

/* Does what the command line says, and returns the exit status. `check FILE` does not return: it executes standind. */
int ctl_run(int argc, char **argv, FILE *out, FILE *err);
