/* SPDX-License-Identifier: Apache-2.0 */
/* It is we who are cut off, unfit or unable: a source that lives is never taken over. */
#include "tests/sim/libscene.h"

#include <errno.h>

static const struct sim_faults deaf_and_mute = {.drop_in = true, .drop_out = true}, deaf = {.drop_in = true},
                               mute = {.drop_out = true}, well = {0};

/* What is blocked is verified again once a second, for up to 200 ms: looked at in between. */
#define OFF_THE_BEAT_NS (500 * NSEC_PER_MSEC)

static void our_cable_goes(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_reason(&s, "no target NIC has carrier");
    assert_int_equal(s.agent->n_deeds, 0);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_state(&s, "up");
    scene_end(&s);
}

/* Link events lag by more than it takes to lose a source: the device itself is asked at the first miss. */
static void our_cable_goes_and_nobody_says_so(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    s.target->link_lag_ns = 1700 * NSEC_PER_MSEC;
    scene_watch(&s, "defaults { interval 10ms; misses 3 }\nwitness none\n" SCENE_PLAIN);
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_int_equal(s.agent->n_deeds, 0);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 300 * NSEC_PER_MSEC);
    assert_state(&s, "up"); /* before the event came */
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "up");
    scene_end(&s);
}

/* A cable with a loose contact: out and in each 70 ms for ten seconds. */
static void our_cable_flaps(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    s.target->link_lag_ns = 620 * NSEC_PER_MSEC;
    scene_watch(&s, "defaults { interval 10ms; misses 3 }\nwitness none\n" SCENE_PLAIN);
    for (int i = 0; i < 142; i++) {
        sim_nic_connect(s.target_nic, i % 2);
        scene_run(&s, 70 * NSEC_PER_MSEC);
    }
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "up");
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

/* The switch lets nothing of ours through, with carrier on: only the silent witness tells. */
static void we_are_cut_off(struct scene *s, const struct sim_faults *faults)
{
    sim_nic_set_faults(s->target_nic, faults);
    scene_run(s, 30 * NSEC_PER_SEC + OFF_THE_BEAT_NS);
    assert_state(s, "blocked");
    assert_reason(s, "no witness answered");
    assert_int_equal(s->agent->n_deeds, 0);
    sim_nic_set_faults(s->target_nic, &well);
    scene_run(s, 2 * NSEC_PER_SEC);
    assert_state(s, "up");
    scene_run(s, 30 * NSEC_PER_SEC);
    assert_int_equal(s->agent->n_deeds, 0);
    assert_true(sim_client_last(s->pings, s->source) > scene_now(s) - 2 * SCENE_PING_NS);
}

static void we_are_cut_off_both_ways(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    we_are_cut_off(&s, &deaf_and_mute);
    scene_end(&s);
}

static void we_are_cut_off_one_way(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    we_are_cut_off(&s, &deaf);
    we_are_cut_off(&s, &mute);
    scene_end(&s);
}

/*
 * Cut off for so long and up to 200 ms longer, at any phase. The witness' first answer after the healing comes before
 * the source's, which is farther away: what we asked while cut off is no evidence.
 */
static void heal_after(const char *ipmap, nsec_t least_ns)
{
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 200; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        sim_nic_set_faults(s.source_nic, &(struct sim_faults){.delay_ns = 3 * NSEC_PER_MSEC});
        scene_watch(&s, ipmap);
        sim_nic_set_faults(s.target_nic, &deaf_and_mute);
        scene_run(&s, least_ns + (nsec_t)sim_random_below(&s.world->random, 200 * NSEC_PER_MSEC));
        sim_nic_set_faults(s.target_nic, &well);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, "up");
        assert_int_equal(s.agent->n_deeds, 0);
        scene_end(&s);
    }
}

#define FAST "defaults { interval 10ms; misses 3 }\n"

static void healing_at_every_phase(void **state)
{
    (void)state;
    heal_after(FAST SCENE_PLAIN, 0);
    heal_after(FAST SCENE_PLAIN, NSEC_PER_SEC);
}

static void healing_at_every_phase_of_pings(void **state)
{
    (void)state;
    heal_after(FAST "source web1 { probe icmp; nic eth0 { 192.0.2.10/24 dev eth0 } }", 0);
    heal_after(FAST "source web1 { probe icmp; nic eth0 { 192.0.2.10/24 dev eth0 } }", NSEC_PER_SEC);
}

static void isolated_while_the_source_really_dies(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    sim_nic_set_faults(s.target_nic, &deaf_and_mute);
    scene_run(&s, 2 * NSEC_PER_SEC);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC + OFF_THE_BEAT_NS);
    assert_state(&s, "blocked");
    sim_nic_set_faults(s.target_nic, &well);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_true(sim_client_answers(s.pings, s.target) > 0);
    scene_end(&s);
}

static void the_witness_is_dead(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    sim_host_set_alive(s.gateway, false);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "up");
    sim_host_set_alive(s.source, false);
    scene_run(&s, 30 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_reason(&s, "no witness answered");
    assert_int_equal(s.agent->n_deeds, 0);
    sim_host_set_alive(s.gateway, true);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void one_witness_of_two_is_enough(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "witness 192.0.2.1, 192.0.2.30\n" SCENE_PLAIN);
    sim_host_set_alive(s.gateway, false);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void there_is_no_witness(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    s.target->gateways[0] = (struct ip_address){0};
    /* The kernel of the target has talked to the source alone. */
    scene_watch(&s, SCENE_PLAIN);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "awaiting");
    assert_reason(&s, "no witness to ask");
    sim_agent_command(s.agent, "approve", "web1", NULL);
    /* Nobody can prove it either: the answer waits 2 s for a proof, and no longer. */
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_non_null(strstr(s.agent->answer, "unconfirmed"));
    assert_state(&s, "holding");
    scene_end(&s);
}

static void the_file_says_witness_none(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "witness none\n" SCENE_PLAIN);
    sim_host_set_alive(s.gateway, false);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void what_cannot_be_sent_is_no_miss(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "witness none\n" SCENE_PLAIN);
    s.agent->refuse_probes = ENOBUFS;
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "up");
    s.agent->refuse_probes = 0;
    scene_run(&s, NSEC_PER_SEC);
    sim_host_set_alive(s.source, false);
    s.agent->refuse_probes = EPERM;
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    s.agent->refuse_probes = 0;
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/*
 * The source drops pings from now on, and lives. Our kernel sends pings, but nothing that asks by ARP or ND: whether it
 * says so at once or on flush, silence is no answer to what did not leave.
 */
static void what_verify_cannot_send_stays_a_question(void **state)
{
    static const char *const files[] = {
        "source web1 { probe icmp; nic eth0 { 192.0.2.10/24 dev eth0 } }",
        "source web1 { probe arp; probe icmp; nic eth0 { 192.0.2.10/24 dev eth0; 2001:db8::10/64 dev eth0 } }",
    };

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct scene s;

        scene_begin(&s);
        scene_watch(&s, files[i / 2]);
        s.agent->refuse_kinds = 1u << PROBE_ARP | 1u << PROBE_ND;
        s.agent->refuse_at_once = i % 2;
        s.agent->refuse_probes = i / 2 ? EPERM : ENOBUFS;
        s.source->ignores_echo = true;
        scene_run(&s, 10 * NSEC_PER_SEC + OFF_THE_BEAT_NS);
        assert_state(&s, "blocked");
        assert_reason(&s, "nobody could be asked");
        assert_int_equal(s.agent->n_deeds, 0);
        s.agent->refuse_probes = 0;
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_int_equal(s.agent->n_deeds, 0);
        sim_host_set_alive(s.source, false);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "holding");
        scene_end(&s);
    }
}

/* Carrier goes while we hold: nothing is released, and when it is back all is announced anew. */
static void our_cable_goes_while_we_hold(void **state)
{
    struct scene s;
    unsigned announced;

    (void)state;
    scene_begin_plain(&s);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    announced = sim_agent_did(s.agent, SIM_ANNOUNCE, SCENE_IP);
    sim_client_forget(s.pings);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, NSEC_PER_SEC);
    assert_true(sim_agent_did(s.agent, SIM_ANNOUNCE, SCENE_IP) > announced);
    assert_true(sim_client_answers(s.pings, s.target) > 90);
    assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, NULL), 0);
    scene_end(&s);
}

/* A successor that may not send: its rounds rest for what it adopted, and what it asks the source for has no round. */
static void what_was_adopted_cannot_be_asked_for(void **state)
{
    static const char asked_by_arp[] = "source web1 { probe arp; nic eth0 { 192.0.2.10/24 dev eth0 } }";
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, asked_by_arp);
    sim_agent_kill(s.agent);
    s.agent->refuse_probes = EPERM;
    sim_agent_begin(s.agent, asked_by_arp);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    s.agent->refuse_probes = 0;
    sim_host_set_alive(s.source, true);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_int_equal(sim_agent_said(s.agent, "the source is back"), 1);
    scene_end(&s);
}

/* What is held is deleted while nothing can be sent, and our NIC is reset. The dead source is served all the same. */
static void what_stands_is_served_after_a_cut(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_hold(&s, "witness none\nsource web1 { nic eth0 { 192.0.2.10/24 dev eth0 } }");
    s.agent->refuse_probes = ENOBUFS;
    scene_run(&s, NSEC_PER_SEC);
    sim_nic_remove(s.target_nic, "192.0.2.10/32");
    scene_run(&s, NSEC_PER_SEC);
    assert_reason(&s, "nobody could be asked");
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, 100 * NSEC_PER_MSEC);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    s.agent->refuse_probes = 0;
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_cable_goes),
        cmocka_unit_test(our_cable_goes_and_nobody_says_so),
        cmocka_unit_test(our_cable_flaps),
        cmocka_unit_test(we_are_cut_off_both_ways),
        cmocka_unit_test(we_are_cut_off_one_way),
        cmocka_unit_test(healing_at_every_phase),
        cmocka_unit_test(healing_at_every_phase_of_pings),
        cmocka_unit_test(isolated_while_the_source_really_dies),
        cmocka_unit_test(the_witness_is_dead),
        cmocka_unit_test(one_witness_of_two_is_enough),
        cmocka_unit_test(there_is_no_witness),
        cmocka_unit_test(the_file_says_witness_none),
        cmocka_unit_test(what_cannot_be_sent_is_no_miss),
        cmocka_unit_test(what_verify_cannot_send_stays_a_question),
        cmocka_unit_test(what_stands_is_served_after_a_cut),
        cmocka_unit_test(our_cable_goes_while_we_hold),
        cmocka_unit_test(what_was_adopted_cannot_be_asked_for),
    };

    return scene_tell(tests);
}
