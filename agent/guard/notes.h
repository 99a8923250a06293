/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes about addresses, at most one for each (NIC, address, prefix), in the order in which they were made: the agent's
 * queue, which is sent from the oldest on, and the guard's table, which is taken off from the newest on.
 */
#pragma once

#include "agent/guard/guard.h"

struct note {
    struct guard_held held; /* what it is about */
    bool holds;             /* it is held from now on; else not any more */
};

struct notes_entry;

/* All zero is an empty one. */
struct notes {
    struct notes_entry *entries;    /* numbered from 1 */
    uint32_t *slots;                /* by hash: the first entry of a chain, or 0 */
    uint32_t capacity;              /* of both; a power of two, or 0 */
    uint32_t n;                     /* notes */
    uint32_t oldest, newest, spare; /* entries, or 0; `spare` begins the chain of unused ones */
};

void notes_free(struct notes *notes);
/* Puts a note at the end, in the place of any about the same. 0 or -ENOMEM, also beyond LIMIT_ADDRESSES. */
int notes_put(struct notes *notes, const struct guard_held *held, bool holds);
/* Takes out what is there about it. */
void notes_take(struct notes *notes, const struct guard_held *held);

/* NULL where there is none. A note lives until the next put or take. */
const struct note *notes_oldest(const struct notes *notes);
const struct note *notes_newest(const struct notes *notes);
const struct note *notes_after(const struct notes *notes, const struct note *note);
const struct note *notes_before(const struct notes *notes, const struct note *note);
