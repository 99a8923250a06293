/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time is one signed integer of nanoseconds on CLOCK_MONOTONIC. One `now` is taken at the start of a loop turn and
 * passed down; nothing below the shell asks for the time itself.
 */
#pragma once

#include <stdint.h>

typedef int64_t nsec_t;

#define NSEC_PER_USEC ((nsec_t)1000)
#define NSEC_PER_MSEC ((nsec_t)1000 * NSEC_PER_USEC)
#define NSEC_PER_SEC ((nsec_t)1000 * NSEC_PER_MSEC)
#define NSEC_PER_MIN ((nsec_t)60 * NSEC_PER_SEC)
#define NSEC_PER_HOUR ((nsec_t)60 * NSEC_PER_MIN)

/* A deadline that never comes, and a point in time that never was. */
#define NSEC_NEVER INT64_MAX
#define NSEC_UNSET ((nsec_t)0)

static inline nsec_t nsec_min(nsec_t a, nsec_t b)
{
    return a < b ? a : b;
}

static inline nsec_t nsec_max(nsec_t a, nsec_t b)
{
    return a > b ? a : b;
}
