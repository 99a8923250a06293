/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit that more than one folder must agree on. What only one folder needs stands there. */
#pragma once

#include "agent/base/time.h"

/* Names in the ipmap (sources, NICs), without the NUL. */
#define LIMIT_NAME 63
/* Linux interface names with the NUL (IFNAMSIZ). */
#define LIMIT_NIC_NAME 16

#define LIMIT_INTERVAL_MIN_NS (100 * NSEC_PER_USEC)
#define LIMIT_INTERVAL_MAX_NS (1 * NSEC_PER_HOUR)
#define LIMIT_MISSES_MAX 1000
/* Takeovers of a source that are remembered, and so the most that `max-takeovers` can allow. */
#define LIMIT_TAKEOVERS_MAX 20

/* Addresses in one ipmap; also bounds every index that stands in a 32-bit token. */
#define LIMIT_ADDRESSES 200000
#define LIMIT_SOURCES 20000
#define LIMIT_NICS_PER_SOURCE 64
#define LIMIT_WITNESSES 16
/* Pairs of a target NIC and the witnesses that are asked there. */
#define LIMIT_TARGETS 1024

/* Checks in one ipmap, and of one source. */
#define LIMIT_CHECKS 20000
#define LIMIT_CHECKS_PER_SOURCE 1024
#define LIMIT_HOOKS_PER_SOURCE 64
#define LIMIT_UNITS_PER_SOURCE 64
#define LIMIT_RECORDS_PER_SOURCE 64
/* Ranges of status codes that one check expects. */
#define LIMIT_EXPECT 8
/* Bytes of a command, of a URL, of what its answer must hold and of a path, and words of a command. */
#define LIMIT_COMMAND 4096
#define LIMIT_URL 2048
#define LIMIT_BODY 1024
#define LIMIT_PATH 4095
#define LIMIT_COMMAND_WORDS 64
/* Bytes of a DNS name as text, without its last dot, and of one label (RFC 1035 section 2.3.4). */
#define LIMIT_DNS_NAME 253
#define LIMIT_DNS_LABEL 63
