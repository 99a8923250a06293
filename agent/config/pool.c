/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/pool.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4000

/* A block of memory, of which the first `used` bytes are given away. */
struct pool {
    struct pool *next;
    size_t used;
    size_t size;
    alignas(max_align_t) char bytes[];
};

static struct pool *pool_grow(struct pool **pool, size_t size)
{
    size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    struct pool *block = calloc(1, sizeof *block + room);

    if (!block)
        return NULL;
    block->size = room;
    block->next = *pool;
    *pool = block;
    return block;
}

void *pool_alloc(struct pool **pool, size_t size)
{
    size_t room = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct pool *block = *pool;
    void *memory;

    if (!block || room > block->size - block->used)
        block = pool_grow(pool, room);
    if (!block)
        return NULL;
    memory = block->bytes + block->used;
    block->used += room;
    return memory;
}

void *pool_copy(struct pool **pool, const void *from, size_t size)
{
    void *memory = pool_alloc(pool, size);

    return memory && size > 0 ? memcpy(memory, from, size) : memory;
}

char *pool_text(struct pool **pool, const char *text, size_t length)
{
    char *memory = pool_alloc(pool, length + 1);

    return memory ? memcpy(memory, text, length) : NULL;
}

void pool_free(struct pool *pool)
{
    while (pool) {
        struct pool *next = pool->next;

        explicit_bzero(pool->bytes, pool->used);
        free(pool);
        pool = next;
    }
}
