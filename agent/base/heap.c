/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/heap.h"

#include <assert.h>
#include <stddef.h>

void heap_init(struct heap *heap, struct heap_entry *entries, uint32_t *positions, uint32_t capacity)
{
    *heap = (struct heap){.entries = entries, .positions = positions, .capacity = capacity};
}

static void place(struct heap *heap, uint32_t at, struct heap_entry entry)
{
    heap->entries[at] = entry;
    heap->positions[entry.id] = at + 1;
}

/* Moves `entry` from the hole at `at` to where it belongs, upwards first, then downwards. */
static void sift(struct heap *heap, uint32_t at, struct heap_entry entry)
{
    while (at > 0 && entry.due_ns < heap->entries[(at - 1) / 2].due_ns) {
        place(heap, at, heap->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child + 1 < heap->count && heap->entries[child + 1].due_ns < heap->entries[child].due_ns)
            child++;
        if (child >= heap->count || heap->entries[child].due_ns >= entry.due_ns)
            break;
        place(heap, at, heap->entries[child]);
        at = child;
    }
    place(heap, at, entry);
}

static void take_out(struct heap *heap, uint32_t id)
{
    uint32_t at = heap->positions[id] - 1;
    struct heap_entry last = heap->entries[--heap->count];

    heap->positions[id] = 0;
    if (last.id != id)
        sift(heap, at, last);
}

void heap_set(struct heap *heap, uint32_t id, nsec_t due_ns)
{
    assert(id < heap->capacity);
    if (due_ns == NSEC_NEVER) {
        if (heap->positions[id])
            take_out(heap, id);
        return;
    }
    uint32_t at = heap->positions[id] ? heap->positions[id] - 1 : heap->count++;
    sift(heap, at, (struct heap_entry){.due_ns = due_ns, .id = id});
}

nsec_t heap_due(const struct heap *heap, uint32_t id)
{
    assert(id < heap->capacity);
    return heap->positions[id] ? heap->entries[heap->positions[id] - 1].due_ns : NSEC_NEVER;
}

nsec_t heap_first(const struct heap *heap, uint32_t *ret_id)
{
    if (heap->count == 0)
        return NSEC_NEVER;
    if (ret_id)
        *ret_id = heap->entries[0].id;
    return heap->entries[0].due_ns;
}
