/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-bound release of resources, by the compiler's cleanup attribute. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_close_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

#define CLEANUP_FREE CLEANUP(cleanup_free_pointer)
#define CLEANUP_CLOSE CLEANUP(cleanup_close_fd)
#define CLEANUP_FILE CLEANUP(cleanup_close_file)

/* Hands a pointer or fd over to someone else: the variable no longer owns it. */
#define TAKE_POINTER(pointer)                    \
    ({                                           \
        __typeof__(pointer) *_slot = &(pointer); \
        __typeof__(pointer) _taken = *_slot;     \
        *_slot = NULL;                           \
        _taken;                                  \
    })
#define TAKE_FD(fd)          \
    ({                       \
        int *_slot = &(fd);  \
        int _taken = *_slot; \
        *_slot = -EBADF;     \
        _taken;              \
    })
