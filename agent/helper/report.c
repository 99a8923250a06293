/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/report.h"

#include <stdarg.h>
#include <stdio.h>

void report_set(struct report *report, enum job_outcome outcome, const char *format, ...)
{
    va_list arguments;

    report->outcome = outcome;
    va_start(arguments, format);
    (void)vsnprintf(report->text, sizeof report->text, format, arguments);
    va_end(arguments);
    for (char *c = report->text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}
