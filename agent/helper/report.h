/* SPDX-License-Identifier: Apache-2.0 */
/* How a job that has ended is told, and texts that hold what a stranger said. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "agent/base/time.h"
#include "agent/effects/job.h"

/* Bytes of a reason, with its NUL. */
#define REPORT_TEXT 512

struct report {
    enum job_outcome outcome; /* JOB_PASSED, JOB_MISSED, JOB_UNABLE */
    nsec_t took_ns;           /* 0 where nothing was tried */
    char text[REPORT_TEXT];   /* the reason, or what was seen */
};

typedef void report_done(void *userdata, uint64_t id, const struct report *report);

/* Sets outcome and text; what is not printable ASCII in it becomes '?', and what is too long is cut. */
__attribute__((format(printf, 3, 4))) void report_set(struct report *report, enum job_outcome outcome,
                                                      const char *format, ...);
