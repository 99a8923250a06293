/* SPDX-License-Identifier: Apache-2.0 */
/* The agent dies and is started again, or its whole host: what it knows then, and what it never does. */
#include "tests/sim/libdad.h"
#include "tests/sim/libscene.h"

#define FAST "defaults { interval 10ms; misses 3 }\n" SCENE_PLAIN
#define MANUAL "defaults { interval 10ms; misses 3; takeover manual; approval-timeout 60s }\n" SCENE_PLAIN
#define DAMPED "defaults { interval 10ms; misses 3; max-takeovers 2 per 1h }\n" SCENE_PLAIN

/* The agent is gone for so long. */
static void restart_after(struct scene *s, const char *ipmap, nsec_t away_ns)
{
    sim_agent_kill(s->agent);
    scene_run(s, away_ns);
    sim_agent_begin(s->agent, ipmap);
}

static void watch(struct scene *s, const char *ipmap)
{
    scene_begin(s);
    scene_watch(s, ipmap);
}

static void hold(struct scene *s, const char *ipmap)
{
    watch(s, ipmap);
    sim_host_set_alive(s->source, false);
    scene_run(s, 3 * NSEC_PER_SEC);
    assert_state(s, "holding");
}

/* Not one answer is missed, and what is held is announced anew. */
static void held_through_a_restart(void **state)
{
    struct scene s;
    unsigned announced, claimed;

    (void)state;
    hold(&s, FAST);
    sim_client_forget(s.pings);
    announced = sim_agent_did(s.agent, SIM_ANNOUNCE, SCENE_IP);
    claimed = sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP);
    restart_after(&s, FAST, 300 * NSEC_PER_MSEC);
    scene_run(&s, 700 * NSEC_PER_MSEC);
    assert_in_range(sim_client_answers(s.pings, s.target), 99, 101);
    assert_state(&s, "holding");
    assert_reason(&s, "held already");
    assert_true(sim_agent_did(s.agent, SIM_ANNOUNCE, SCENE_IP) > announced);
    assert_int_equal(sim_agent_did(s.agent, SIM_CLAIM, SCENE_IP), claimed);
    assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, NULL), 0);
    scene_end(&s);
}

/* The source's MAC is known after a restart, so that its return is no conflict. */
static void its_return_is_known_for_what_it_is(void **state)
{
    struct scene s;

    (void)state;
    for (int with_journal = 0; with_journal < 2; with_journal++) {
        hold(&s, FAST);
        sim_agent_kill(s.agent);
        if (!with_journal)
            sim_agent_keep_journal(s.agent, NULL, 0);
        sim_agent_begin(s.agent, FAST);
        scene_run(&s, NSEC_PER_SEC);
        sim_host_set_alive(s.source, true);
        scene_run(&s, 5 * NSEC_PER_SEC);
        assert_int_equal(sim_agent_said(s.agent, "the source is back") > 0, with_journal);
        assert_int_equal(sim_agent_said(s.agent, "conflict") > 0, !with_journal);
        scene_end(&s);
    }
}

/* The source dies while nobody watches: the successor takes over, since the one before saw it alive. */
static void lost_while_nobody_watched(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, FAST);
    sim_agent_kill(s.agent);
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_MIN);
    sim_agent_begin(s.agent, FAST);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* Given back before the restart: it is not taken over before it was seen alive. */
static void disarmed_through_a_restart(void **state)
{
    struct scene s;

    (void)state;
    hold(&s, FAST);
    sim_agent_command(s.agent, "failback", "web1", NULL);
    scene_run(&s, 3 * NSEC_PER_SEC);
    assert_state(&s, "disarmed");
    restart_after(&s, FAST, NSEC_PER_SEC);
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "disarmed");
    assert_free(&s, SCENE_IP);
    sim_host_set_alive(s.source, true);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "up");
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

static void paused_through_a_restart(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, FAST);
    sim_agent_command(s.agent, "pause", "web1", NULL);
    restart_after(&s, FAST, NSEC_PER_SEC);
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_MIN);
    assert_free(&s, SCENE_IP);
    sim_agent_command(s.agent, "resume", "web1", NULL);
    scene_run(&s, NSEC_PER_SEC);
    assert_holds(&s, SCENE_IP);
    scene_end(&s);
}

/* A question stands until its own deadline, however often the agent is started meanwhile. */
static void a_question_through_restarts(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, MANUAL);
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "awaiting");
    for (int i = 0; i < 5; i++) {
        restart_after(&s, MANUAL, NSEC_PER_SEC);
        scene_run(&s, 10 * NSEC_PER_SEC);
        assert_state(&s, "awaiting");
        assert_reason(&s, "takeover manual");
    }
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "lost");
    assert_reason(&s, "nobody approved in time");
    /* That, too, is not asked again. */
    restart_after(&s, MANUAL, NSEC_PER_SEC);
    scene_run(&s, 10 * NSEC_PER_SEC);
    assert_state(&s, "lost");
    scene_end(&s);
}

static void a_question_is_answered_after_a_restart(void **state)
{
    struct scene s;

    (void)state;
    for (int approve = 0; approve < 2; approve++) {
        watch(&s, MANUAL);
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        restart_after(&s, MANUAL, NSEC_PER_SEC);
        sim_agent_command(s.agent, approve ? "approve" : "deny", "web1", NULL);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, approve ? "holding" : "lost");
        restart_after(&s, MANUAL, NSEC_PER_SEC);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, approve ? "holding" : "lost");
        scene_end(&s);
    }
}

/* After a reboot a question waits for a person alone, whatever its deadline and its default are. */
static void a_question_through_a_reboot(void **state)
{
    static const char approves[] =
        "defaults { interval 10ms; misses 3; takeover manual; approval-timeout 60s; approval-default approve }\n"
        "source web1 { nic eth0 { 192.0.2.10/24 dev eth0 } }";
    struct scene s;

    (void)state;
    watch(&s, approves);
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_SEC);
    sim_agent_reboot(s.agent);
    scene_run(&s, NSEC_PER_MIN);
    sim_agent_begin(s.agent, approves);
    scene_run(&s, 5 * NSEC_PER_MIN);
    assert_state(&s, "awaiting");
    sim_agent_command(s.agent, "approve", "web1", NULL);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* This host reboots while it holds. The source is dead, or came back meanwhile: nothing is claimed that is not free. */
static void rebooted_while_holding(void **state)
{
    struct scene s;

    (void)state;
    for (int back = 0; back < 2; back++) {
        hold(&s, FAST);
        sim_agent_reboot(s.agent);
        sim_host_set_alive(s.source, back);
        scene_run(&s, 30 * NSEC_PER_SEC);
        assert_free(&s, SCENE_IP);
        sim_agent_begin(s.agent, FAST);
        scene_run(&s, NSEC_PER_MIN);
        assert_state(&s, back ? "up" : "unseen");
        assert_free(&s, SCENE_IP);
        assert_int_equal(sim_agent_said(s.agent, "held before this host was started"), 1);
        /* Seen alive and lost anew, it is taken over as ever. */
        sim_host_set_alive(s.source, true);
        scene_run(&s, NSEC_PER_SEC);
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, "holding");
        scene_end(&s);
    }
}

/* Killed before its journal was written: what is on the NIC is held on to, and of nothing else is anything known. */
static void no_journal_was_written(void **state)
{
    struct scene s;

    (void)state;
    for (int n_left = 0; n_left <= 2; n_left++) {
        hold(&s, FAST);
        sim_agent_kill(s.agent);
        sim_agent_keep_journal(s.agent, NULL, 0);
        if (n_left < 2)
            sim_nic_remove(s.target_nic, SCENE_IP6 "/128");
        if (n_left < 1)
            sim_nic_remove(s.target_nic, SCENE_IP "/32");
        sim_agent_begin(s.agent, FAST);
        assert_state(&s, n_left ? "holding" : "unseen");
        scene_run(&s, NSEC_PER_MIN);
        if (n_left) {
            assert_state(&s, "holding");
            assert_holds(&s, SCENE_IP);
            assert_holds(&s, SCENE_IP6);
        } else {
            assert_state(&s, "unseen");
            assert_free(&s, SCENE_IP);
        }
        assert_int_equal(sim_agent_did(s.agent, SIM_RELEASE, NULL), 0);
        scene_end(&s);
    }
}

/* The guard, or a lease, took off what the journal calls held: it is lost and verified before it is claimed again. */
static void gone_before_the_restart(void **state)
{
    struct scene s;

    (void)state;
    for (int back = 0; back < 2; back++) {
        hold(&s, FAST);
        sim_agent_kill(s.agent);
        sim_nic_remove(s.target_nic, SCENE_IP "/32");
        sim_nic_remove(s.target_nic, SCENE_IP6 "/128");
        sim_host_set_alive(s.source, back);
        scene_run(&s, NSEC_PER_SEC);
        sim_agent_begin(s.agent, FAST);
        assert_free(&s, SCENE_IP);
        assert_int_equal(sim_agent_said(s.agent, "2 addresses that were held by the agent before are not"), 1);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, back ? "up" : "holding");
        scene_end(&s);
    }
}

/* It hung until its lease was nearly over, and the kernel is slow: the successor's first renewal comes too late. */
static void adopted_too_late(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 50; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        scene_watch(&s, FAST);
        sim_host_set_alive(s.source, false);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "holding");
        s.agent->claim_delay_ns = 300 * NSEC_PER_MSEC;
        sim_agent_pause(s.agent);
        scene_run(&s, 1800 * NSEC_PER_MSEC + (nsec_t)sim_random_below(&s.world->random, NSEC_PER_SEC));
        sim_host_set_alive(s.source, true);
        scene_run(&s, 200 * NSEC_PER_MSEC);
        restart_after(&s, FAST, 0);
        scene_run(&s, 3 * NSEC_PER_SEC);
        sim_agent_command(s.agent, "failback", "web1", NULL);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "up");
        scene_end(&s);
    }
}

/* In the file no more: released, and what is the host's own stays. */
static void orphans_are_released(void **state)
{
    static const char other[] = "source web2 { nic eth0 { 192.0.2.12/24 dev eth0 } }";
    struct ip_address own;
    struct scene s;

    (void)state;
    hold(&s, FAST);
    restart_after(&s, other, NSEC_PER_SEC);
    scene_run(&s, NSEC_PER_SEC);
    assert_free(&s, SCENE_IP);
    assert_free(&s, SCENE_IP6);
    assert_int_equal(ip_address_parse("192.0.2.20", &own), 0);
    assert_non_null(sim_nic_find(s.target_nic, &own));
    scene_end(&s);
}

/* Another name for the source: what was known of the old one is not believed of the new one. */
static void a_renamed_source_is_unseen(void **state)
{
    static const char renamed[] = "defaults { interval 10ms; misses 3 }\n"
                                  "source web2 { nic eth0 { 192.0.2.10/24 dev eth0; 2001:db8::10/64 dev eth0 } }\n";
    struct scene s;

    (void)state;
    watch(&s, FAST);
    sim_agent_kill(s.agent);
    sim_host_set_alive(s.source, false);
    sim_agent_begin(s.agent, renamed);
    scene_run(&s, NSEC_PER_MIN);
    assert_string_equal(sim_agent_state(s.agent, "web2", "eth0"), "unseen");
    scene_end(&s);
}

static void other_addresses_are_unseen(void **state)
{
    static const char other[] = "defaults { interval 10ms; misses 3 }\n"
                                "source web1 { nic eth0 { 192.0.2.99/24 dev eth0 } }\n";
    struct scene s;

    (void)state;
    watch(&s, FAST);
    restart_after(&s, other, 0);
    scene_run(&s, NSEC_PER_MIN);
    assert_state(&s, "unseen");
    scene_end(&s);
}

/* Killed while a source that was let in looks whether its address is free: the successor does not get in its way. */
static void restarted_while_the_source_returns(void **state)
{
    static const char automatic[] = "defaults { interval 10ms; misses 3; failback automatic }\n" SCENE_PLAIN;

    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 50; seed++) {
        struct scene s;

        scene_begin_with(&s, seed);
        scene_watch(&s, automatic);
        sim_host_set_alive(s.source, false);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "holding");
        sim_host_return_with_dad(s.source);
        while (sim_host_holds(s.target, SCENE_IP) || sim_host_holds(s.target, SCENE_IP6))
            scene_run(&s, 10 * NSEC_PER_MSEC);
        scene_run(&s, (nsec_t)sim_random_below(&s.world->random, 7 * NSEC_PER_SEC));
        restart_after(&s, automatic, (nsec_t)sim_random_below(&s.world->random, NSEC_PER_SEC));
        scene_run(&s, 12 * NSEC_PER_SEC);
        assert_int_equal(sim_host_dad_failures(s.source), 0);
        assert_state(&s, "up");
        assert_free(&s, SCENE_IP);
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, "holding");
        scene_end(&s);
    }
}

/* Taken over twice within the hour: the third time is a question, restarts or not. */
static void damped_through_restarts(void **state)
{
    struct scene s;

    (void)state;
    watch(&s, DAMPED);
    for (int i = 0; i < 2; i++) {
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        assert_state(&s, "holding");
        sim_host_set_alive(s.source, true);
        sim_agent_command(s.agent, "failback", "web1", NULL);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "up");
        restart_after(&s, DAMPED, NSEC_PER_SEC);
        scene_run(&s, NSEC_PER_SEC);
    }
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "awaiting");
    assert_reason(&s, "2 takeovers within 1h: someb");
    restart_after(&s, DAMPED, NSEC_PER_SEC);
    assert_reason(&s, "2 takeovers within 1h: someb");
    /* When the first is over an hour ago, and the source was there meanwhile, it goes on by itself. */
    sim_host_set_alive(s.source, true);
    scene_run(&s, NSEC_PER_HOUR);
    assert_state(&s, "up");
    sim_host_set_alive(s.source, false);
    scene_run(&s, NSEC_PER_SEC);
    assert_state(&s, "holding");
    scene_end(&s);
}

/* The wall clock, by which the journal counts, is set while the agent is away. */
static void a_clock_that_is_set(void **state)
{
    static const nsec_t steps[] = {-1000 * NSEC_PER_HOUR, 1000 * NSEC_PER_HOUR};
    struct scene s;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        watch(&s, MANUAL);
        sim_host_set_alive(s.source, false);
        scene_run(&s, NSEC_PER_SEC);
        sim_agent_kill(s.agent);
        sim_host_step_clock(s.target, steps[i]);
        sim_agent_begin(s.agent, MANUAL);
        scene_run(&s, 59 * NSEC_PER_SEC);
        /* Set back, it never waits for longer than the file says; set on, it is over at once. */
        assert_state(&s, steps[i] < 0 ? "awaiting" : "lost");
        scene_run(&s, 2 * NSEC_PER_SEC);
        assert_state(&s, "lost");
        scene_end(&s);
    }
}

/* Nothing is written while nothing happens that has to be known, and little while much does. */
static void written_only_when_it_changes(void **state)
{
    struct scene s;
    unsigned written;

    (void)state;
    watch(&s, FAST);
    written = s.agent->n_journals;
    assert_in_range(written, 1, 4);
    for (int i = 0; i < 1000; i++) {
        sim_nic_set_faults(s.source_nic, &(struct sim_faults){.drop_out = i % 2 == 0});
        scene_run(&s, 15 * NSEC_PER_MSEC);
    }
    assert_int_equal(s.agent->n_journals, written);
    sim_nic_set_faults(s.source_nic, &(struct sim_faults){0});
    scene_run(&s, NSEC_PER_SEC);
    scene_end(&s);
    /* A hundred orders within a second. */
    hold(&s, FAST);
    written = s.agent->n_journals;
    for (int i = 0; i < 100; i++) {
        sim_agent_command(s.agent, i % 2 ? "resume" : "pause", "web1", NULL);
        scene_run(&s, 10 * NSEC_PER_MSEC);
    }
    assert_in_range(s.agent->n_journals - written, 5, 11);
    scene_end(&s);
}

/* Killed at any moment of a takeover or a failback: the successor brings it to a good end. */
static void killed_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t seed = sim_seed(); seed < sim_seed() + 300; seed++) {
        struct scene s;
        nsec_t at_ns;

        scene_begin_with(&s, seed);
        scene_watch(&s, FAST);
        s.agent->claim_delay_ns = 20 * NSEC_PER_MSEC;
        sim_host_set_alive(s.source, false);
        if (seed % 2) {
            scene_run(&s, NSEC_PER_SEC);
            sim_agent_command(s.agent, "failback", "web1", NULL);
        }
        at_ns = (nsec_t)sim_random_below(&s.world->random, 150 * NSEC_PER_MSEC);
        scene_run(&s, at_ns);
        restart_after(&s, FAST, (nsec_t)sim_random_below(&s.world->random, 100 * NSEC_PER_MSEC));
        scene_run(&s, 2 * NSEC_PER_SEC);
        if (seed % 2)
            sim_agent_command(s.agent, "failback", "web1", NULL);
        else
            assert_state(&s, "holding");
        sim_host_set_alive(s.source, true);
        scene_run(&s, 3 * NSEC_PER_SEC);
        sim_agent_command(s.agent, "failback", "web1", NULL);
        scene_run(&s, 3 * NSEC_PER_SEC);
        assert_state(&s, "up");
        assert_free(&s, SCENE_IP);
        assert_free(&s, SCENE_IP6);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_through_a_restart),
        cmocka_unit_test(its_return_is_known_for_what_it_is),
        cmocka_unit_test(lost_while_nobody_watched),
        cmocka_unit_test(disarmed_through_a_restart),
        cmocka_unit_test(paused_through_a_restart),
        cmocka_unit_test(a_question_through_restarts),
        cmocka_unit_test(a_question_is_answered_after_a_restart),
        cmocka_unit_test(a_question_through_a_reboot),
        cmocka_unit_test(rebooted_while_holding),
        cmocka_unit_test(gone_before_the_restart),
        cmocka_unit_test(no_journal_was_written),
        cmocka_unit_test(adopted_too_late),
        cmocka_unit_test(orphans_are_released),
        cmocka_unit_test(a_renamed_source_is_unseen),
        cmocka_unit_test(other_addresses_are_unseen),
        cmocka_unit_test(restarted_while_the_source_returns),
        cmocka_unit_test(damped_through_restarts),
        cmocka_unit_test(a_clock_that_is_set),
        cmocka_unit_test(written_only_when_it_changes),
        cmocka_unit_test(killed_at_any_moment),
    };

    return scene_tell(tests);
}
