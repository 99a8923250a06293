/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines on stderr, with the journal's <priority> prefix where the journal reads them and with the time of day
 * where people do. Never waits: a line that nobody takes is counted, not queued. Bursts are cut off, and said to be.
 */
#pragma once

#include <syslog.h>

#include "agent/base/time.h"

/* Lines with a priority above `level` (LOG_DEBUG is the highest) are left out. */
void log_open(int level);
void log_line(nsec_t now_ns, int priority, const char *text);
__attribute__((format(printf, 3, 4))) void log_format(nsec_t now_ns, int priority, const char *format, ...);
