/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on standinctl's command line. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "agent/base/limits.h"
#include "agent/base/time.h"

/* How long standinctl waits for an answer where --timeout does not say it. */
#define CTL_TIMEOUT_NS (60 * NSEC_PER_SEC)

enum ctl_command {
    CTL_STATUS,
    CTL_SHOW,
    CTL_CHECK,
    CTL_FAILOVER,
    CTL_FAILBACK,
    CTL_APPROVE,
    CTL_DENY,
    CTL_PAUSE,
    CTL_RESUME,
    CTL_RELOAD,
    CTL_VERSION,
    CTL_HELP,
};

struct ctl_options {
    const char *control; /* path of the agent's socket */
    enum ctl_command command;
    const char *command_name;    /* as the agent knows it */
    char source[LIMIT_NAME + 1]; /* "": not named */
    char nic[LIMIT_NAME + 1];    /* "": not named */
    const char *file;            /* of `check`; NULL */
    nsec_t timeout_ns;           /* for the answer */
    bool json;
    bool force;
    bool version_only; /* --version: asks nobody */
};

/* 0 and *ret; or CTL_USAGE, when what is wrong was written to `err`. */
int ctl_options_parse(int argc, char **argv, struct ctl_options *ret, FILE *err);
void ctl_print_help(FILE *out);
