/* SPDX-License-Identifier: Apache-2.0 */
/* What people say: failover, approve, deny, and what a question does that nobody answers. */
#include "tests/unit/core_fixture.h"

static struct core_refusal refusal;

static int failover(struct world *w, bool force)
{
    int r = core_failover(&w->core, w->now_ns, 0, force, &refusal);

    check(w);
    return r;
}

static void world_awaiting(struct world *w, nsec_t timeout_ns, bool approve)
{
    world_plain(w, 2);
    w->sources[0].on_host = w->sources[0].on_nic = CORE_POLICY_MANUAL;
    w->sources[0].approval_timeout_ns = timeout_ns;
    w->sources[0].approval_default_approve = approve;
    lose(w, 0, 1);
    assert_state(w, 0, CORE_AWAITING);
    assert_reason(w, 0, CORE_REASON_POLICY_MANUAL);
    assert_int_equal(emitted(w, CORE_CLAIM), 0);
    forget(w);
}

static void a_question_waits_for_ever(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_NEVER, true);
    assert_int_equal(core_deadline(&w.core), NSEC_NEVER);
    round_missed(&w, 0, 1);
    pass(&w, NSEC_PER_HOUR);
    round_missed(&w, 0, 1);
    assert_string_equal(path_of(&w, 0), "");
}

static void approved_all_evidence_is_gathered_anew(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_NEVER, false);
    pass(&w, NSEC_PER_MIN);
    assert_int_equal(core_approve(&w.core, w.now_ns, 0), 0);
    check(&w);
    assert_int_equal(emitted(&w, CORE_ASK_WITNESSES), 2); /* of the fallback NIC too */
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    witness(&w, 0);
    pass(&w, 2 * ASKS * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_ASK), 2 * ASKS);
    assert_string_equal(path_of(&w, 0), "verifying claiming");
    assert_reason(&w, 0, CORE_REASON_OPERATOR);
    assert_int_equal(core_approve(&w.core, w.now_ns, 0), -EINVAL);
    assert_int_equal(core_deny(&w.core, w.now_ns, 0), -EINVAL);
}

static void approved_but_cut_off_or_in_use(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_NEVER, false);
    core_approve(&w.core, w.now_ns, 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_WITNESS_SILENT);

    world_awaiting(&w, NSEC_NEVER, false);
    core_approve(&w.core, w.now_ns, 0);
    pass(&w, 1);
    hear(&w, 1, &source_mac);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    assert_int_equal(w.nics[0].reason_address, 1);
}

static void denied_it_is_left_alone(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_PER_SEC, true);
    assert_int_equal(core_deny(&w.core, w.now_ns, 0), 0);
    check(&w);
    for (int i = 0; i < 5 * MISSES; i++)
        round_missed(&w, 0, 1);
    pass(&w, NSEC_PER_MIN);
    assert_string_equal(path_of(&w, 0), "lost");
    assert_reason(&w, 0, CORE_REASON_DENIED);
    answer(&w, 0);
    answer(&w, 1);
    assert_state(&w, 0, CORE_UP);
}

static void nobody_answers_in_time(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_PER_SEC, false);
    pass(&w, NSEC_PER_SEC - 1);
    assert_state(&w, 0, CORE_AWAITING);
    pass(&w, 1);
    assert_state(&w, 0, CORE_LOST);
    assert_reason(&w, 0, CORE_REASON_APPROVAL_EXPIRED);
    assert_int_equal(core_deadline(&w.core), NSEC_NEVER);

    world_awaiting(&w, NSEC_PER_SEC, true);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_VERIFYING);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
}

static void the_time_to_answer_stands_still_while_paused(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_PER_SEC, true);
    core_pause(&w.core, w.now_ns, 0);
    check(&w);
    pass(&w, NSEC_PER_MIN);
    assert_state(&w, 0, CORE_AWAITING);
    core_resume(&w.core, w.now_ns, 0);
    check(&w);
    pass(&w, NSEC_PER_SEC - 1);
    assert_state(&w, 0, CORE_AWAITING);
    pass(&w, 1);
    assert_state(&w, 0, CORE_VERIFYING);
}

static void an_answer_withdraws_the_question(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_PER_SEC, true);
    answer(&w, 0);
    assert_state(&w, 0, CORE_LATE);
    pass(&w, NSEC_PER_MIN);
    assert_int_equal(core_approve(&w.core, w.now_ns, 0), -EINVAL);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

static void failover_of_a_live_source_is_refused(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    round_missed(&w, 0, 0);
    forget(&w);
    assert_int_equal(failover(&w, false), -EBUSY);
    assert_int_equal(refusal.reason, CORE_REASON_IN_USE);
    assert_int_equal(refusal.address, 1);
    assert_memory_equal(&refusal.mac, &source_mac, sizeof source_mac);
    assert_int_equal(w.n_actions, 0);
    assert_state(&w, 0, CORE_LATE);
}

static void forced_it_is_claimed_at_once(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    assert_int_equal(failover(&w, true), 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
    assert_reason(&w, 0, CORE_REASON_FORCED);
    assert_int_equal(failover(&w, true), -EINPROGRESS);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_FORCED);
    assert_int_equal(failover(&w, true), -EALREADY);
    assert_int_equal(failover(&w, false), -EALREADY);
    core_failback(&w.core, w.now_ns, 0);
    assert_int_equal(failover(&w, false), -EINPROGRESS);
}

static void force_needs_a_way_too(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    add_address(&w, 1, CORE_NO_TARGET);
    start(&w, 2);
    link_is(&w, 1, false);
    assert_int_equal(failover(&w, true), 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    assert_int_equal(w.addresses[1].claim, CORE_CLAIM_REFUSED);
    assert_int_equal(w.addresses[1].refusal, CORE_REASON_NO_CARRIER);
    settle(&w, 0);
    /* Nothing is left that could be claimed: said so, instead of claiming nothing. */
    assert_int_equal(failover(&w, true), -ENETDOWN);
    assert_int_equal(refusal.reason, CORE_REASON_NO_CARRIER);
    assert_int_equal(refusal.address, UINT32_MAX);
    assert_state(&w, 0, CORE_HOLDING);
    link_is(&w, 1, true);
    assert_int_equal(failover(&w, true), 0);
    settle(&w, 0);
    assert_int_equal(w.nics[0].n_held, 2);
}

static void failover_of_what_was_never_seen(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    assert_int_equal(failover(&w, false), 0);
    for (int i = 0; i < 3; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
    }
    pass(&w, NSEC_PER_SEC);
    assert_string_equal(path_of(&w, 0), "verifying claiming");
    assert_int_equal(emitted(&w, CORE_ASK), ASKS);
    assert_reason(&w, 0, CORE_REASON_OPERATOR);
    claimed(&w, 0, -EPERM);
    assert_state(&w, 0, CORE_UNSEEN); /* nothing says that it is lost */
    assert_reason(&w, 0, CORE_REASON_CLAIM_FAILED);
}

/* Not seen since watching began, or since it was given back; held by a person's word all the same. */
static void world_held_by_order(struct world *w)
{
    world_held(w, 1);
    assert_int_equal(core_failback(&w->core, w->now_ns, 0), 0);
    settle(w, 0);
    assert_state(w, 0, CORE_DISARMED);
    assert_int_equal(failover(w, false), 0);
    witness(w, 0);
    pass(w, 2 * ASKS * SPACING_NS);
    settle(w, 0);
    assert_state(w, 0, CORE_HOLDING);
    assert_reason(w, 0, CORE_REASON_OPERATOR);
    forget(w);
}

static void what_was_ordered_stands_like_any_takeover(void **state)
{
    struct world w;

    (void)state;
    world_held_by_order(&w);
    core_on_gone(&w.core, w.now_ns, 0, true);
    check(&w);
    assert_reason(&w, 0, CORE_REASON_LAPSED);
    lose(&w, 0, 0);
    pass(&w, 2 * ASKS * SPACING_NS);
    assert_string_equal(path_of(&w, 0), "blocked verifying claiming");
    /* It went with its NIC, or the new file has another place for it. */
    world_held_by_order(&w);
    core_on_gone_with_nic(&w.core, w.now_ns, 0);
    check(&w);
    assert_state(&w, 0, CORE_VERIFYING);
    world_held_by_order(&w);
    core_move(&w.core, w.now_ns, 0);
    assert_state(&w, 0, CORE_VERIFYING);
}

/* We were cut off, and nobody tells who is: an order that has no way does not make the source look well. */
static void failover_without_a_way_while_cut_off(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    w.targets[0].witness = CORE_WITNESS_NONE;
    start(&w, 1);
    round_answered(&w, 0, 0);
    link_is(&w, 0, false);
    assert_reason(&w, 0, CORE_REASON_NO_CARRIER);
    assert_int_equal(failover(&w, false), 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_NO_CARRIER);
    link_is(&w, 0, true);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_CUT_OFF);
    lose(&w, 0, 0);
    assert_state(&w, 0, CORE_BLOCKED);
    round_answered(&w, 0, 0);
    assert_state(&w, 0, CORE_UP);
}

static void failover_while_a_row_of_misses_begins(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    stall(&w, 0);
    round_answered(&w, 0, 0);
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    forget(&w);
    /* The first of the fresh misses falls into the verify, and must not undo what was asked already. */
    assert_int_equal(failover(&w, false), 0);
    witness(&w, 0);
    pass(&w, SPACING_NS / 2);
    miss(&w, 0);
    pass(&w, ASKS * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void failover_says_who_answers(void **state)
{
    struct world w;

    (void)state;
    /* By ping alone, and without a MAC. */
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET)->asked_by_link = false;
    add_address(&w, 0, CORE_NO_TARGET)->asked_by_link = false;
    start(&w, 1);
    assert_int_equal(failover(&w, false), 0);
    witness(&w, 0);
    pass(&w, 1);
    core_on_answer(&w.core, w.now_ns, 1, NULL);
    check(&w);
    assert_string_equal(path_of(&w, 0), "verifying blocked");
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    assert_int_equal(w.nics[0].reason_address, 1);
    core_on_answer(&w.core, w.now_ns, 1, NULL);
    core_on_answer(&w.core, w.now_ns, 0, NULL);
    assert_state(&w, 0, CORE_UP);
}

static void under_any_failover_is_refused_like_under_all(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w)->trigger_any = true;
    add_address(&w, 0, CORE_NO_TARGET);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    assert_int_equal(failover(&w, false), 0);
    witness(&w, 0);
    pass(&w, 1);
    answer(&w, 1);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

static void failover_without_a_witness_or_carrier(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, 1);
    start(&w, 2);
    w.targets[0].witness = w.targets[1].witness = CORE_WITNESS_MISSING;
    assert_int_equal(failover(&w, false), 0); /* a person's word stands in for it */
    for (int i = 0; i < 4 * ASKS && emitted(&w, CORE_CLAIM) == 0; i++)
        pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    claimed(&w, 0, -ENODEV);
    assert_int_equal(nth(&w, CORE_CLAIM, 1)->target, 1); /* and for the fallback NIC too */

    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    start_unfit(&w, 1);
    assert_int_equal(failover(&w, true), -ENETDOWN);
    assert_int_equal(failover(&w, false), 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_UNSEEN);
    assert_reason(&w, 0, CORE_REASON_NO_CARRIER);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

static void failover_answers_a_question(void **state)
{
    struct world w;

    (void)state;
    world_awaiting(&w, NSEC_PER_SEC, false);
    assert_int_equal(failover(&w, false), 0);
    witness(&w, 0);
    pass(&w, 2 * NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
}

static void failback_of_nothing(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), -EALREADY);
    lose(&w, 0, 0);
    settle(&w, 0);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), 0);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), -EINPROGRESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_waits_for_ever),
        cmocka_unit_test(approved_all_evidence_is_gathered_anew),
        cmocka_unit_test(approved_but_cut_off_or_in_use),
        cmocka_unit_test(denied_it_is_left_alone),
        cmocka_unit_test(nobody_answers_in_time),
        cmocka_unit_test(the_time_to_answer_stands_still_while_paused),
        cmocka_unit_test(an_answer_withdraws_the_question),
        cmocka_unit_test(failover_of_a_live_source_is_refused),
        cmocka_unit_test(forced_it_is_claimed_at_once),
        cmocka_unit_test(force_needs_a_way_too),
        cmocka_unit_test(failover_of_what_was_never_seen),
        cmocka_unit_test(what_was_ordered_stands_like_any_takeover),
        cmocka_unit_test(failover_without_a_way_while_cut_off),
        cmocka_unit_test(failover_while_a_row_of_misses_begins),
        cmocka_unit_test(failover_says_who_answers),
        cmocka_unit_test(under_any_failover_is_refused_like_under_all),
        cmocka_unit_test(failover_without_a_witness_or_carrier),
        cmocka_unit_test(failover_answers_a_question),
        cmocka_unit_test(failback_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
