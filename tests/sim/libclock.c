/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/libclock.h"

#include <assert.h>
#include <stdlib.h>

#define MILLION 1000000u

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

void *sim_grow(void *array, size_t n, size_t size)
{
    /* Doubled whenever the number of elements is a power of two. */
    if (n & (n - 1))
        return array;
    array = reallocarray(array, n ? 2 * n : 1, size);
    if (!array)
        abort();
    return array;
}

void sim_clock_init(struct sim_clock *clock)
{
    *clock = (struct sim_clock){.now_ns = NSEC_PER_HOUR};
}

void sim_clock_free(struct sim_clock *clock)
{
    for (size_t i = 0; i < clock->n_events; i++)
        free(clock->events[i].detail);
    free(clock->events);
}

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->sequence < b->sequence;
}

void sim_clock_at(struct sim_clock *clock, nsec_t due_ns, sim_event_fn run, void *object, void *detail)
{
    struct sim_event event = {due_ns, clock->sequence++, run, object, detail};
    size_t at = clock->n_events;

    assert(due_ns >= clock->now_ns);
    clock->events = sim_grow(clock->events, clock->n_events, sizeof event);
    clock->n_events++;
    for (; at > 0 && before(&event, &clock->events[(at - 1) / 2]); at = (at - 1) / 2)
        clock->events[at] = clock->events[(at - 1) / 2];
    clock->events[at] = event;
}

static struct sim_event take_first(struct sim_clock *clock)
{
    struct sim_event first = clock->events[0], last = clock->events[--clock->n_events];
    size_t at = 0, child;

    for (; (child = 2 * at + 1) < clock->n_events; at = child) {
        if (child + 1 < clock->n_events && before(&clock->events[child + 1], &clock->events[child]))
            child++;
        if (before(&last, &clock->events[child]))
            break;
        clock->events[at] = clock->events[child];
    }
    clock->events[at] = last;
    return first;
}

bool sim_clock_step(struct sim_clock *clock, nsec_t until_ns)
{
    struct sim_event event;

    if (clock->n_events == 0 || clock->events[0].due_ns > until_ns) {
        clock->now_ns = until_ns;
        return false;
    }
    event = take_first(clock);
    clock->now_ns = event.due_ns;
    event.run(event.object, event.detail);
    free(event.detail);
    return true;
}

/* splitmix64 */
uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint64_t sim_random_below(struct sim_random *random, uint64_t limit)
{
    return limit ? sim_random_next(random) % limit : 0;
}

bool sim_random_hit(struct sim_random *random, uint32_t ppm)
{
    if (ppm == 0 || ppm >= MILLION)
        return ppm != 0;
    return sim_random_below(random, MILLION) < ppm;
}
