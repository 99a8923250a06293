/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/guard/notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/limits.h"

#define CAPACITY_MIN 64

struct notes_entry {
    struct note note;      /* first, so that a note is its entry */
    uint32_t older, newer; /* entries, or 0 */
    uint32_t chain;        /* the next of the same slot, or of the unused ones */
};

static struct notes_entry *entry_at(const struct notes *notes, uint32_t number)
{
    return number == 0 ? NULL : &notes->entries[number - 1];
}

void notes_free(struct notes *notes)
{
    free(notes->entries);
    free(notes->slots);
    *notes = (struct notes){};
}

static bool is_same(const struct guard_held *a, const struct guard_held *b)
{
    return a->ifindex == b->ifindex && a->prefix == b->prefix && ip_address_equal(&a->ip, &b->ip);
}

/* The link that leads to the entry about `held`; where there is none, the link in which it would stand: it is 0. */
static uint32_t *find(const struct notes *notes, const struct guard_held *held)
{
    uint64_t hash = ip_address_hash(&held->ip, (uint64_t)held->ifindex);
    uint32_t *link = &notes->slots[hash & (notes->capacity - 1)];

    while (*link != 0 && !is_same(&entry_at(notes, *link)->note.held, held))
        link = &entry_at(notes, *link)->chain;
    return link;
}

static int grow(struct notes *notes)
{
    uint32_t before = notes->capacity, capacity = before ? before * 2 : CAPACITY_MIN, *slots;
    struct notes_entry *entries;

    entries = reallocarray(notes->entries, capacity, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    notes->entries = entries;
    slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    free(notes->slots);
    notes->slots = slots;
    notes->capacity = capacity;
    for (uint32_t number = notes->oldest; number != 0; number = entries[number - 1].newer) {
        entries[number - 1].chain = 0;
        *find(notes, &entries[number - 1].note.held) = number;
    }
    for (uint32_t number = capacity; number > before; number--) {
        memset(&entries[number - 1], 0, sizeof *entries);
        entries[number - 1].chain = notes->spare;
        notes->spare = number;
    }
    return 0;
}

static void append(struct notes *notes, uint32_t number)
{
    struct notes_entry *entry = entry_at(notes, number);

    entry->older = notes->newest;
    entry->newer = 0;
    if (notes->newest != 0)
        entry_at(notes, notes->newest)->newer = number;
    else
        notes->oldest = number;
    notes->newest = number;
}

static void detach(struct notes *notes, const struct notes_entry *entry)
{
    *(entry->older != 0 ? &entry_at(notes, entry->older)->newer : &notes->oldest) = entry->newer;
    *(entry->newer != 0 ? &entry_at(notes, entry->newer)->older : &notes->newest) = entry->older;
}

/* Field by field, so that the padding stays zero: notes are sent as they are in memory. */
static void write_note(struct note *note, const struct guard_held *held, bool holds)
{
    note->held.ifindex = held->ifindex;
    note->held.ip = held->ip;
    note->held.prefix = held->prefix;
    note->holds = holds;
}

int notes_put(struct notes *notes, const struct guard_held *held, bool holds)
{
    uint32_t number = notes->capacity > 0 ? *find(notes, held) : 0;
    struct notes_entry *entry;
    int error;

    if (number != 0) {
        detach(notes, entry_at(notes, number));
    } else {
        if (notes->n >= LIMIT_ADDRESSES)
            return -ENOMEM;
        error = notes->spare == 0 ? grow(notes) : 0;
        if (error < 0)
            return error;
        number = notes->spare;
        entry = entry_at(notes, number);
        notes->spare = entry->chain;
        *find(notes, held) = number;
        entry->chain = 0;
        notes->n++;
    }
    write_note(&entry_at(notes, number)->note, held, holds);
    append(notes, number);
    return 0;
}

void notes_take(struct notes *notes, const struct guard_held *held)
{
    uint32_t *link = notes->capacity > 0 ? find(notes, held) : NULL, number = link ? *link : 0;
    struct notes_entry *entry = entry_at(notes, number);

    if (!entry)
        return;
    detach(notes, entry);
    *link = entry->chain;
    entry->chain = notes->spare;
    notes->spare = number;
    notes->n--;
}

const struct note *notes_oldest(const struct notes *notes)
{
    return (const struct note *)entry_at(notes, notes->oldest);
}

const struct note *notes_newest(const struct notes *notes)
{
    return (const struct note *)entry_at(notes, notes->newest);
}

const struct note *notes_after(const struct notes *notes, const struct note *note)
{
    return (const struct note *)entry_at(notes, ((const struct notes_entry *)note)->newer);
}

const struct note *notes_before(const struct notes *notes, const struct note *note)
{
    return (const struct note *)entry_at(notes, ((const struct notes_entry *)note)->older);
}
