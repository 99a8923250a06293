/* SPDX-License-Identifier: Apache-2.0 */
/* A world for the announcer: virtual time, and a record of what it sent. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arp/announcer.h"

#define START_NS (5 * NSEC_PER_SEC)
#define SENT_MAX 100000

/* One announcement as the announcer asked for it. */
struct sent {
    nsec_t at_ns;
    uint32_t id;
    unsigned copy;
};

/* The world: an announcer, its clock, and what it sent. */
struct world {
    struct announcer *announcer;
    nsec_t now_ns;
    struct sent *sent;
    size_t n_sent;
    size_t n_refused;
    unsigned runs;
    int frames;                                            /* that an announcement takes */
    int (*answer)(const struct world *world, uint32_t id); /* NULL: always `frames` */
};

static inline int record(void *userdata, uint32_t id, unsigned copy)
{
    struct world *world = userdata;
    int r = world->answer ? world->answer(world, id) : world->frames;

    assert_int_equal(copy, announcer_copies(world->announcer, id));
    if (r <= 0) {
        world->n_refused++;
        return r;
    }
    assert_true(world->n_sent < SENT_MAX);
    world->sent[world->n_sent++] = (struct sent){.at_ns = world->now_ns, .id = id, .copy = copy};
    return r;
}

static inline void begin(struct world *world, uint32_t capacity, uint32_t nics)
{
    *world = (struct world){.now_ns = START_NS, .frames = 1};
    world->sent = calloc(SENT_MAX, sizeof *world->sent);
    assert_non_null(world->sent);
    assert_int_equal(announcer_new(&world->announcer, capacity, nics, record, world), 0);
}

static inline void end(struct world *world)
{
    announcer_free(world->announcer);
    free(world->sent);
}

/* Runs at each deadline until `until_ns`. A deadline that is not later than the run before it would be a busy loop. */
static inline void run_until(struct world *world, nsec_t until_ns)
{
    bool fresh = true;

    for (;;) {
        nsec_t deadline_ns = announcer_deadline(world->announcer);

        if (deadline_ns > until_ns)
            break;
        assert_true(fresh || deadline_ns > world->now_ns);
        fresh = false;
        if (deadline_ns > world->now_ns)
            world->now_ns = deadline_ns;
        announcer_run(world->announcer, world->now_ns);
        world->runs++;
    }
    world->now_ns = until_ns;
}

static inline void run_for(struct world *world, nsec_t duration_ns)
{
    run_until(world, world->now_ns + duration_ns);
}
