/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that this host's kernel did not send: silence is no answer to them. */
#include "tests/unit/core_fixture.h"

/* For so long the kernel refuses every question; forgets what was done. How many. */
static uint32_t refuse_for(struct world *w, nsec_t span_ns)
{
    uint32_t refused = 0;

    for (; span_ns > 0; span_ns -= NSEC_PER_MSEC) {
        assert_int_equal(emitted(w, CORE_CLAIM), 0);
        for (uint32_t i = 0; i < w->n_actions; i++) {
            if (w->actions[i].type != CORE_ASK)
                continue;
            unasked(w, w->actions[i].address);
            refused++;
        }
        forget(w);
        pass(w, NSEC_PER_MSEC);
    }
    return refused;
}

static void a_question_that_did_not_leave_is_not_unanswered(void **state)
{
    struct world w;

    (void)state;
    for (int pinged = 0; pinged < 2; pinged++) {
        uint32_t refused = 0;

        if (pinged)
            world_pinged(&w);
        else
            world_plain(&w, 1);
        for (int i = 0; i < MISSES; i++) {
            pass(&w, INTERVAL_NS / 2);
            miss(&w, 0);
            witness(&w, 0);
            refused += refuse_for(&w, INTERVAL_NS);
        }
        assert_state(&w, 0, CORE_VERIFYING);
        refused += refuse_for(&w, NSEC_PER_SEC);
        assert_state(&w, 0, CORE_BLOCKED);
        assert_reason(&w, 0, CORE_REASON_NOT_ASKED);
        /* Asked again, but not for ever. */
        assert_in_range(refused, 3, 3 * (ASKS + 1));
        /* The queue has room again. */
        lose(&w, 0, 0);
        pass(&w, NSEC_PER_SEC);
        assert_state(&w, 0, CORE_CLAIMING);
    }
}

static void only_what_did_not_leave_is_asked_again(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    world_plain(&w, 3);
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 2);
    core_failover(&w.core, w.now_ns, 0, false, &refusal);
    witness(&w, 0);
    forget(&w);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_ASK), 3);
    unasked(&w, 1);
    unasked(&w, 2);
    forget(&w);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_ASK), 2);
    assert_int_equal(nth(&w, CORE_ASK, 0)->address, 1);
    assert_true(nth(&w, CORE_ASK, 0)->intent);
    pass(&w, (ASKS - 2) * SPACING_NS);
    assert_state(&w, 0, CORE_VERIFYING);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_ASK), 2 + (ASKS - 2) * 3);
    assert_state(&w, 0, CORE_CLAIMING);
}

/* Who cannot ask does not find the source silent, nor that it has stayed. */
static void what_did_not_leave_brings_no_silence(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    w.sources[0].failback_automatic = true;
    w.sources[0].hold_down_ns = 2 * NSEC_PER_SEC;
    prove_return(&w, 0);
    for (int i = 0; i < 5000; i++) {
        for (uint32_t k = 0; k < w.n_actions; k++)
            if (w.actions[k].type == CORE_ASK)
                unasked(&w, w.actions[k].address);
        forget(&w);
        pass(&w, NSEC_PER_MSEC);
        assert_state(&w, 0, CORE_HOLDING);
    }
    /* Not put back over its head. */
    core_on_gone(&w.core, w.now_ns, 0, false);
    check(&w);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
}

/* Who cannot ask for the source does not go home over its head. */
static void nothing_goes_home_that_cannot_be_asked_for(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    link_is(&w, 0, false);
    settle(&w, 0);
    witness(&w, 1);
    pass(&w, NSEC_PER_SEC);
    settle(&w, 0);
    link_is(&w, 0, true);
    witness(&w, 0);
    forget(&w);
    refuse_for(&w, 25 * NSEC_PER_SEC);
    assert_int_equal(w.addresses[0].held_on, 1);
    assert_state(&w, 0, CORE_HOLDING);
    pass(&w, 15 * NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_RELEASE), 1);
}

/* Held once, and nobody could be asked whether it may be so again. That we were cut off meanwhile ends no takeover. */
static void what_stands_is_armed_after_a_cut(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    w.targets[0].witness = w.targets[1].witness = CORE_WITNESS_NONE;
    core_on_unheard(&w.core, w.now_ns);
    core_on_gone(&w.core, w.now_ns, 0, false);
    check(&w);
    refuse_for(&w, NSEC_PER_SEC);
    assert_reason(&w, 0, CORE_REASON_NOT_ASKED);
    link_is(&w, 1, false);
    refuse_for(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    link_is(&w, 0, false);
    link_is(&w, 0, true);
    assert_state(&w, 0, CORE_VERIFYING);
    refuse_for(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_NOT_ASKED);
    lose(&w, 0, 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_CLAIMING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_that_did_not_leave_is_not_unanswered),
        cmocka_unit_test(only_what_did_not_leave_is_asked_again),
        cmocka_unit_test(what_did_not_leave_brings_no_silence),
        cmocka_unit_test(nothing_goes_home_that_cannot_be_asked_for),
        cmocka_unit_test(what_stands_is_armed_after_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
