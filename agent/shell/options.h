/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's command line. */
#pragma once

#include <stdbool.h>

struct options {
    const char *file;          /* -f: the ipmap */
    const char *control;       /* --control: path of the control socket */
    const char *control_group; /* --control-group: who may use it beside root; NULL */
    const char *state;         /* --state: folder for what outlives the process */
    bool check;                /* --check: only read the file */
    bool targets;              /* --targets: only print the systemd targets of its sources */
    bool verbose;              /* -v */
};

/*
 * Reads argv. Returns -1 when the daemon is to run, else the exit status: 0 after --help or --version, 2 where the
 * usage was wrong (said on stderr).
 */
int options_read(int argc, char **argv, struct options *ret);
