/* SPDX-License-Identifier: Apache-2.0 */
/* What people say: policies, commands, files; and what the agent answers. */
#include "tests/sim/libscene.h"

#define MANUAL "defaults { takeover manual }\n" SCENE_PLAIN

static void command(struct scene *s, const char *name)
{
    sim_agent_command(s->agent, name, "web1", NULL);
    scene_run(s, 3 * NSEC_PER_SEC);
}

/* The source dies, and what follows of it is awaited. */
static void crash(struct scene *s)
{
    sim_host_set_alive(s->source, false);
    scene_run(s, 3 * NSEC_PER_SEC);
}

static void come_back(struct scene *s)
{
    sim_host_set_alive(s->source, true);
    scene_run(s, 3 * NSEC_PER_SEC);
}

static void manual_approved(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, MANUAL);
    crash(&s);
    assert_state(&s, "awaiting");
    assert_int_equal(s.agent->n_deeds, 0);
    scene_run(&s, 10 * NSEC_PER_MIN);
    assert_state(&s, "awaiting");
    command(&s, "approve");
    assert_true(s.agent->answer_ok);
    assert_non_null(strstr(s.agent->answer, "confirmed by"));
    assert_state(&s, "holding");
    scene_end(&s);
}

/* The source is back by the time the person has decided: an answer ends the question. */
static void manual_approved_too_late(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, MANUAL);
    crash(&s);
    come_back(&s);
    assert_state(&s, "up");
    command(&s, "approve");
    assert_false(s.agent->answer_ok);
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

/* At the very moment of the approval the source is back, and no round has shown it yet. */
static void approved_at_the_moment_of_return(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 50; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        scene_watch(&s, MANUAL);
        crash(&s);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 200 * NSEC_PER_MSEC));
        sim_host_set_alive(s.source, true);
        command(&s, "approve");
        assert_state(&s, "up");
        assert_int_equal(s.agent->n_deeds, 0);
        scene_end(&s);
    }
}

static void manual_denied(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, MANUAL);
    crash(&s);
    command(&s, "deny");
    assert_true(s.agent->answer_ok);
    assert_state(&s, "lost");
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "lost");
    come_back(&s);
    assert_state(&s, "up");
    crash(&s);
    assert_state(&s, "awaiting"); /* a new loss is a new question */
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

static void a_question_that_nobody_answers(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { takeover manual; approval-timeout 10s }\n" SCENE_PLAIN);
    crash(&s);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_state(&s, "awaiting");
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "lost");
    assert_reason(&s, "nobody approved");
    scene_end(&s);

    scene_begin(&s);
    scene_watch(&s, "defaults { takeover manual; approval-timeout 10s; approval-default approve }\n" SCENE_PLAIN);
    crash(&s);
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void notify_only(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { takeover notify }\n" SCENE_PLAIN);
    crash(&s);
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "lost");
    assert_int_equal(s.agent->n_deeds, 0);
    command(&s, "failover");
    assert_true(s.agent->answer_ok);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void failover_of_the_living(void **state)
{
    struct scene s;
    char mac[MAC_ADDRESS_TEXT];

    (void)state;
    scene_begin_plain(&s);
    command(&s, "failover");
    assert_false(s.agent->answer_ok);
    assert_non_null(strstr(s.agent->answer, mac_address_format(&s.source_nic->mac, mac)));
    assert_int_equal(s.agent->n_deeds, 0);
    sim_agent_force(s.agent, "web1");
    scene_run(&s, 5 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_state(&s, "holding");
    assert_reason(&s, "forced");
    scene_end(&s);
}

/* In the first moments of a crash nobody knows yet: the operator's verify finds out. */
static void failover_of_the_dying(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { takeover notify }\n" SCENE_PLAIN);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 450 * NSEC_PER_MSEC);
    assert_state(&s, "late");
    command(&s, "failover");
    assert_true(s.agent->answer_ok);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void failback_to_nobody(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    crash(&s);
    command(&s, "failback");
    assert_true(s.agent->answer_ok);
    assert_non_null(strstr(s.agent->answer, "safe to connect"));
    assert_free(&s, SCENE_IP);
    assert_free(&s, SCENE_IP6);
    /* Disarmed: gone as it is, it is not taken over a second time. */
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "disarmed");
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), 1);
    come_back(&s);
    assert_state(&s, "up");
    crash(&s);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void failback_to_the_source(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    crash(&s);
    come_back(&s);
    assert_state(&s, "holding");
    sim_client_forget(s.pings);
    command(&s, "failback");
    assert_true(s.agent->answer_ok);
    assert_non_null(strstr(s.agent->answer, "answers for its own addresses again"));
    assert_state(&s, "up");
    /* The target told the LAN where the address is again: the client lost nothing. */
    assert_true(sim_agent_did(s.agent, SIM_ANNOUNCE_SOURCE, SCENE_IP) > 0);
    assert_true(sim_client_answers(s.pings, s.source) + sim_client_answers(s.pings, s.target) >= 299);
    crash(&s);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* Without that, the client waits until its own entry is too old. */
static void failback_without_announcing_the_source(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "defaults { announce-source no }\n" SCENE_PLAIN);
    crash(&s);
    come_back(&s);
    command(&s, "failback");
    assert_state(&s, "up");
    assert_int_equal(sim_agent_did(s.agent, SIM_ANNOUNCE_SOURCE, NULL), 0);
    scene_end(&s);
}

static void failback_while_the_kernel_still_claims(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    s.agent->claim_delay_ns = 500 * NSEC_PER_MSEC;
    sim_host_set_alive(s.source, false);
    scene_run(&s, 1100 * NSEC_PER_MSEC);
    assert_state(&s, "claiming");
    command(&s, "failback");
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_true(s.agent->answer_ok);
    assert_state(&s, "disarmed");
    assert_free(&s, SCENE_IP);
    assert_int_equal(sim_agent_did(s.agent, SIM_ANNOUNCE, NULL), 0);
    scene_end(&s);
}

static void never_seen(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    sim_host_set_alive(s.source, false);
    scene_watch(&s, SCENE_PLAIN);
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "unseen");
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);

    scene_begin(&s);
    sim_host_set_alive(s.source, false);
    scene_watch(&s, "defaults { claim-unseen yes }\n" SCENE_PLAIN);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* Ordered while our cable is out: the source that nobody tells of is not "up" for it. */
static void failover_without_a_cable(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    scene_watch(&s, "witness none\n" SCENE_PLAIN);
    sim_nic_connect(s.target_nic, false);
    scene_run(&s, NSEC_PER_SEC);
    command(&s, "failover");
    assert_false(s.agent->answer_ok);
    assert_state(&s, "blocked");
    sim_host_set_alive(s.source, false);
    sim_nic_connect(s.target_nic, true);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "blocked");
    assert_reason(&s, "cut off");
    scene_end(&s);
}

/* What a person ordered outlasts a lease that ran out while we stood still, and a file with another NIC for it: whether
 * its source was never seen, or given back and not seen since. */
static void ordered_it_stands(void **state)
{
    (void)state;
    for (int given_back = 0; given_back < 2; given_back++) {
        struct scene s;
        struct sim_nic *second;

        scene_begin(&s);
        second = sim_nic_new(s.target, "eth1", s.lan);
        sim_nic_add(second, "192.0.2.21/24");
        sim_host_set_alive(s.source, given_back);
        scene_watch(&s, "defaults { lease 2s }\nsource web1 { nic eth0 { 192.0.2.10/24 dev eth0 } }");
        if (given_back) {
            crash(&s);
            command(&s, "failback");
            assert_state(&s, "disarmed");
        }
        command(&s, "failover");
        assert_holds(&s, SCENE_IP);
        sim_agent_pause(s.agent);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_free(&s, SCENE_IP);
        sim_agent_resume(s.agent);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_holds(&s, SCENE_IP);
        command(&s, "failback");
        command(&s, "failover");
        sim_agent_reload(s.agent, "source web1 { nic eth0 { 192.0.2.10/24 dev eth1 } }");
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_ptr_equal(sim_host_find(s.target, &s.pings->to), second);
        assert_state(&s, "holding");
        scene_end(&s);
    }
}

static void paused(void **state)
{
    struct scene s;
    nsec_t resumed_ns;

    (void)state;
    scene_begin_plain(&s);
    command(&s, "pause");
    crash(&s);
    scene_run(&s, NSEC_PER_MIN);
    assert_int_equal(s.agent->n_deeds, 0);
    resumed_ns = scene_now(&s);
    command(&s, "resume");
    assert_state(&s, "holding");
    /* Fresh misses: five rounds at least, and the wait for the last of them. */
    assert_true(sim_agent_did_ns(s.agent, SIM_CLAIM, SCENE_IP) - resumed_ns > 4 * 200 * NSEC_PER_MSEC);
    scene_end(&s);
}

static void paused_over_crash_and_return(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    command(&s, "pause");
    crash(&s);
    sim_host_set_alive(s.source, true);
    command(&s, "resume");
    assert_state(&s, "up");
    assert_int_equal(s.agent->n_deeds, 0);
    scene_end(&s);
}

#define TWO                                                                         \
    "source web1 { nic eth0 { 192.0.2.10/24 dev eth0; 192.0.2.11/24 dev eth0 } }\n" \
    "source web2 { nic eth0 { 192.0.2.12/24 dev eth0 } }\n"

/* What stays in the file stays held, and is not even announced anew from the start as a new claim would be. */
static void reload_while_holding(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s);
    sim_nic_add(s.source_nic, "192.0.2.11/24");
    scene_watch(&s, TWO);
    crash(&s);
    assert_state(&s, "holding");
    sim_agent_reload(s.agent, TWO);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    sim_agent_reload(s.agent, "source web0 { nic eth0 { 192.0.2.13/24 dev eth0 } }\n"
                              "source web1 { interval 50ms; nic eth0 { 192.0.2.11/24 dev eth0 } }\n");
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "holding");
    assert_holds(&s, "192.0.2.11");
    assert_free(&s, SCENE_IP);
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, NULL), 2);
    assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, NULL), 1);
    sim_agent_reload(s.agent, "source web2 { nic eth0 { 192.0.2.12/24 dev eth0 } }\n");
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_free(&s, "192.0.2.11");
    scene_end(&s);
}

/* Reloads at any moment of a takeover, and of slow kernel work: nothing is lost, left behind or claimed twice. */
static void reload_at_every_phase(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 100; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        sim_nic_add(s.source_nic, "192.0.2.11/24");
        scene_watch(&s, TWO);
        s.agent->claim_delay_ns = 100 * NSEC_PER_MSEC;
        sim_host_set_alive(s.source, false);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 1500 * NSEC_PER_MSEC));
        sim_agent_reload(s.agent, TWO);
        scene_run(&s, 5 * NSEC_PER_SEC);
        assert_state(&s, "holding");
        assert_holds(&s, SCENE_IP);
        assert_holds(&s, "192.0.2.11");
        sim_agent_command(s.agent, "failback", "web1", NULL);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 150 * NSEC_PER_MSEC));
        sim_agent_reload(s.agent, TWO);
        scene_run(&s, 5 * NSEC_PER_SEC);
        assert_state(&s, "disarmed");
        assert_free(&s, SCENE_IP);
        assert_free(&s, "192.0.2.11");
        scene_end(&s);
    }
}

/* The file gives the address of a source to another one: what was held for the first is no claim of the second. */
static void reload_gives_an_address_to_another_source(void **state)
{
    struct scene s;

    (void)state;
    scene_begin_plain(&s);
    sim_host_set_alive(s.source, false);
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    sim_agent_reload(s.agent, "source web2 { nic eth0 { 192.0.2.10/24 dev eth0 } }");
    scene_run(&s, 2 * NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    assert_string_equal(sim_agent_state(s.agent, "web2", "eth0"), "unseen");
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reload_gives_an_address_to_another_source),
        cmocka_unit_test(manual_approved),
        cmocka_unit_test(manual_approved_too_late),
        cmocka_unit_test(approved_at_the_moment_of_return),
        cmocka_unit_test(manual_denied),
        cmocka_unit_test(a_question_that_nobody_answers),
        cmocka_unit_test(notify_only),
        cmocka_unit_test(failover_of_the_living),
        cmocka_unit_test(failover_of_the_dying),
        cmocka_unit_test(failback_to_nobody),
        cmocka_unit_test(failback_to_the_source),
        cmocka_unit_test(failback_without_announcing_the_source),
        cmocka_unit_test(failback_while_the_kernel_still_claims),
        cmocka_unit_test(never_seen),
        cmocka_unit_test(failover_without_a_cable),
        cmocka_unit_test(ordered_it_stands),
        cmocka_unit_test(paused),
        cmocka_unit_test(paused_over_crash_and_return),
        cmocka_unit_test(reload_while_holding),
        cmocka_unit_test(reload_at_every_phase),
    };

    return scene_tell(tests);
}
