/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of indexes into an array that somebody else keeps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lookup {
    uint32_t *slots; /* index + 1; 0: free */
    size_t size;     /* slots, a power of two; 0: none yet */
    size_t used;
};

/* Whether the element at `index` is the one that `key` asks for. */
typedef bool (*lookup_equal_fn)(const void *userdata, size_t index, const void *key);

/* SIZE_MAX where there is none. */
size_t lookup_find(const struct lookup *lookup, uint64_t hash, lookup_equal_fn equal, const void *userdata,
                   const void *key);
/* Makes room for one more. `hash` gives the hash of the element at an index. 0 or -ENOMEM. */
int lookup_reserve(struct lookup *lookup, uint64_t (*hash)(const void *userdata, size_t index), const void *userdata);
/* Adds an element that is not there; room must have been made. */
void lookup_add(struct lookup *lookup, uint64_t hash, size_t index);
void lookup_free(struct lookup *lookup);

uint64_t lookup_hash_text(const char *text, size_t length);
