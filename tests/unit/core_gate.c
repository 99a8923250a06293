/* SPDX-License-Identifier: Apache-2.0 */
/* What must succeed before a claim, and what must come before a release. */
#include "tests/unit/core_fixture.h"

static struct core_refusal refusal;

static void world_gated(struct world *w)
{
    world_plain(w, 2);
    w->sources[0].gated = true;
}

static void prepared(struct world *w, enum core_reason reason)
{
    core_on_prepared(&w->core, w->now_ns, 0, reason);
    check(w);
}

static void left(struct world *w, enum core_reason reason)
{
    core_on_left(&w->core, w->now_ns, 0, reason);
    check(w);
}

/* Lost, found free, and waiting. */
static void world_preparing(struct world *w)
{
    world_gated(w);
    lose(w, 0, 1);
    assert_state(w, 0, CORE_PREPARING);
    assert_int_equal(emitted(w, CORE_PREPARE), 1);
    assert_int_equal(nth(w, CORE_PREPARE, 0)->nic, 0);
    assert_int_equal(emitted(w, CORE_CLAIM), 0);
    forget(w);
}

static void nothing_is_claimed_before_it_is_prepared(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    for (int i = 0; i < 20; i++)
        round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_PREPARING);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
}

static void it_is_verified_again_after_it(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    pass(&w, 20 * NSEC_PER_SEC);
    prepared(&w, CORE_REASON_NONE);
    assert_state(&w, 0, CORE_VERIFYING);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_true(emitted(&w, CORE_ASK_WITNESSES) > 0);
    witness(&w, 0);
    pass(&w, 2 * SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
    assert_true(intents(&w) >= 2);
}

static void somebody_who_speaks_meanwhile_keeps_it(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    prepared(&w, CORE_REASON_NONE);
    hear(&w, 0, &source_mac);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_BLOCKED);
}

static void an_answer_ends_it(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    answer(&w, 0);
    assert_state(&w, 0, CORE_LATE);
    answer(&w, 1);
    prepared(&w, CORE_REASON_NONE);
    assert_state(&w, 0, CORE_UP);
    /* What was prepared then is no more: it is asked for anew. */
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_PREPARING);
    assert_int_equal(emitted(&w, CORE_PREPARE), 1);
}

static void a_veto_blocks_it_for_a_while(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    prepared(&w, CORE_REASON_VETOED);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_VETOED);
    lose(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
    pass(&w, CORE_GATE_AGAIN_NS);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_PREPARING);
    assert_int_equal(emitted(&w, CORE_PREPARE), 1);
}

static void a_stall_asks_for_fresh_misses_and_not_for_another_fence(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    stall(&w, 0);
    assert_state(&w, 0, CORE_PREPARING);
    prepared(&w, CORE_REASON_NONE);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    lose(&w, 0, 1);
    pass(&w, SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
}

static void it_is_asked_for_once_however_often_it_is_verified(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    link_is(&w, 0, false);
    link_is(&w, 1, false);
    assert_state(&w, 0, CORE_BLOCKED);
    link_is(&w, 0, true);
    lose(&w, 0, 1);
    pass(&w, 2 * SPACING_NS);
    assert_state(&w, 0, CORE_PREPARING);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
    prepared(&w, CORE_REASON_NONE);
    witness(&w, 0);
    pass(&w, 2 * SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void a_persons_order_waits_for_it_and_force_does_not(void **state)
{
    struct world w;

    (void)state;
    world_gated(&w);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_AWAITING);
    core_approve(&w.core, w.now_ns, 0);
    witness(&w, 0);
    pass(&w, (ASKS + 2) * SPACING_NS);
    assert_state(&w, 0, CORE_PREPARING);
    prepared(&w, CORE_REASON_NOT_FENCED);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_NOT_FENCED);
    assert_int_equal(core_failover(&w.core, w.now_ns, 0, true, &refusal), 0);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_reason(&w, 0, CORE_REASON_FORCED);
}

static void pausing_ends_it(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    core_pause(&w.core, w.now_ns, 0);
    check(&w);
    assert_state(&w, 0, CORE_LATE);
    prepared(&w, CORE_REASON_NONE);
    lose(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

static void another_target_goes_first(void **state)
{
    struct world w;

    (void)state;
    world_preparing(&w);
    round_missed(&w, 0, 1);
    rival(&w, 0, &lower_mac);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_RIVAL);
}

static void world_leaving(struct world *w)
{
    world_held(w, 2);
    w->sources[0].leaves_first = true;
    assert_int_equal(core_failback(&w->core, w->now_ns, 0), 0);
    check(w);
    assert_state(w, 0, CORE_HOLDING);
    assert_int_equal(emitted(w, CORE_LEAVE), 1);
    assert_int_equal(emitted(w, CORE_RELEASE), 0);
}

static void failback_waits_for_what_comes_before(void **state)
{
    struct world w;

    (void)state;
    world_leaving(&w);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), -EINPROGRESS);
    left(&w, CORE_REASON_NONE);
    assert_state(&w, 0, CORE_RELEASING);
    settle(&w, 0);
    assert_state(&w, 0, CORE_DISARMED);
    assert_reason(&w, 0, CORE_REASON_OPERATOR);
}

static void it_may_be_refused_and_tried_again(void **state)
{
    struct world w;

    (void)state;
    world_leaving(&w);
    left(&w, CORE_REASON_STAYS);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_STAYS);
    left(&w, CORE_REASON_NONE);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), 0);
    left(&w, CORE_REASON_NONE);
    assert_state(&w, 0, CORE_RELEASING);
}

static void a_return_waits_for_it_and_a_refusal_for_long(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    w.sources[0].failback_automatic = w.sources[0].leaves_first = true;
    prove_return(&w, 0);
    assert_int_equal(emitted(&w, CORE_LEAVE), 1);
    assert_state(&w, 0, CORE_HOLDING);
    left(&w, CORE_REASON_STAYS);
    for (int i = 0; i < 40; i++) {
        pass(&w, LOOK_NS);
        answer(&w, 0);
    }
    assert_int_equal(emitted(&w, CORE_LEAVE), 1);
    forget(&w);
    while (w.now_ns < w.nics[0].leave_again_ns) {
        assert_int_equal(emitted(&w, CORE_LEAVE), 0);
        forget(&w);
        pass(&w, LOOK_NS);
        answer(&w, 0);
    }
    pass(&w, LOOK_NS);
    assert_int_equal(emitted(&w, CORE_LEAVE), 1);
    left(&w, CORE_REASON_NONE);
    assert_state(&w, 0, CORE_RELEASING);
    assert_reason(&w, 0, CORE_REASON_RETURNED);
}

static void a_source_that_probes_for_its_address_does_not_wait(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    w.sources[0].failback_automatic = w.sources[0].leaves_first = true;
    rival(&w, 0, &source_mac);
    assert_int_equal(emitted(&w, CORE_LEAVE), 0);
    assert_state(&w, 0, CORE_RELEASING);
    left(&w, CORE_REASON_NONE);
    settle(&w, 0);
    assert_state(&w, 0, CORE_BLOCKED);
}

static void a_file_without_it_waits_for_nothing(void **state)
{
    struct core_carried carried[2] = {
        {.address = 0, .held_on = CORE_NO_TARGET, .given_on = CORE_NO_TARGET, .alike = true},
        {.address = 1, .held_on = CORE_NO_TARGET, .given_on = CORE_NO_TARGET, .alike = true}};
    struct world w, to;

    (void)state;
    world_preparing(&w);
    world_plain(&to, 2);
    core_carry(&to.core, 0, &w.core, 0, carried, true);
    to.now_ns = w.now_ns;
    check(&to);
    assert_state(&to, 0, CORE_LATE);
    lose(&to, 0, 1);
    pass(&to, SPACING_NS);
    assert_state(&to, 0, CORE_CLAIMING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_claimed_before_it_is_prepared),
        cmocka_unit_test(it_is_verified_again_after_it),
        cmocka_unit_test(somebody_who_speaks_meanwhile_keeps_it),
        cmocka_unit_test(an_answer_ends_it),
        cmocka_unit_test(a_veto_blocks_it_for_a_while),
        cmocka_unit_test(a_stall_asks_for_fresh_misses_and_not_for_another_fence),
        cmocka_unit_test(it_is_asked_for_once_however_often_it_is_verified),
        cmocka_unit_test(a_persons_order_waits_for_it_and_force_does_not),
        cmocka_unit_test(pausing_ends_it),
        cmocka_unit_test(another_target_goes_first),
        cmocka_unit_test(failback_waits_for_what_comes_before),
        cmocka_unit_test(it_may_be_refused_and_tried_again),
        cmocka_unit_test(a_return_waits_for_it_and_a_refusal_for_long),
        cmocka_unit_test(a_source_that_probes_for_its_address_does_not_wait),
        cmocka_unit_test(a_file_without_it_waits_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
