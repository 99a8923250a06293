/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual time: a queue of events, earliest first, and among those of one moment the one that was put in first. With
 * the random numbers below, which come from the seed alone, a world runs the same way each time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/time.h"

/* What happens to `object`; `detail` is freed afterwards. */
typedef void (*sim_event_fn)(void *object, void *detail);

struct sim_event {
    nsec_t due_ns;
    uint64_t sequence; /* order within a moment */
    sim_event_fn run;
    void *object; /* borrowed; lives as long as the clock */
    void *detail; /* owned, from malloc; may be NULL */
};

struct sim_clock {
    nsec_t now_ns;
    uint64_t sequence;        /* events so far */
    struct sim_event *events; /* a heap */
    size_t n_events;
};

/* Time begins late enough that no moment is taken for "never". */
void sim_clock_init(struct sim_clock *clock);
void sim_clock_free(struct sim_clock *clock);
/* Plans an event, now or later; takes `detail`. */
void sim_clock_at(struct sim_clock *clock, nsec_t due_ns, sim_event_fn run, void *object, void *detail);
/* Runs the next event that is due by until_ns. False where there is none: it is until_ns then. */
bool sim_clock_step(struct sim_clock *clock, nsec_t until_ns);

/* Zeroed memory, or the end of the program. */
void *sim_alloc(size_t size);
/* Room for one more in an array of `n`, which grows by doubling. */
void *sim_grow(void *array, size_t n, size_t size);

struct sim_random {
    uint64_t state;
};

uint64_t sim_random_next(struct sim_random *random);
/* 0 to limit - 1; 0 where the limit is 0. */
uint64_t sim_random_below(struct sim_random *random, uint64_t limit);
/* True in so many of a million cases. Draws nothing where the answer is sure. */
bool sim_random_hit(struct sim_random *random, uint32_t ppm);
