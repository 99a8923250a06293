/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to addresses while they are held: others take them off, cables go, the source comes back. */
#include <errno.h>

#include "tests/sim/libscene.h"

#define FAST "defaults { interval 10ms; misses 3 }\n" SCENE_PLAIN
/* The NIC is in the subnet already: a host prefix. */
#define HELD SCENE_IP "/32"

static void what_others_delete_is_put_back(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    for (int i = 0; i < 3; i++) {
        sim_nic_remove(s.target_nic, HELD);
        scene_run(&s, 20 * NSEC_PER_SEC);
        assert_holds(&s, SCENE_IP);
    }
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 4);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* Who manages the NIC takes all off for a moment, the host's own too: ours may not become the first of the subnet. */
static void what_is_put_back_goes_on_as_it_was(void **state)
{
    struct scene s;
    struct ip_address ip;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    assert_int_equal(ip_address_parse(SCENE_IP, &ip), 0);
    sim_nic_remove(s.target_nic, "192.0.2.20/24");
    scene_run(&s, NSEC_PER_MSEC);
    sim_nic_remove(s.target_nic, HELD);
    scene_run(&s, NSEC_PER_SEC);
    sim_nic_add(s.target_nic, "192.0.2.20/24");
    scene_run(&s, NSEC_PER_SEC);
    assert_non_null(sim_nic_find(s.target_nic, &ip));
    assert_int_equal(sim_nic_find(s.target_nic, &ip)->prefix, 32);
    scene_end(&s);
}

/* Another program that insists is not fought for ever, and the source's own address is not put back over its head. */
static void what_others_keep_deleting(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    for (int i = 0; i < 300; i++) {
        if (sim_host_holds(s.target, SCENE_IP))
            sim_nic_remove(s.target_nic, HELD);
        scene_run(&s, 10 * NSEC_PER_MSEC);
    }
    assert_true(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP) < 50);
    scene_run(&s, 30 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_holds(&s, SCENE_IP);
    scene_end(&s);
}

/* The source is back, and both answer until a person decides. Somebody takes the address off us meanwhile. */
static void what_is_deleted_when_the_source_is_back(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    sim_host_set_alive(s.source, true);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    sim_nic_remove(s.target_nic, HELD);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    assert_holds(&s, SCENE_IP6);
    /* It is watched again, and taken over again when it is lost again. */
    sim_host_set_alive(s.source, false);
    scene_run(&s, 12 * NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    scene_end(&s);
}

/* The same, and the NIC of the source that answered for it first has lost its cable. It is there by another one. */
static void what_is_deleted_when_the_source_is_back_elsewhere(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = sim_nic_new(s.source, "eth1", s.lan);
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){.delay_ns = 100 * NSEC_PER_USEC});
    scene_hold(&s, FAST);
    sim_nic_connect(second, false);
    sim_host_set_alive(s.source, true);
    while (sim_agent_said(s.agent, "the source is back") == 0)
        scene_run(&s, NSEC_PER_MSEC);
    sim_nic_remove(s.target_nic, HELD);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 1);
    assert_holds(&s, SCENE_IP6);
    scene_end(&s);
}

static void held_addresses_follow_the_carrier(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = sim_nic_new(s.target, "eth1", s.lan);
    sim_nic_add(second, "192.0.2.21/24");
    scene_hold(&s, "source web1 { interval 10ms; misses 3; nic eth0 { 192.0.2.10/24 dev eth0 or eth1 } }");
    assert_ptr_equal(sim_host_find(s.target, &s.pings->to), s.target_nic);
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, NSEC_PER_SEC);
    sim_client_forget(s.pings);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_ptr_equal(sim_host_find(s.target, &s.pings->to), second);
    assert_true(sim_client_answers(s.pings, s.target) >= 99);
    /* Both cables out, and one back in. */
    sim_nic_connect(second, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 3 * NSEC_PER_SEC);
    sim_client_forget(s.pings);
    scene_run(&s, NSEC_PER_SEC);
    assert_true(sim_client_answers(s.pings, s.target) >= 99);
    scene_end(&s);
}

/* Nothing can be asked by the fallback NIC, and the source returns meanwhile. */
static void nothing_goes_home_that_cannot_be_asked_for(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = sim_nic_new(s.target, "eth1", s.lan);
    sim_nic_add(second, "192.0.2.21/24");
    scene_hold(&s, "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 or eth1 } }");
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 5 * NSEC_PER_SEC);
    s.agent->refuse_probes = ENOBUFS;
    sim_host_set_alive(s.source, true);
    scene_run(&s, 20 * NSEC_PER_SEC);
    assert_int_equal(sim_agent_said(s.agent, "back on the first choice"), 0);
    s.agent->refuse_probes = 0;
    scene_run(&s, 20 * NSEC_PER_SEC);
    assert_int_equal(sim_agent_said(s.agent, "back on the first choice"), 0);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 20 * NSEC_PER_SEC);
    assert_true(sim_agent_said(s.agent, "back on the first choice") > 0);
    assert_state(&s, "holding");
    scene_end(&s);
}

/*
 * The fallback NIC loses half of what goes by it, so that the source's return is not proved when the way home is due.
 * Of 36 answers each comes with a chance of 1 in 4: none in 1 of 30,000 worlds, and no proof in more than every second.
 */
static void nothing_goes_home_over_a_source_that_may_be_back(void **state)
{
    unsigned unproved = 0;

    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 10; seed++) {
        struct scene s;
        struct sim_nic *second;

        scene_begin_with(&s, seed);
        second = sim_nic_new(s.target, "eth1", s.lan);
        sim_nic_add(second, "192.0.2.21/24");
        sim_nic_add(s.source_nic, "192.0.2.11/24");
        sim_nic_add(s.source_nic, "192.0.2.12/24");
        scene_hold(&s, "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 or eth1; 192.0.2.11/24 dev eth0 or eth1; "
                       "192.0.2.12/24 dev eth0 or eth1 } }");
        sim_nic_connect(s.target_nic, false);
        scene_run(&s, 3 * NSEC_PER_SEC);
        sim_nic_connect(s.target_nic, true);
        scene_run(&s, 7 * NSEC_PER_SEC);
        sim_nic_set_faults(second, &(struct sim_faults){.loss_in_ppm = 500000, .loss_out_ppm = 500000});
        sim_host_set_alive(s.source, true);
        scene_run(&s, 3 * NSEC_PER_SEC + 500 * NSEC_PER_MSEC);
        unproved += sim_agent_said(s.agent, "the source is back") == 0;
        assert_int_equal(sim_agent_said(s.agent, "back on the first choice"), 0);
        scene_end(&s);
    }
    print_message("# the source was back, and not proved, in %u worlds of 10\n", unproved);
}

/* The target NIC of one address has no carrier from before the agent started until after the takeover of the other. */
static void what_was_never_seen_follows_its_nic(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = sim_nic_new(s.target, "eth1", s.lan);
    sim_nic_add(second, "192.0.2.21/24");
    sim_nic_add(s.source_nic, "192.0.2.11/24");
    sim_nic_connect(s.target_nic, false);
    scene_hold(&s, "source web1 { trigger any; nic eth0 { 192.0.2.10/24 dev eth0; 192.0.2.11/24 dev eth1 } }");
    assert_holds(&s, "192.0.2.11");
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    scene_end(&s);
}

/* The source comes back while the addresses are on their way from one NIC to the other. */
static void the_source_returns_during_a_move(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 50; seed++) {
        struct scene s;
        struct sim_nic *second;

        scene_begin_with(&s, seed);
        second = sim_nic_new(s.target, "eth1", s.lan);
        sim_nic_add(second, "192.0.2.21/24");
        scene_hold(&s, "source web1 { interval 10ms; misses 3; nic eth0 { 192.0.2.10/24 dev eth0 or eth1 } }");
        s.agent->claim_delay_ns = 100 * NSEC_PER_MSEC;
        sim_nic_connect(s.target_nic, false);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 100 * NSEC_PER_MSEC));
        sim_host_set_alive(s.source, true);
        /* Whatever came of it: given back, all is well. */
        scene_run(&s, 3 * NSEC_PER_SEC);
        sim_agent_command(s.agent, "failback", "web1", NULL);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_free(&s, SCENE_IP);
        assert_state(&s, "up");
        scene_end(&s);
    }
}

/* Between two cables, one of which works, or none, for some seconds. Now and then this host stands still, the witness
 * goes, or comes back. */
static void shake(struct scene *s, struct sim_nic *second)
{
    for (int i = 0; i < 8; i++) {
        uint64_t what = sim_random_below(&s->world->random, 5);

        if (what == 4) {
            sim_host_set_alive(s->gateway, !s->gateway->alive);
        } else if (what == 3) {
            sim_agent_pause(s->agent);
            scene_run(s, 300 * NSEC_PER_MSEC);
            sim_agent_resume(s->agent);
        } else {
            sim_nic_connect(s->target_nic, what == 1);
            sim_nic_connect(second, what == 2);
        }
        scene_run(s, (nsec_t)sim_random_below(&s->world->random, 300 * NSEC_PER_MSEC));
    }
}

/* A person approved it once. Whatever cables and this host do meanwhile, it arrives, and nobody is asked again. */
static void much_happens_during_a_move(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 200; seed++) {
        struct scene s;
        struct sim_nic *second;

        scene_begin_with(&s, seed);
        second = sim_nic_new(s.target, "eth1", s.lan);
        sim_nic_add(second, "192.0.2.21/24");
        scene_watch(&s, "source web1 { interval 10ms; misses 3; takeover manual; "
                        "nic eth0 { 192.0.2.10/24 dev eth0 or eth1 } }");
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        sim_agent_command(s.agent, "approve", "web1", NULL);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "holding");
        s.agent->claim_delay_ns = (nsec_t)sim_random_below(&s.world->random, 200 * NSEC_PER_MSEC);
        shake(&s, second);
        sim_host_set_alive(s.gateway, true);
        sim_nic_connect(sim_random_hit(&s.world->random, 500000) ? second : s.target_nic, true);
        scene_run(&s, 3 * NSEC_PER_SEC);
        sim_client_forget(s.pings);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, "holding");
        assert_int_equal(sim_agent_said(s.agent, "awaiting"), 1);
        if (sim_client_answers(s.pings, s.target) < 90)
            fail_msg("nobody serves it (seed %" PRIu64 ")", seed);
        scene_end(&s);
    }
}

/* The cable that it goes to is pulled while the kernel is at it, and the first one put back: no event comes after. */
static void the_cable_goes_while_claiming(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = sim_nic_new(s.target, "eth1", s.lan);
    sim_nic_add(second, "192.0.2.21/24");
    scene_hold(&s, "source web1 { interval 10ms; misses 3; nic eth0 { 192.0.2.10/24 dev eth0 or eth1 } }");
    s.agent->claim_delay_ns = 200 * NSEC_PER_MSEC;
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, 350 * NSEC_PER_MSEC);
    assert_state(&s, "claiming");
    sim_nic_connect(second, false);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_ptr_equal(sim_host_find(s.target, &s.pings->to), s.target_nic);
    scene_end(&s);
}

/* Its NIC is removed and made anew: what was held went with it, and comes back with it. */
static void a_nic_is_made_anew(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 50; seed++) {
        nsec_t away_ns, back_ns;
        struct scene s;

        scene_begin_with(&s, seed);
        scene_hold(&s, SCENE_PLAIN);
        away_ns = (nsec_t)sim_random_below(&s.world->random, NSEC_PER_SEC);
        if (sim_random_hit(&s.world->random, 500000))
            s.target->link_lag_ns = 300 * NSEC_PER_MSEC;
        sim_nic_destroy(s.target_nic);
        scene_run(&s, away_ns);
        if (away_ns > 400 * NSEC_PER_MSEC) {
            assert_state(&s, "blocked");
            assert_reason(&s, "carrier");
            assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 1);
        }
        back_ns = scene_now(&s);
        sim_nic_create_again(s.target_nic, 77);
        sim_nic_add(s.target_nic, "192.0.2.20/24");
        sim_nic_add(s.target_nic, "2001:db8::20/64");
        scene_run(&s, s.target->link_lag_ns + 200 * NSEC_PER_MSEC);
        assert_state(&s, "holding");
        assert_holds(&s, SCENE_IP);
        assert_holds(&s, SCENE_IP6);
        assert_int_equal(sim_agent_said(s.agent, "192.0.2.10 went with eth0"), 1);
        assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 2);
        assert_true(scene_now(&s) - back_ns < NSEC_PER_SEC);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_string_equal(sim_agent_proof(s.agent, "web1", "eth0", SCENE_IP), "confirmed");
        sim_agent_command(s.agent, "failback", "web1", NULL);
        scene_run(&s, NSEC_PER_SEC);
        assert_free(&s, SCENE_IP);
        assert_free(&s, SCENE_IP6);
        scene_end(&s);
    }
}

/* While the NIC was away its source came back, or a person gave it all back: nothing is claimed then. */
static void a_nic_is_made_anew_too_late(void **state)
{
    (void)state;
    for (int given_back = 0; given_back < 2; given_back++) {
        struct scene s;

        scene_begin(&s);
        scene_hold(&s, SCENE_PLAIN);
        sim_nic_destroy(s.target_nic);
        scene_run(&s, NSEC_PER_SEC);
        if (given_back) {
            sim_agent_command(s.agent, "failback", "web1", NULL);
            assert_state(&s, "disarmed");
        } else {
            sim_host_set_alive(s.source, true);
        }
        sim_nic_create_again(s.target_nic, 77);
        sim_nic_add(s.target_nic, "192.0.2.20/24");
        sim_nic_add(s.target_nic, "2001:db8::20/64");
        scene_run(&s, 10 * NSEC_PER_SEC);
        assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 1);
        assert_state(&s, given_back ? "disarmed" : "up");
        scene_end(&s);
    }
}

/* With another NIC to fall back to, it does not wait for the first. */
static void a_nic_goes_and_there_is_another(void **state)
{
    struct scene s;
    struct sim_nic *second;

    (void)state;
    scene_begin(&s);
    second = sim_nic_new(s.target, "eth1", s.lan);
    sim_nic_add(second, "192.0.2.21/24");
    scene_hold(&s, "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 or eth1 } }");
    sim_nic_destroy(s.target_nic);
    scene_run(&s, 300 * NSEC_PER_MSEC);
    assert_ptr_equal(sim_host_find(s.target, &s.pings->to), second);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* The kernel keeps IPv4 addresses on a NIC that is down, and drops those of IPv6. */
static void a_nic_goes_down_and_up(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, SCENE_PLAIN);
    sim_nic_set_up(s.target_nic, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    assert_free(&s, SCENE_IP6);
    assert_state(&s, "holding");
    assert_reason(&s, "carrier");
    sim_nic_set_up(s.target_nic, true);
    sim_nic_add(s.target_nic, "2001:db8::20/64");
    scene_run(&s, 300 * NSEC_PER_MSEC);
    assert_holds(&s, SCENE_IP6);
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 1);
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP6), 2);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_int_equal(sim_agent_said(s.agent, "another program"), 0);
    scene_end(&s);
}

static void the_source_is_seen_to_come_back(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    assert_int_equal(sim_agent_said(s.agent, "the source is back"), 0);
    sim_host_set_alive(s.source, true);
    sim_host_announce(s.source);
    scene_run(&s, NSEC_PER_MIN);
    assert_int_equal(sim_agent_said(s.agent, "192.0.2.10 is at 02:00:00:00:01:01 too"), 1);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void held_is_announced_for_ever(void **state)
{
    struct scene s;
    unsigned announced;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, FAST);
    announced = sim_agent_did(s.agent, SIM_ANNOUNCE, SCENE_IP);
    scene_run(&s, NSEC_PER_HOUR);
    /* Once a minute, in both forms. */
    assert_in_range(sim_agent_did(s.agent, SIM_ANNOUNCE, SCENE_IP) - announced, 2 * 58, 2 * 61);
    assert_state(&s, "holding");
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_delete_is_put_back),
        cmocka_unit_test(what_is_put_back_goes_on_as_it_was),
        cmocka_unit_test(what_others_keep_deleting),
        cmocka_unit_test(what_is_deleted_when_the_source_is_back),
        cmocka_unit_test(what_is_deleted_when_the_source_is_back_elsewhere),
        cmocka_unit_test(held_addresses_follow_the_carrier),
        cmocka_unit_test(nothing_goes_home_that_cannot_be_asked_for),
        cmocka_unit_test(nothing_goes_home_over_a_source_that_may_be_back),
        cmocka_unit_test(what_was_never_seen_follows_its_nic),
        cmocka_unit_test(the_source_returns_during_a_move),
        cmocka_unit_test(much_happens_during_a_move),
        cmocka_unit_test(the_cable_goes_while_claiming),
        cmocka_unit_test(a_nic_is_made_anew),
        cmocka_unit_test(a_nic_is_made_anew_too_late),
        cmocka_unit_test(a_nic_goes_and_there_is_another),
        cmocka_unit_test(a_nic_goes_down_and_up),
        cmocka_unit_test(the_source_is_seen_to_come_back),
        cmocka_unit_test(held_is_announced_for_ever),
    };

    return scene_tell(tests);
}
