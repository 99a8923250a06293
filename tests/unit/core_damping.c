/* SPDX-License-Identifier: Apache-2.0 */
/* Flap damping: which takeovers count, and what comes after as many as the file allows. */
#include "tests/unit/core_fixture.h"

#define HOUR_NS NSEC_PER_HOUR

static void limit(struct world *w, uint32_t n)
{
    w->sources[0].max_takeovers = n;
    w->sources[0].takeovers_within_ns = HOUR_NS;
}

static void world_limited(struct world *w, uint32_t n)
{
    world_plain(w, 2);
    limit(w, n);
}

/* The source is lost and taken over, given back, and answers again. */
static void flap(struct world *w)
{
    forget(w);
    lose(w, 0, 1);
    settle(w, 0);
    assert_state(w, 0, CORE_HOLDING);
    assert_int_equal(core_failback(&w->core, w->now_ns, 0), 0);
    settle(w, 0);
    round_answered(w, 0, 1);
    assert_state(w, 0, CORE_UP);
    forget(w);
}

static void the_next_one_is_a_question(void **state)
{
    struct world w;

    (void)state;
    world_limited(&w, 3);
    for (int i = 0; i < 3; i++)
        flap(&w);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_AWAITING);
    assert_reason(&w, 0, CORE_REASON_DAMPED);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    /* No other target is made to give way. */
    assert_int_equal(intents(&w), 0);
    /* A person's word does it, and does not count. */
    assert_int_equal(core_approve(&w.core, w.now_ns, 0), 0);
    witness(&w, 0);
    pass(&w, 2 * ASKS * SPACING_NS);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.sources[0].n_takeovers, 3);
}

static void without_a_limit_it_goes_on(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    for (int i = 0; i < 2 * LIMIT_TAKEOVERS_MAX; i++)
        flap(&w);
    assert_int_equal(w.sources[0].n_takeovers, LIMIT_TAKEOVERS_MAX);
    /* The newest ones are those that are remembered, for a file that brings a limit. */
    limit(&w, LIMIT_TAKEOVERS_MAX);
    lose(&w, 0, 1);
    assert_reason(&w, 0, CORE_REASON_DAMPED);
}

static void old_ones_do_not_count(void **state)
{
    struct world w;

    (void)state;
    world_limited(&w, 2);
    flap(&w);
    pass(&w, HOUR_NS / 2);
    flap(&w);
    pass(&w, HOUR_NS / 2 + NSEC_PER_SEC);
    flap(&w); /* the first is over an hour ago */
    lose(&w, 0, 1);
    assert_reason(&w, 0, CORE_REASON_DAMPED);
    /* The source answers: it is over, and the next loss is judged by its own time. */
    round_answered(&w, 0, 1);
    assert_state(&w, 0, CORE_UP);
    pass(&w, HOUR_NS);
    flap(&w);
}

static void an_operators_word_does_not_count(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    world_limited(&w, 1);
    round_missed(&w, 0, 1);
    assert_int_equal(core_failover(&w.core, w.now_ns, 0, true, &refusal), 0);
    settle(&w, 0);
    assert_int_equal(w.sources[0].n_takeovers, 0);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    round_answered(&w, 0, 1);
    flap(&w);
    assert_int_equal(w.sources[0].n_takeovers, 1);
}

static void a_move_does_not_count(void **state)
{
    struct world w;

    (void)state;
    world_limited(&w, 1);
    lose(&w, 0, 1);
    settle(&w, 0);
    forget(&w);
    link_is(&w, 0, false);
    settle(&w, 0);
    witness(&w, 1);
    pass(&w, 2 * ASKS * SPACING_NS);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.addresses[0].held_on, 1);
    assert_int_equal(w.sources[0].n_takeovers, 1);
}

/* What made room for a source that did not come is claimed again: still the same takeover. */
static void a_false_return_does_not_count(void **state)
{
    struct world w;

    (void)state;
    world_limited(&w, 1);
    w.sources[0].failback_automatic = true;
    lose(&w, 0, 1);
    settle(&w, 0);
    rival(&w, 0, &source_mac);
    settle(&w, 0);
    assert_state(&w, 0, CORE_BLOCKED);
    for (nsec_t end_ns = w.now_ns + CORE_RETURN_NS + NSEC_PER_SEC; w.now_ns < end_ns;) {
        forget(&w);
        round_missed(&w, 0, 1);
        witness(&w, 0);
        settle(&w, 0);
    }
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.sources[0].n_takeovers, 1);
}

/* An address that was refused at first follows the others of its NIC. */
static void what_follows_does_not_count(void **state)
{
    struct world w;

    (void)state;
    world_limited(&w, 1);
    lose(&w, 0, 1);
    claimed(&w, 0, 0);
    claimed(&w, 1, -ENOSPC);
    if (w.addresses[1].claim == CORE_CLAIM_CLAIMING)
        claimed(&w, 1, -ENOSPC);
    assert_state(&w, 0, CORE_HOLDING);
    pass(&w, 2 * CORE_SAME_EVENT_NS);
    lose(&w, 1, 1);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(w.sources[0].n_takeovers, 1);
}

/* Two NICs of one source, an address each. */
static void world_two_nics(struct world *w)
{
    world_begin(w);
    add_source(w);
    for (int i = 0; i < 2; i++) {
        add_nic(w);
        add_address(w, 0, 1);
    }
    start(w, 2);
    limit(w, 1);
    round_answered(w, 0, 1);
    forget(w);
}

static void nics_lost_together_are_one_event(void **state)
{
    struct world w;

    (void)state;
    world_two_nics(&w);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_state(&w, 1, CORE_CLAIMING);
    assert_int_equal(w.sources[0].n_takeovers, 1);
}

static void a_nic_lost_much_later_is_another(void **state)
{
    struct world w;

    (void)state;
    world_two_nics(&w);
    lose(&w, 0, 0);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    for (nsec_t end_ns = w.now_ns + CORE_SAME_EVENT_NS; w.now_ns < end_ns;)
        round_answered(&w, 1, 1);
    lose(&w, 1, 1);
    assert_state(&w, 1, CORE_AWAITING);
    assert_reason(&w, 1, CORE_REASON_DAMPED);
    assert_state(&w, 0, CORE_HOLDING);
}

/* Beyond the limit the file's own manual policy is still called by its name. */
static void policy_goes_first(void **state)
{
    struct world w;

    (void)state;
    world_limited(&w, 1);
    flap(&w);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    lose(&w, 0, 1);
    assert_reason(&w, 0, CORE_REASON_POLICY_MANUAL);
    round_answered(&w, 0, 1);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_NOTIFY;
    lose(&w, 0, 1);
    assert_reason(&w, 0, CORE_REASON_POLICY_NOTIFY);
}

static void a_reload_does_not_forget(void **state)
{
    static const struct core_carried carried[] = {
        {.address = 0, .held_on = CORE_NO_TARGET, .given_on = CORE_NO_TARGET},
        {.address = 1, .held_on = CORE_NO_TARGET, .given_on = CORE_NO_TARGET},
    };
    struct world w, to;

    (void)state;
    world_limited(&w, 1);
    flap(&w);
    world_begin(&to);
    to.now_ns = w.now_ns;
    add_source(&to);
    add_nic(&to);
    for (int i = 0; i < 2; i++)
        add_address(&to, 0, 1);
    start_unfit(&to, 2);
    limit(&to, 1);
    core_carry(&to.core, 0, &w.core, 0, carried, false);
    for (uint16_t i = 0; i < 2; i++)
        link_is(&to, i, true);
    lose(&to, 0, 1);
    assert_reason(&to, 0, CORE_REASON_DAMPED);
}

static void a_restart_does_not_forget(void **state)
{
    struct world w;

    (void)state;
    world_limited(&w, 2);
    core_restore_takeover(&w.core, w.now_ns, 0, w.now_ns - HOUR_NS / 2);
    core_restore_takeover(&w.core, w.now_ns, 0, INT64_MIN); /* older than this host */
    flap(&w);
    lose(&w, 0, 1);
    assert_reason(&w, 0, CORE_REASON_DAMPED);
    /* One that lies ahead, by a clock that was set, is as old as now. */
    world_limited(&w, 1);
    core_restore_takeover(&w.core, w.now_ns, 0, INT64_MAX);
    lose(&w, 0, 1);
    assert_reason(&w, 0, CORE_REASON_DAMPED);
    round_answered(&w, 0, 1);
    pass(&w, HOUR_NS);
    flap(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_one_is_a_question),
        cmocka_unit_test(without_a_limit_it_goes_on),
        cmocka_unit_test(old_ones_do_not_count),
        cmocka_unit_test(an_operators_word_does_not_count),
        cmocka_unit_test(a_move_does_not_count),
        cmocka_unit_test(a_false_return_does_not_count),
        cmocka_unit_test(what_follows_does_not_count),
        cmocka_unit_test(nics_lost_together_are_one_event),
        cmocka_unit_test(a_nic_lost_much_later_is_another),
        cmocka_unit_test(policy_goes_first),
        cmocka_unit_test(a_reload_does_not_forget),
        cmocka_unit_test(a_restart_does_not_forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
