/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/lookup.h"

#include <errno.h>
#include <stdlib.h>

size_t lookup_find(const struct lookup *lookup, uint64_t hash, lookup_equal_fn equal, const void *userdata,
                   const void *key)
{
    if (lookup->size == 0)
        return SIZE_MAX;
    for (size_t i = hash & (lookup->size - 1); lookup->slots[i]; i = (i + 1) & (lookup->size - 1))
        if (equal(userdata, lookup->slots[i] - 1, key))
            return lookup->slots[i] - 1;
    return SIZE_MAX;
}

void lookup_add(struct lookup *lookup, uint64_t hash, size_t index)
{
    size_t i = hash & (lookup->size - 1);

    while (lookup->slots[i])
        i = (i + 1) & (lookup->size - 1);
    lookup->slots[i] = (uint32_t)index + 1;
    lookup->used++;
}

int lookup_reserve(struct lookup *lookup, uint64_t (*hash)(const void *userdata, size_t index), const void *userdata)
{
    struct lookup larger = {.size = lookup->size ? lookup->size * 2 : 64};

    /* At most half full, so that a search ends soon. */
    if (lookup->used < lookup->size / 2)
        return 0;
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < lookup->size; i++)
        if (lookup->slots[i])
            lookup_add(&larger, hash(userdata, lookup->slots[i] - 1), lookup->slots[i] - 1);
    lookup_free(lookup);
    *lookup = larger;
    return 0;
}

void lookup_free(struct lookup *lookup)
{
    free(lookup->slots);
    *lookup = (struct lookup){0};
}

/* FNV-1a: the names are the administrator's own, nobody chooses collisions. */
uint64_t lookup_hash_text(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
    return hash ^ hash >> 32;
}
