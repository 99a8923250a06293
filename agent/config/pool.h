/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for many small texts that end together. */
#pragma once

#include <stddef.h>

struct pool;

/* Zeroed memory, aligned for anything, until the pool ends; *pool is NULL at first. NULL where memory ran out. */
void *pool_alloc(struct pool **pool, size_t size);
/* A copy of `size` bytes; of `length` bytes of text, with a NUL behind them. */
void *pool_copy(struct pool **pool, const void *from, size_t size);
char *pool_text(struct pool **pool, const char *text, size_t length);
/* Ends it, and leaves nothing of what stood in it: secrets may be among that. NULL is none. */
void pool_free(struct pool *pool);
