/* SPDX-License-Identifier: Apache-2.0 */
/* Many sources at once, many addresses, long times; and how fast a world runs. */
#include "tests/sim/libscene.h"

#include <time.h>

#define SOURCES 200

struct crowd {
    struct sim_world *world;
    struct sim_segment *lan;
    struct sim_host *target;
    struct sim_host *sources[SOURCES];
    struct sim_nic *target_nic;
    struct sim_agent *agent;
};

static void name_ip(unsigned source, char text[static IP_ADDRESS_TEXT])
{
    snprintf(text, IP_ADDRESS_TEXT, "198.18.%u.%u", 1 + source / 100, 1 + source % 100);
}

static struct sim_host *crowd_host(struct crowd *c, const char *name, const char *ip, struct sim_nic **ret)
{
    struct sim_host *host = sim_host_new(c->world, name);
    char text[IP_ADDRESS_TEXT + 4];

    *ret = sim_nic_new(host, "eth0", c->lan);
    snprintf(text, sizeof text, "%s/15", ip);
    sim_nic_add(*ret, text);
    return host;
}

/* 200 sources of one address each, a gateway, and the target. */
static void crowd_begin(struct crowd *c, const char *defaults)
{
    char *text = NULL, ip[IP_ADDRESS_TEXT], name[16];
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    struct sim_nic *nic;

    assert_non_null(file);
    *c = (struct crowd){.world = sim_world_new(sim_seed())};
    c->lan = sim_segment_new(c->world);
    crowd_host(c, "gateway", "198.18.0.1", &nic);
    c->target = crowd_host(c, "target", "198.18.0.2", &c->target_nic);
    c->target->gateways[0] = nic->addresses[0].ip;
    fprintf(file, "%s\n", defaults);
    for (unsigned i = 0; i < SOURCES; i++) {
        name_ip(i, ip);
        snprintf(name, sizeof name, "s%u", i);
        c->sources[i] = crowd_host(c, name, ip, &nic);
        fprintf(file, "source %s { nic eth0 { %s/15 dev eth0 } }\n", name, ip);
    }
    fclose(file);
    c->agent = sim_agent_start(c->target, text);
    free(text);
}

static void crowd_run(struct crowd *c, nsec_t for_ns)
{
    sim_run(c->world, for_ns);
    if (c->world->n_violations > 0)
        fail_msg("%s (seed %" PRIu64 ")", c->world->violation, c->world->seed);
}

static unsigned count_held(const struct crowd *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SOURCES; i++) {
        char ip[IP_ADDRESS_TEXT];

        name_ip(i, ip);
        n += sim_host_holds(c->target, ip);
    }
    return n;
}

static void all_sources_at_once(void **state)
{
    struct crowd c;
    nsec_t crash_ns, last_ns = 0;

    (void)state;
    crowd_begin(&c, "");
    crowd_run(&c, 3 * NSEC_PER_SEC);
    crash_ns = c.world->clock.now_ns;
    for (unsigned i = 0; i < SOURCES; i++)
        sim_host_set_alive(c.sources[i], false);
    crowd_run(&c, 3 * NSEC_PER_SEC);
    assert_int_equal(count_held(&c), SOURCES);
    assert_int_equal(sim_agent_did(c.agent, SIM_CLAIM, NULL), SOURCES);
    for (size_t i = 0; i < c.agent->n_deeds; i++)
        if (c.agent->deeds[i].kind == SIM_CLAIM && c.agent->deeds[i].at_ns > last_ns)
            last_ns = c.agent->deeds[i].at_ns;
    /* Their phases are spread over an interval; beyond that, many take no longer than one. */
    assert_in_range(last_ns - crash_ns, 800 * NSEC_PER_MSEC, 1020 * NSEC_PER_MSEC);
    sim_world_free(c.world);
}

static void one_source_of_many(void **state)
{
    struct crowd c;
    char ip[IP_ADDRESS_TEXT];

    (void)state;
    crowd_begin(&c, "defaults { interval 20ms; misses 3 }");
    crowd_run(&c, 3 * NSEC_PER_SEC);
    sim_host_set_alive(c.sources[77], false);
    crowd_run(&c, 3 * NSEC_PER_SEC);
    name_ip(77, ip);
    assert_true(sim_host_holds(c.target, ip));
    assert_int_equal(count_held(&c), 1);
    sim_world_free(c.world);
}

static void many_and_we_are_cut_off(void **state)
{
    struct crowd c;

    (void)state;
    crowd_begin(&c, "defaults { interval 20ms; misses 3 }");
    crowd_run(&c, 3 * NSEC_PER_SEC);
    sim_nic_set_faults(c.target_nic, &(struct sim_faults){.drop_in = true});
    crowd_run(&c, 3 * NSEC_PER_SEC);
    sim_nic_set_faults(c.target_nic, &(struct sim_faults){0});
    crowd_run(&c, 3 * NSEC_PER_SEC);
    assert_int_equal(c.agent->n_deeds, 0);
    sim_world_free(c.world);
}

static void many_and_we_stand_still(void **state)
{
    struct crowd c;

    (void)state;
    crowd_begin(&c, "defaults { interval 20ms; misses 3 }");
    crowd_run(&c, 3 * NSEC_PER_SEC);
    for (int i = 0; i < 5; i++) {
        sim_agent_pause(c.agent);
        crowd_run(&c, NSEC_PER_SEC);
        sim_agent_resume(c.agent);
        crowd_run(&c, 300 * NSEC_PER_MSEC);
    }
    assert_int_equal(c.agent->n_deeds, 0);
    sim_world_free(c.world);
}

/* A source that dies and comes back a hundred times, and is given back each time. */
static void a_hundred_takeovers(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { interval 10ms; misses 3 }\n" SCENE_PLAIN);
    for (int i = 0; i < 100; i++) {
        sim_host_set_alive(s.source, false);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, NSEC_PER_SEC) + 100 * NSEC_PER_MSEC);
        assert_holds(&s, SCENE_IP);
        sim_host_set_alive(s.source, true);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, NSEC_PER_SEC));
        sim_agent_command(s.agent, "failback", "web1", NULL);
        scene_run(&s, 500 * NSEC_PER_MSEC);
        assert_state(&s, "up");
        assert_free(&s, SCENE_IP);
    }
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 100);
    scene_end(&s);
}

static double wall_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / NSEC_PER_SEC;
}

/* Ten healthy hours of two hosts at 200 ms; how many such hours pass in a second of ours is told. */
static void ten_healthy_hours(void **state)
{
    struct scene s;
    double begun;

    (void)state;
    scene_begin(&s);
    s.agent = sim_agent_start(s.target, "witness none\nsource web1 { nic eth0 { 192.0.2.10/24 dev eth0 } }");
    begun = wall_seconds();
    scene_run(&s, 10 * NSEC_PER_HOUR);
    print_message("# %.0f simulated hours in a second of wall clock\n", 10 / (wall_seconds() - begun));
    assert_state(&s, "up");
    assert_int_equal(sim_agent_said(s.agent, "late"), 0);
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sources_at_once),     cmocka_unit_test(one_source_of_many),
        cmocka_unit_test(many_and_we_are_cut_off), cmocka_unit_test(many_and_we_stand_still),
        cmocka_unit_test(a_hundred_takeovers),     cmocka_unit_test(ten_healthy_hours),
    };

    return scene_tell(tests);
}
