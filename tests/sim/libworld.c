/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/libworld.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libclient.h"

uint64_t sim_seed(void)
{
    static uint64_t seed;
    const char *text = getenv("SEED");

    if (seed == 0) {
        seed = text ? strtoull(text, NULL, 0) : 1;
        printf("# SEED=%llu\n", (unsigned long long)seed);
        fflush(stdout);
    }
    return seed;
}

struct sim_world *sim_world_new(uint64_t seed)
{
    struct sim_world *world = sim_alloc(sizeof *world);

    world->seed = world->random.state = seed;
    world->talks = getenv("SIM_LOG") != NULL;
    sim_clock_init(&world->clock);
    return world;
}

void sim_world_free(struct sim_world *world)
{
    for (size_t i = 0; i < world->n_hosts; i++) {
        sim_agent_free(world->hosts[i]->agent);
        free(world->hosts[i]->client);
    }
    sim_clock_free(&world->clock);
    for (size_t i = 0; i < world->n_hosts; i++)
        sim_host_free(world->hosts[i]);
    for (size_t i = 0; i < world->n_segments; i++)
        sim_segment_free(world->segments[i]);
    free(world->hosts);
    free(world->segments);
    free(world->overlaps);
    free(world);
}

void sim_run(struct sim_world *world, nsec_t for_ns)
{
    nsec_t until_ns = world->clock.now_ns + for_ns;

    while (world->n_violations == 0 && sim_clock_step(&world->clock, until_ns))
        continue;
}

void sim_violate(struct sim_world *world, const char *format, ...)
{
    va_list arguments;

    if (world->n_violations++ > 0)
        return;
    va_start(arguments, format);
    vsnprintf(world->violation, sizeof world->violation, format, arguments);
    va_end(arguments);
}
