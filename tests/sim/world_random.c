/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worlds that a seed chooses: faults and orders at random, with the invariants of libjudge.c after every step; then all
 * is mended, and the agent must stand in once more. A failure names the seed of its world: SEED=that plays it first.
 */
#include <errno.h>

#include "tests/sim/libscene.h"

#define WORLDS 100
#define FAULTS 200
/* Between two faults at most. */
#define PAUSE_NS (400 * NSEC_PER_MSEC)
/* In a mended world everything is settled after this. */
/* A neighbour cache may keep what our own other NIC answered for half a minute. */
#define SETTLED_NS (40 * NSEC_PER_SEC)

static const char *const maps[] = {
    "defaults { interval 10ms; misses 3 }\n"
    "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 or eth1; 2001:db8::10/64 dev eth1 or eth0 } }",
    "defaults { interval 20ms; misses 4 }\n"
    "source web1 { probe icmp; nic eth0 { 192.0.2.10/24 dev eth0; 2001:db8::10/64 dev eth1 } }",
};

static void random_order(struct scene *s)
{
    static const char *const orders[] = {"failback", "approve", "deny", "pause", "resume", "failover"};

    if (!s->agent->paused)
        sim_agent_command(s->agent, orders[sim_random_below(&s->world->random, 6)], "web1", NULL);
}

static void random_cable(struct scene *s, struct sim_nic *nic)
{
    struct sim_random *r = &s->world->random;

    if (sim_random_hit(r, 500000))
        sim_nic_connect(nic, sim_random_hit(r, 600000));
    else
        sim_nic_set_faults(
            nic, &(struct sim_faults){.drop_in = sim_random_hit(r, 300000), .drop_out = sim_random_hit(r, 300000)});
}

static void random_kernel(struct scene *s, struct sim_nic *nic)
{
    struct sim_random *r = &s->world->random;

    s->agent->claim_delay_ns = (nsec_t)sim_random_below(r, 300 * NSEC_PER_MSEC);
    nic->refuse_claims = sim_random_hit(r, 300000) ? -ENOSPC : 0;
}

static void random_fault(struct scene *s, struct sim_nic *second, const char *map)
{
    struct sim_random *r = &s->world->random;
    struct sim_nic *nic = sim_random_hit(r, 500000) ? s->target_nic : second;

    switch (sim_random_below(r, 9)) {
    case 0:
    case 1:
        sim_host_set_alive(s->source, sim_random_hit(r, 600000));
        break;
    case 2:
        sim_host_set_alive(s->gateway, sim_random_hit(r, 700000));
        break;
    case 3:
        random_cable(s, nic);
        break;
    case 4:
        random_order(s);
        break;
    case 5:
        if (s->agent->paused)
            sim_agent_resume(s->agent);
        else
            sim_agent_pause(s->agent);
        break;
    case 6:
        random_kernel(s, nic);
        break;
    case 7:
        if (sim_random_hit(r, 700000))
            sim_agent_kill(s->agent);
        else
            sim_agent_reboot(s->agent);
        sim_agent_begin(s->agent, map);
        break;
    default:
        if (!s->agent->paused)
            sim_agent_reload(s->agent, map);
        break;
    }
}

static void mend(struct scene *s, struct sim_nic *second)
{
    if (s->agent->paused)
        sim_agent_resume(s->agent);
    sim_nic_connect(s->target_nic, true);
    sim_nic_connect(second, true);
    sim_nic_set_faults(s->target_nic, &(struct sim_faults){0});
    sim_nic_set_faults(second, &(struct sim_faults){0});
    s->target_nic->refuse_claims = second->refuse_claims = 0;
    sim_host_set_alive(s->gateway, true);
    sim_host_set_alive(s->source, true);
}

static void expect_state(struct scene *s, uint64_t seed, const char *state)
{
    const char *found = sim_agent_state(s->agent, "web1", "eth0");

    if (strcmp(found, state) != 0)
        fail_msg("SEED=%llu: %s instead of %s: %s", (unsigned long long)seed, found, state,
                 sim_agent_reason(s->agent, "web1", "eth0"));
}

static void play(uint64_t seed, const char *map)
{
    struct scene s;
    struct sim_nic *second;

    scene_begin_with(&s, seed);
    second = sim_nic_new(s.target, "eth1", s.lan);
    sim_nic_add(second, "192.0.2.21/24");
    sim_nic_add(second, "2001:db8::21/64");
    scene_watch(&s, map);
    for (int i = 0; i < FAULTS && s.world->n_violations == 0; i++) {
        sim_run(s.world, (nsec_t)sim_random_below(&s.world->random, PAUSE_NS));
        random_fault(&s, second, map);
    }
    mend(&s, second);
    sim_run(s.world, SETTLED_NS);
    sim_agent_command(s.agent, "resume", "web1", NULL);
    sim_agent_command(s.agent, "failback", "web1", NULL);
    sim_run(s.world, SETTLED_NS);
    if (s.world->n_violations > 0)
        fail_msg("SEED=%llu: %s", (unsigned long long)seed, s.world->violation);
    expect_state(&s, seed, "up");
    assert_false(sim_host_holds(s.target, SCENE_IP));
    sim_host_set_alive(s.source, false);
    sim_run(s.world, SETTLED_NS);
    expect_state(&s, seed, "holding");
    sim_world_free(s.world);
}

static void test_random_worlds(void **state)
{
    uint64_t seed = sim_seed();

    (void)state;
    for (int i = 0; i < WORLDS; i++)
        for (size_t k = 0; k < sizeof maps / sizeof *maps; k++)
            play(seed + (uint64_t)i, maps[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds)};

    return scene_tell(tests);
}
