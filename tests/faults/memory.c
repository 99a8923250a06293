/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocations of the product: objcopy has renamed its malloc to fault_malloc, and so on. What lives is kept in a
 * table, so that a leak shows also without a sanitizer; all that frees comes by (--wrap=free).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/fault.h"

/* A power of two, far more than what ever lives. */
#define SLOTS (1u << 16)

void __wrap_free(void *memory);
void __real_free(void *memory);
void *fault_calloc(size_t n, size_t size);
void *fault_realloc(void *memory, size_t size);
void *fault_reallocarray(void *memory, size_t n, size_t size);
char *fault_strdup(const char *text);
FILE *fault_open_memstream(char **text, size_t *size);
int fault_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fault_asprintf_chk(char **ret, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int fault_vasprintf(char **ret, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
int fault_vasprintf_chk(char **ret, int flag, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static uintptr_t living[SLOTS]; /* by hash; 0: never used; 1: freed */
static size_t n_living;

static size_t slot_of(uintptr_t address)
{
    return address >> 4 & (SLOTS - 1);
}

static void *born(void *memory)
{
    size_t slot = slot_of((uintptr_t)memory);

    if (!memory)
        return NULL;
    while (living[slot] > 1)
        slot = (slot + 1) & (SLOTS - 1);
    living[slot] = (uintptr_t)memory;
    if (++n_living > SLOTS / 2)
        abort();
    return memory;
}

/* What is not known came from a library, such as the text of a memory stream. */
static void died(uintptr_t address)
{
    size_t slot = slot_of(address), looked = 0;

    while (address != 0 && living[slot] != 0 && looked++ < SLOTS) {
        if (living[slot] == address) {
            living[slot] = 1;
            n_living--;
            return;
        }
        slot = (slot + 1) & (SLOTS - 1);
    }
}

size_t fault_living(void)
{
    return n_living;
}

/* Whether this allocation is to fail. */
static bool fails(void)
{
    int error = fault_hit(FAULT_MEMORY);

    if (error)
        errno = error;
    return error != 0;
}

void *fault_malloc(size_t size)
{
    return fails() ? NULL : born(malloc(size));
}

void __wrap_free(void *memory)
{
    died((uintptr_t)memory);
    __real_free(memory);
}

void *fault_calloc(size_t n, size_t size)
{
    return fails() ? NULL : born(calloc(n, size));
}

void *fault_reallocarray(void *memory, size_t n, size_t size)
{
    void *grown;

    if (fails())
        return NULL;
    died((uintptr_t)memory);
    grown = reallocarray(memory, n, size);
    if (!grown)
        abort();
    return born(grown);
}

void *fault_realloc(void *memory, size_t size)
{
    return fault_reallocarray(memory, 1, size);
}

char *fault_strdup(const char *text)
{
    return fails() ? NULL : born(strdup(text));
}

FILE *fault_open_memstream(char **text, size_t *size)
{
    return fails() ? NULL : open_memstream(text, size);
}

int fault_vasprintf(char **ret, const char *format, va_list arguments)
{
    int length;

    if (fails()) {
        *ret = NULL;
        return -1;
    }
    length = vasprintf(ret, format, arguments);
    if (length < 0)
        abort();
    born(*ret);
    return length;
}

int fault_vasprintf_chk(char **ret, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return fault_vasprintf(ret, format, arguments);
}

int fault_asprintf(char **ret, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = fault_vasprintf(ret, format, arguments);
    va_end(arguments);
    return length;
}

int fault_asprintf_chk(char **ret, int flag, const char *format, ...)
{
    va_list arguments;
    int length;

    (void)flag;
    va_start(arguments, format);
    length = fault_vasprintf(ret, format, arguments);
    va_end(arguments);
    return length;
}
