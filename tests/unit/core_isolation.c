/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The own host is at fault: deaf, cut off, without carrier, stalled, or paused. While nobody answers broadcasts either
 * (as a host that hears nothing sees it), only the witness tells that from a dead source.
 */
#include "tests/unit/core_fixture.h"

static void bring_to(struct world *w, enum core_state state)
{
    world_plain(w, 1);
    if (state == CORE_AWAITING)
        w->sources[0].on_host = w->sources[0].on_nic = CORE_POLICY_MANUAL;
    if (state == CORE_LOST)
        w->sources[0].on_host = w->sources[0].on_nic = CORE_POLICY_NOTIFY;
    w->sources[0].gated = state == CORE_PREPARING;
    if (state == CORE_LATE)
        round_missed(w, 0, 0);
    else if (state == CORE_VERIFYING || state == CORE_BLOCKED)
        for (int i = 0; i < MISSES; i++)
            round_missed(w, 0, 0);
    else if (state != CORE_UP)
        lose(w, 0, 0);
    if (state == CORE_BLOCKED)
        pass(w, NSEC_PER_SEC);
    if (state == CORE_HOLDING || state == CORE_RELEASING || state == CORE_DISARMED)
        settle(w, 0);
    if (state == CORE_RELEASING || state == CORE_DISARMED)
        core_failback(&w->core, w->now_ns, 0);
    if (state == CORE_DISARMED)
        settle(w, 0);
    assert_state(w, 0, state);
    forget(w);
}

static void a_stall_voids_what_is_not_decided(void **state)
{
    static const enum core_state becomes[CORE_STATES] = {
        [CORE_UP] = CORE_UP,
        [CORE_LATE] = CORE_UP,
        [CORE_VERIFYING] = CORE_UP,
        [CORE_PREPARING] = CORE_PREPARING,
        [CORE_BLOCKED] = CORE_BLOCKED,
        [CORE_AWAITING] = CORE_AWAITING,
        [CORE_LOST] = CORE_LOST,
        [CORE_CLAIMING] = CORE_CLAIMING,
        [CORE_HOLDING] = CORE_HOLDING,
        [CORE_RELEASING] = CORE_RELEASING,
        [CORE_DISARMED] = CORE_DISARMED,
    };
    struct world w;

    (void)state;
    for (int i = CORE_UP; i < CORE_STATES; i++) {
        bring_to(&w, (enum core_state)i);
        stall(&w, 0);
        assert_state(&w, 0, becomes[i]);
        assert_int_equal(w.addresses[0].misses, 0);
        assert_int_equal(emitted(&w, CORE_CLAIM), 0);
        assert_false(w.nics[0].suspected);
    }
}

static void after_a_stall_fresh_misses_are_needed(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    for (int i = 0; i < 10; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
        round_missed(&w, 0, 0);
        stall(&w, 0);
    }
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    lose(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void a_stall_of_one_source_leaves_others_alone(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    for (int i = 0; i < 2; i++) {
        add_source(&w);
        add_nic(&w);
        add_address(&w, 0, CORE_NO_TARGET);
    }
    start(&w, 1);
    round_answered(&w, 0, 1);
    round_missed(&w, 0, 1);
    stall(&w, 0);
    assert_state(&w, 0, CORE_UP);
    assert_state(&w, 1, CORE_LATE);
}

static void an_order_survives_a_stall_but_not_its_evidence(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    bring_to(&w, CORE_BLOCKED);
    assert_int_equal(core_failover(&w.core, w.now_ns, 0, false, &refusal), 0);
    pass(&w, ASKS * SPACING_NS / 2);
    witness(&w, 0);
    pass(&w, 1);
    stall(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    pass(&w, ASKS * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0); /* the witness answered before the stall */
    witness(&w, 0);
    pass(&w, ASKS * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void our_own_cable_makes_us_unfit_and_nobody_lost(void **state)
{
    static const enum core_state before[] = {CORE_UP, CORE_LATE, CORE_VERIFYING};
    struct world w;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        bring_to(&w, before[i]);
        link_is(&w, 1, false);
        link_is(&w, 0, false);
        assert_state(&w, 0, CORE_BLOCKED);
        assert_reason(&w, 0, CORE_REASON_NO_CARRIER);
        assert_int_equal(core_path(&w.core, 0), CORE_NO_TARGET);
        assert_int_equal(emitted(&w, CORE_RESTART), 1);
        assert_int_equal(core_deadline(&w.core), NSEC_NEVER);
        answer(&w, 0); /* one that was still queued */
        assert_state(&w, 0, CORE_BLOCKED);
        link_is(&w, 0, true);
        assert_reason(&w, 0, CORE_REASON_NONE);
        answer(&w, 0);
        assert_state(&w, 0, CORE_UP);
    }
}

static void the_cable_fails_just_before_the_verdict(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    round_missed(&w, 0, 0);
    link_is(&w, 0, false);
    round_missed(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    /* From here on the fallback NIC asks, and it is what will be claimed on; with a witness of its own. */
    assert_int_equal(core_path(&w.core, 0), 1);
    round_missed(&w, 0, 0);
    round_missed(&w, 0, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    witness(&w, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    witness(&w, 1);
    pass(&w, 2 * SPACING_NS);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->target, 1);
}

static void an_order_starts_over_on_the_other_nic(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    bring_to(&w, CORE_BLOCKED);
    core_failover(&w.core, w.now_ns, 0, false, &refusal);
    witness(&w, 0);
    pass(&w, 2 * SPACING_NS);
    forget(&w);
    link_is(&w, 0, false);
    witness(&w, 1);
    pass(&w, (ASKS - 1) * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_ASK), ASKS);
    assert_int_equal(nth(&w, CORE_ASK, 0)->target, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    pass(&w, SPACING_NS);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->target, 1);
}

static void a_witness_before_the_cable_failed_does_not_count(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    link_is(&w, 0, false);
    link_is(&w, 0, true);
    assert_int_equal(w.targets[0].witness_asked_ns, 0);
    link_is(&w, 0, true); /* no change, no event */
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    assert_int_equal(emitted(&w, CORE_RESTART), 2);
}

static void a_flapping_fallback_nic_delays_nothing(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    for (int i = 0; i < MISSES; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
        link_is(&w, 1, i % 2 != 0);
    }
    assert_int_equal(emitted(&w, CORE_RESTART), 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void a_target_nic_of_others_changes_nothing(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 2);
    answer(&w, 0);
    round_missed(&w, 0, 0);
    forget(&w);
    link_is(&w, 1, false);
    assert_int_equal(w.n_actions, 0);
    assert_state(&w, 0, CORE_LATE);
}

static void without_any_carrier_from_the_start_nothing_happens(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    start_unfit(&w, 1);
    assert_int_equal(core_path(&w.core, 0), CORE_NO_TARGET);
    link_is(&w, 0, true);
    assert_int_equal(core_path(&w.core, 0), 0);
    assert_state(&w, 0, CORE_UNSEEN);
}

static void paused_nothing_is_decided(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    core_pause(&w.core, w.now_ns, 0);
    lose(&w, 0, 0);
    round_missed(&w, 0, 0);
    pass(&w, NSEC_PER_SEC);
    assert_string_equal(path_of(&w, 0), "late");
    assert_int_equal(intents(&w), 0);
    core_resume(&w.core, w.now_ns, 0);
    check(&w);
    assert_state(&w, 0, CORE_UP);
    round_missed(&w, 0, 0); /* fresh misses */
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    round_missed(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void pausing_ends_a_verify_but_not_an_order(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    bring_to(&w, CORE_VERIFYING);
    core_pause(&w.core, w.now_ns, 0);
    check(&w);
    assert_state(&w, 0, CORE_LATE);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    core_failover(&w.core, w.now_ns, 0, false, &refusal);
    core_pause(&w.core, w.now_ns, 0);
    core_resume(&w.core, w.now_ns, 0);
    check(&w);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void held_addresses_stay_while_paused(void **state)
{
    struct world w;

    (void)state;
    bring_to(&w, CORE_HOLDING);
    core_pause(&w.core, w.now_ns, 0);
    core_resume(&w.core, w.now_ns, 0);
    check(&w);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stall_voids_what_is_not_decided),
        cmocka_unit_test(after_a_stall_fresh_misses_are_needed),
        cmocka_unit_test(a_stall_of_one_source_leaves_others_alone),
        cmocka_unit_test(an_order_survives_a_stall_but_not_its_evidence),
        cmocka_unit_test(our_own_cable_makes_us_unfit_and_nobody_lost),
        cmocka_unit_test(the_cable_fails_just_before_the_verdict),
        cmocka_unit_test(an_order_starts_over_on_the_other_nic),
        cmocka_unit_test(a_witness_before_the_cable_failed_does_not_count),
        cmocka_unit_test(a_flapping_fallback_nic_delays_nothing),
        cmocka_unit_test(a_target_nic_of_others_changes_nothing),
        cmocka_unit_test(without_any_carrier_from_the_start_nothing_happens),
        cmocka_unit_test(paused_nothing_is_decided),
        cmocka_unit_test(pausing_ends_a_verify_but_not_an_order),
        cmocka_unit_test(held_addresses_stay_while_paused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
