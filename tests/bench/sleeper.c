/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The noise of the machine: how late a sleeper of 1 ms comes that has nothing else to do. SIGTERM ends it; then one
 * line of JSON, in microseconds.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define NSEC 1000000000LL
#define STEP_NS (NSEC / 1000)
/* In steps of 1 us; what is later counts with the last. */
#define BUCKETS 1000000

static uint32_t histogram[BUCKETS];
static volatile sig_atomic_t ended;

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

static uint32_t quantile_us(uint64_t count, double part)
{
    uint64_t seen = 0;

    for (uint32_t i = 0; i < BUCKETS; i++)
        if ((seen += histogram[i]) >= (uint64_t)((double)count * part) && seen > 0)
            return i;
    return 0;
}

int main(void)
{
    struct timespec now;
    uint64_t count = 0;
    int64_t due_ns;

    signal(SIGTERM, on_end);
    clock_gettime(CLOCK_MONOTONIC, &now);
    due_ns = now.tv_sec * NSEC + now.tv_nsec;
    while (!ended) {
        int64_t late_us;

        due_ns += STEP_NS;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){due_ns / NSEC, due_ns % NSEC}, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
        late_us = (now.tv_sec * NSEC + now.tv_nsec - due_ns) / 1000;
        histogram[late_us < 0 ? 0 : late_us < BUCKETS ? late_us : BUCKETS - 1]++;
        count++;
        if (late_us > 1000)
            due_ns += late_us / 1000 * STEP_NS;
    }
    printf("{\"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u}\n", quantile_us(count, 0.5),
           quantile_us(count, 0.99), quantile_us(count, 0.999), quantile_us(count, 1));
    return 0;
}
