/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A min-heap of deadlines: each id below a fixed capacity has at most one. Setting, moving and removing one costs the
 * logarithm of their number. The memory is the owner's; nothing is allocated here.
 */
#pragma once

#include "agent/base/time.h"

struct heap_entry {
    nsec_t due_ns;
    uint32_t id;
};

struct heap {
    struct heap_entry *entries; /* room for `capacity`, a heap by due_ns */
    uint32_t *positions;        /* by id: place in entries + 1; 0: not in the heap */
    uint32_t capacity;
    uint32_t count;
};

/* Takes zeroed `positions` and any `entries`, each with room for `capacity`. */
void heap_init(struct heap *heap, struct heap_entry *entries, uint32_t *positions, uint32_t capacity);

/* Sets the deadline of `id`; NSEC_NEVER takes it out. */
void heap_set(struct heap *heap, uint32_t id, nsec_t due_ns);

/* NSEC_NEVER where `id` has none. */
nsec_t heap_due(const struct heap *heap, uint32_t id);

/* The earliest deadline, NSEC_NEVER when empty; *ret_id (may be NULL) whose it is. */
nsec_t heap_first(const struct heap *heap, uint32_t *ret_id);
