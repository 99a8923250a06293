/* SPDX-License-Identifier: Apache-2.0 */
/* The source comes back while its addresses are held; somebody pretends that it does; two targets hold the same. */
#include "tests/sim/libdad.h"
#include "tests/sim/libscene.h"

#define FAST "defaults { interval 10ms; misses 3; failback automatic }\n" SCENE_PLAIN
#define MANUAL "defaults { interval 10ms; misses 3 }\n" SCENE_PLAIN
#define PATIENT "defaults { interval 10ms; misses 3; failback automatic; hold-down 30s }\n" SCENE_PLAIN

static void it_gets_its_addresses_back_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 30; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        scene_hold(&s, FAST);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, NSEC_PER_SEC));
        sim_host_set_alive(s.source, true);
        if (seed % 2)
            sim_host_announce(s.source);
        scene_run(&s, NSEC_PER_SEC);
        assert_free(&s, SCENE_IP);
        assert_free(&s, SCENE_IP6);
        assert_state(&s, "up");
        /* Whoever has a stale entry is told until it believes. */
        sim_client_forget(s.pings);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_int_equal(sim_client_answers(s.pings, s.target), 0);
        assert_in_range(sim_agent_did(s.agent, SIM_ANNOUNCE_SOURCE, SCENE_IP), 3, 6);
        /* And stands in once more. */
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        assert_holds(&s, SCENE_IP);
        scene_end(&s);
    }
}

static void it_keeps_what_it_probes_for(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 30; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        scene_hold(&s, FAST);
        sim_host_return_with_dad(s.source);
        scene_run(&s, 10 * NSEC_PER_SEC);
        assert_int_equal(sim_host_dad_failures(s.source), 0);
        assert_free(&s, SCENE_IP);
        assert_free(&s, SCENE_IP6);
        assert_state(&s, "up");
        sim_client_forget(s.pings);
        scene_run(&s, NSEC_PER_SEC);
        assert_true(sim_client_answers(s.pings, s.source) >= 99);
        scene_end(&s);
    }
}

static void under_manual_it_is_told_that_it_may_not(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, MANUAL);
    sim_host_return_with_dad(s.source);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_int_equal(sim_host_dad_failures(s.source), 2);
    assert_holds(&s, SCENE_IP);
    assert_true(sim_agent_said(s.agent, "wants to use 192.0.2.10") > 0);
    assert_true(sim_client_answers(s.pings, s.target) >= 1000);
    scene_end(&s);
}

static void it_has_to_stay_for_the_hold_down(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, PATIENT);
    sim_host_set_alive(s.source, true);
    scene_run(&s, 20 * NSEC_PER_SEC);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    sim_host_set_alive(s.source, true);
    scene_run(&s, 29 * NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    assert_state(&s, "up");
    scene_end(&s);
}

/* Its answers to pings do not show its MAC: neighbours are told all the same. */
static void who_is_only_pinged_is_announced_too(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, "defaults { interval 10ms; misses 3; probe icmp }\n" SCENE_PLAIN);
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "disarmed");
    sim_host_set_alive(s.source, true);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "up");
    assert_in_range(sim_agent_did(s.agent, SIM_ANNOUNCE_SOURCE, SCENE_IP), 3, 6);
    sim_client_forget(s.pings);
    scene_run(&s, NSEC_PER_SEC);
    assert_true(sim_client_answers(s.pings, s.source) >= 99);
    scene_end(&s);
}

/* A captured frame of the source, sent again and again by somebody else. */
static void a_replayed_announcement_changes_nothing(void **state)
{
    struct scene s;
    struct arp_frame link;
    struct sim_frame frame;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    arp_frame_announce_request(&link, &s.source_nic->mac, &s.source_nic->mac, &s.pings->to);
    frame = sim_frame_of_link(&link);
    for (int i = 0; i < 1000; i++) {
        sim_nic_send(s.client_nic, &frame);
        scene_run(&s, 10 * NSEC_PER_MSEC);
    }
    assert_holds(&s, SCENE_IP);
    assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, SCENE_IP), 0);
    assert_int_equal(sim_agent_said(s.agent, "the source is back"), 0);
    scene_end(&s);
}

/* A captured probe: the address is free for some seconds, claimed again, and in the end no longer given away. */
static void a_replayed_probe_is_believed_three_times(void **state)
{
    struct scene s;
    struct arp_frame link;
    struct sim_frame frame;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    arp_frame_request(&link, &s.source_nic->mac, &(struct ip_address){0}, &s.pings->to, &(struct mac_address){{0}});
    frame = sim_frame_of_link(&link);
    for (int i = 0; i < 20; i++) {
        sim_nic_send(s.client_nic, &frame);
        scene_run(&s, 12 * NSEC_PER_SEC);
        assert_holds(&s, SCENE_IP);
    }
    assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, SCENE_IP), 3);
    scene_end(&s);
}

/* It is back, and dies at once: nobody has to approve what follows. */
static void it_returns_and_dies_again(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 30; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        scene_hold(&s, FAST);
        if (seed % 2)
            sim_host_return_with_dad(s.source);
        else
            sim_host_set_alive(s.source, true);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 5 * NSEC_PER_SEC));
        sim_host_set_alive(s.source, false);
        scene_run(&s, 12 * NSEC_PER_SEC);
        assert_holds(&s, SCENE_IP);
        scene_end(&s);
    }
}

static struct sim_agent *second_target(struct scene *s, struct sim_nic **ret, const char *ipmap)
{
    struct sim_host *host = scene_host(s, "second", "21", ret);

    assert_int_equal(ip_address_parse("192.0.2.1", &host->gateways[0]), 0);
    return sim_agent_start(host, ipmap);
}

/*
 * One of two targets is cut off, and both claim. Once the network is whole, one of them gives way within the time in
 * which everybody is asked, and the other one serves.
 */
static void two_holders_settle_it(void **state)
{
    static const char *const maps[] = {FAST, MANUAL};

    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 40; seed++) {
        struct scene s;
        struct sim_nic *second;
        struct sim_agent *agent;
        struct sim_faults gone = {.drop_in = true, .drop_out = true};
        nsec_t since_ns;

        scene_begin_with(&s, seed);
        agent = second_target(&s, &second, maps[seed % 2]);
        scene_watch(&s, maps[seed % 2]);
        /* What the second one cannot see any more, it has as its own witness: it is forced. */
        sim_host_set_alive(s.source, false);
        sim_nic_set_faults(second, &gone);
        scene_run(&s, 2 * NSEC_PER_SEC);
        assert_holds(&s, SCENE_IP);
        sim_agent_force(agent, "web1");
        scene_run(&s, NSEC_PER_SEC + (nsec_t)sim_random_below(&s.world->random, 5 * NSEC_PER_SEC));
        assert_true(sim_overlaps(s.world, SCENE_IP));
        sim_nic_set_faults(second, &(struct sim_faults){0});
        since_ns = scene_now(&s);
        while (sim_overlaps(s.world, SCENE_IP) || sim_overlaps(s.world, SCENE_IP6)) {
            scene_run(&s, 10 * NSEC_PER_MSEC);
            assert_true(scene_now(&s) - since_ns < 2 * NSEC_PER_SEC);
        }
        assert_true(sim_host_holds(s.target, SCENE_IP) || sim_host_holds(second->host, SCENE_IP));
        sim_client_forget(s.pings);
        scene_run(&s, 20 * NSEC_PER_SEC);
        assert_true(sim_host_holds(s.target, SCENE_IP) != sim_host_holds(second->host, SCENE_IP));
        /* Not a ping more is lost, and nobody is told of a source that is not there. */
        assert_true(sim_client_answers(s.pings, s.target) + sim_client_answers(s.pings, second->host) >= 1999);
        assert_int_equal(
            sim_agent_did(s.agent, SIM_ANNOUNCE_SOURCE, NULL) + sim_agent_did(agent, SIM_ANNOUNCE_SOURCE, NULL), 0);
        /* The source comes back: whoever holds knows it, whoever watches does. */
        sim_host_set_alive(s.source, true);
        scene_run(&s, 2 * NSEC_PER_SEC);
        if (seed % 2 == 0)
            assert_false(sim_host_holds(s.target, SCENE_IP) || sim_host_holds(second->host, SCENE_IP));
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gets_its_addresses_back_at_once),
        cmocka_unit_test(it_keeps_what_it_probes_for),
        cmocka_unit_test(under_manual_it_is_told_that_it_may_not),
        cmocka_unit_test(it_has_to_stay_for_the_hold_down),
        cmocka_unit_test(who_is_only_pinged_is_announced_too),
        cmocka_unit_test(a_replayed_announcement_changes_nothing),
        cmocka_unit_test(a_replayed_probe_is_believed_three_times),
        cmocka_unit_test(it_returns_and_dies_again),
        cmocka_unit_test(two_holders_settle_it),
    };

    return scene_tell(tests);
}
