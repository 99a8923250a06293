/* SPDX-License-Identifier: Apache-2.0 */
/* What report.c and report_services.c share. */
#pragma once

#include "agent/shell/internal.h"

#define SENTENCE 512

/* Room for everything a report points to. */
struct sheets {
    struct report_source *sources;
    struct report_nic *nics;
    struct report_address *addresses;
    struct report_target *targets;
    char (*reasons)[SENTENCE];    /* by NIC */
    char (*witnesses)[SENTENCE];  /* by target */
    char (*own)[IP_ADDRESS_TEXT]; /* by target */
    struct report_check *checks;
    struct report_unit *units; /* of all sources, in their order */
    size_t n_units;            /* filled so far */
    char (*steps)[STEP_TEXT];  /* by source that has any, in their order */
    size_t n_steps;            /* filled so far */
};

static inline nsec_t report_age_ns(nsec_t now_ns, nsec_t at_ns)
{
    return at_ns == NSEC_UNSET ? NSEC_NEVER : now_ns - at_ns;
}

/* What the source serves, into its sheet. */
void report_services(const struct agent *agent, nsec_t now_ns, uint32_t source, struct sheets *sheets);
/* How many units the sheet needs room for, and in *ret_sources how many sources have services at all. */
size_t report_count_units(const struct plan *plan, size_t *ret_sources);
