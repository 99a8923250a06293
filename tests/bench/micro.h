/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Micro-benches: fixed work of one folder, measured apart from its preparation. A program micro_FOLDER_what.c links
 * what FOLDER may know, as a unit test does, and lists its workloads in micro_main.
 *
 *   micro_x          times each workload: one line of JSON each, the best of some runs
 *   micro_x list     their names
 *   micro_x NAME     runs one once; callgrind collects inside `measured` (counts.py)
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MICRO_RUNS 5

struct micro {
    const char *name;
    unsigned operations; /* of which one run consists: what a single one costs is told */
    void (*prepare)(unsigned operations);
    void (*run)(unsigned operations);
    void (*clean)(void); /* may be NULL */
};

/* Ends the program where the work was not done: a bench of nothing would be quick. */
#define MICRO_MUST(condition)                                               \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

/* The name that callgrind is told: a function of its own, whatever the compiler thinks. */
__attribute__((noinline)) static void measured(const struct micro *micro)
{
    micro->run(micro->operations);
    __asm__ volatile("" ::: "memory");
}

static inline int64_t micro_once_ns(const struct micro *micro)
{
    struct timespec before, after;

    micro->prepare(micro->operations);
    clock_gettime(CLOCK_MONOTONIC, &before);
    measured(micro);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (micro->clean)
        micro->clean();
    return (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 + (after.tv_nsec - before.tv_nsec);
}

static inline void micro_time(const struct micro *micro)
{
    int64_t best_ns = INT64_MAX;

    for (int i = 0; i < MICRO_RUNS; i++) {
        int64_t ns = micro_once_ns(micro);

        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("{\"workload\": \"%s\", \"operations\": %u, \"best_ns\": %lld, \"ns_each\": %.1f}\n", micro->name,
           micro->operations, (long long)best_ns, (double)best_ns / micro->operations);
}

static inline int micro_main(int argc, char **argv, const struct micro *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (argc < 2)
            micro_time(&list[i]);
        else if (strcmp(argv[1], "list") == 0)
            puts(list[i].name);
        else if (strcmp(argv[1], list[i].name) == 0)
            return micro_once_ns(&list[i]) < 0;
    }
    return argc > 1 && strcmp(argv[1], "list") != 0;
}
