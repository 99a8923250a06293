/* SPDX-License-Identifier: Apache-2.0 */
/* When is a source NIC lost, and when the whole source: trigger all and any, on host and on nic. */
#include "tests/unit/core_fixture.h"

/* One NIC with `trigger any` and `n` addresses, all healthy. */
static void world_any(struct world *w, uint32_t n)
{
    world_begin(w);
    add_source(w);
    add_nic(w)->trigger_any = true;
    for (uint32_t i = 0; i < n; i++)
        add_address(w, 0, CORE_NO_TARGET);
    start(w, 1);
    round_answered(w, 0, n - 1);
    forget(w);
}

/* One source with two NICs of one address each, on target NICs of their own, all healthy. */
static void world_two_nics(struct world *w, enum core_policy on_host, enum core_policy on_nic)
{
    world_begin(w);
    add_source(w);
    w->sources[0].on_host = on_host;
    w->sources[0].on_nic = on_nic;
    for (uint16_t i = 0; i < 2; i++) {
        add_nic(w);
        add_address(w, i, CORE_NO_TARGET);
    }
    start(w, 2);
    round_answered(w, 0, 1);
    forget(w);
}

static void all_needs_every_monitored_address(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 3);
    for (int i = 0; i < 3 * MISSES; i++) {
        round_missed(&w, 0, 1);
        answer(&w, 2);
    }
    assert_state(&w, 0, CORE_LATE);
    assert_int_equal(w.nics[0].n_lost, 2);
    assert_string_equal(path_of(&w, 0), "late");
    /* An address that is dead for long is no reason to ask witnesses and carriers all the time. */
    assert_int_equal(emitted(&w, CORE_ASK_WITNESSES) + emitted(&w, CORE_ASK_CARRIER) + emitted(&w, CORE_ASK), 0);
    lose(&w, 0, 2);
    assert_int_equal(emitted(&w, CORE_CLAIM), 3);
}

static void evidence_is_counted_from_the_row_that_leads_to_the_loss(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    for (int i = 0; i < 2 * MISSES; i++) {
        round_missed(&w, 0, 0);
        answer(&w, 1);
        witness(&w, 0);
    }
    /* Now the other is gone too. Witnesses that answered before its first miss say nothing. */
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_VERIFYING);
    witness(&w, 0);
    pass(&w, 2 * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
}

static void any_needs_one(void **state)
{
    struct world w;

    (void)state;
    world_any(&w, 2);
    for (int i = 0; i < MISSES; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
        answer(&w, 1);
    }
    /* The healthy one answered the broadcasts: only the lost one is claimed. */
    assert_string_equal(path_of(&w, 0), "late verifying claiming");
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 0);
    assert_int_equal(w.addresses[1].claim, CORE_CLAIM_REFUSED);
    assert_int_equal(w.addresses[1].refusal, CORE_REASON_IN_USE);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    answer(&w, 1);
    assert_state(&w, 0, CORE_HOLDING);
    /* Later the other is lost as well. */
    forget(&w);
    lose(&w, 1, 1);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 1);
    settle(&w, 0);
    assert_int_equal(w.nics[0].n_held, 2);
}

static void any_goes_on_verifying_while_others_answer(void **state)
{
    struct world w;

    (void)state;
    world_any(&w, 2);
    for (int i = 0; i < MISSES; i++) {
        round_missed(&w, 0, 0);
        answer(&w, 1);
    }
    pass(&w, 1);
    answer(&w, 1);
    assert_string_equal(path_of(&w, 0), "late verifying");
    answer(&w, 0);
    assert_state(&w, 0, CORE_UP);
    assert_int_equal(core_deadline(&w.core), NSEC_NEVER);
}

static void any_takes_no_notice_of_what_never_answered(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w)->trigger_any = true;
    add_address(&w, 0, CORE_NO_TARGET);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    answer(&w, 0);
    for (int i = 0; i < 2 * MISSES; i++) {
        round_missed(&w, 1, 1);
        witness(&w, 0);
        answer(&w, 0);
    }
    assert_string_equal(path_of(&w, 0), "up");
    assert_int_equal(w.addresses[1].life, CORE_LIFE_LOST);
    answer(&w, 1);
    lose(&w, 1, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void any_does_not_take_back_at_once_what_was_given_back(void **state)
{
    struct world w;

    (void)state;
    world_any(&w, 2);
    lose(&w, 0, 0);
    settle(&w, 0);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    forget(&w);
    for (int i = 0; i < 2 * MISSES; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
        answer(&w, 1); /* alive, but the other was given back and is not there yet */
    }
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_UP);
    answer(&w, 0);
    lose(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void any_keeps_its_verdict_while_others_answer(void **state)
{
    static const enum core_policy policies[] = {CORE_POLICY_MANUAL, CORE_POLICY_NOTIFY};
    static const enum core_state states[] = {CORE_AWAITING, CORE_LOST};
    struct world w;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world_any(&w, 3);
        w.sources[0].on_host = w.sources[0].on_nic = policies[i];
        lose(&w, 0, 0);
        assert_state(&w, 0, states[i]);
        forget(&w);
        for (int k = 0; k < 2 * MISSES; k++) {
            round_missed(&w, 0, 0);
            answer(&w, 1);
        }
        assert_string_equal(path_of(&w, 0), "");
        stall(&w, 0);
        answer(&w, 1);
        assert_state(&w, 0, states[i]);
        answer(&w, 0);
        answer(&w, 2);
        assert_state(&w, 0, CORE_UP);
    }
}

static void any_approved_takes_what_is_lost(void **state)
{
    struct world w;

    (void)state;
    world_any(&w, 2);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    lose(&w, 0, 0);
    assert_int_equal(core_approve(&w.core, w.now_ns, 0), 0);
    witness(&w, 0);
    for (int i = 0; i <= ASKS; i++) {
        round_missed(&w, 0, 0);
        answer(&w, 1);
    }
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 0);
}

static void any_counts_evidence_from_the_row_that_is_left(void **state)
{
    struct world w;

    (void)state;
    world_any(&w, 2);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    round_missed(&w, 0, 1); /* the first is near: its intent goes out */
    assert_int_equal(intents(&w), 2);
    answer(&w, 0);
    assert_state(&w, 0, CORE_LATE);
    round_answered(&w, 0, 0);
    miss(&w, 1);
    assert_int_equal(intents(&w), 4); /* that of the first is void */
    round_missed(&w, 1, 1);
    /* The witness answered before this row began. */
    assert_state(&w, 0, CORE_VERIFYING);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    witness(&w, 0);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

/* Its target NIC had no carrier from the start: else it would have been claimed with the others. */
static void what_was_never_seen_follows_its_nic(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w)->trigger_any = true;
    add_address(&w, 0, CORE_NO_TARGET);
    add_address(&w, 1, CORE_NO_TARGET);
    start_unfit(&w, 2);
    link_is(&w, 1, true);
    round_answered(&w, 1, 1);
    lose(&w, 1, 1);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    link_is(&w, 0, true);
    forget(&w);
    lose(&w, 0, 0);
    pass(&w, 2 * ASKS * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    settle(&w, 0);
    assert_int_equal(w.nics[0].n_held, 2);
}

static void armed_late_evidence_counts_from_then(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w)->claim_unseen = true;
    add_nic(&w)->trigger_any = true;
    add_address(&w, 0, CORE_NO_TARGET);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    w.nics[0].armed = false; /* as where a new file says claim-unseen of a NIC that was given back */
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 1, 1);
    witness(&w, 0);
    pass(&w, 1);
    answer(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    witness(&w, 0);
    pass(&w, SPACING_NS);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 1);
}

static void unmonitored_addresses_come_along(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    add_address(&w, 0, CORE_NO_TARGET)->monitored = false;
    start(&w, 1);
    answer(&w, 0);
    lose(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
    assert_int_equal(intents(&w), 2); /* it is asked for, like the other */
    settle(&w, 0);
    assert_int_equal(w.nics[0].n_held, 2);
}

static void one_nic_of_two(void **state)
{
    struct world w;

    (void)state;
    world_two_nics(&w, CORE_POLICY_MANUAL, CORE_POLICY_AUTOMATIC);
    for (int i = 0; i < MISSES; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
        answer(&w, 1);
    }
    assert_state(&w, 0, CORE_CLAIMING);
    assert_state(&w, 1, CORE_UP);
    settle(&w, 0);
    assert_false(core_source_is_lost(&w.core, 0));
    /* With the other gone too it is the host that is lost. */
    lose(&w, 1, 1);
    assert_true(core_source_is_lost(&w.core, 0));
    assert_state(&w, 1, CORE_AWAITING);
    assert_state(&w, 0, CORE_HOLDING);
}

static void both_nics_at_once_are_the_host(void **state)
{
    struct world w;

    (void)state;
    /* The first to be lost waits for the verdict about the second, in either order. */
    for (uint32_t first = 0; first < 2; first++) {
        world_two_nics(&w, CORE_POLICY_AUTOMATIC, CORE_POLICY_NOTIFY);
        for (int i = 0; i < MISSES; i++) {
            pass(&w, INTERVAL_NS);
            miss(&w, first);
            witness(&w, 0);
            witness(&w, 1);
            assert_int_equal(emitted(&w, CORE_CLAIM), 0);
            miss(&w, 1 - first);
        }
        pass(&w, SPACING_NS);
        assert_int_equal(emitted(&w, CORE_CLAIM), 2);
    }
}

static void the_first_waits_until_the_second_answers(void **state)
{
    struct world w;

    (void)state;
    world_two_nics(&w, CORE_POLICY_NOTIFY, CORE_POLICY_AUTOMATIC);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_LATE);
    answer(&w, 1);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_state(&w, 1, CORE_UP);
}

static void a_dead_address_elsewhere_holds_nothing_up(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w)->on_nic = CORE_POLICY_AUTOMATIC;
    w.sources[0].on_host = CORE_POLICY_NOTIFY;
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    round_answered(&w, 0, 1);
    for (int i = 0; i < MISSES; i++) {
        round_missed(&w, 2, 2);
        answer(&w, 0);
        answer(&w, 1);
    }
    assert_state(&w, 1, CORE_LATE);
    for (int i = 0; i < MISSES; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
        miss(&w, 2);
        answer(&w, 1);
    }
    assert_state(&w, 0, CORE_CLAIMING);
}

static void lost_later_the_host_asks_anew(void **state)
{
    struct world w;

    (void)state;
    for (int notify = 0; notify < 2; notify++) {
        world_two_nics(&w, CORE_POLICY_AUTOMATIC, notify ? CORE_POLICY_NOTIFY : CORE_POLICY_MANUAL);
        for (int i = 0; i < MISSES; i++) {
            round_missed(&w, 0, 0);
            witness(&w, 0);
            answer(&w, 1);
        }
        assert_state(&w, 0, notify ? CORE_LOST : CORE_AWAITING);
        /* An hour later the second is lost too. The witness of the first must be asked again. */
        pass(&w, NSEC_PER_HOUR);
        for (int i = 0; i < MISSES; i++) {
            round_missed(&w, 0, 1);
            witness(&w, 1);
        }
        pass(&w, SPACING_NS);
        assert_state(&w, 0, CORE_VERIFYING);
        assert_state(&w, 1, CORE_CLAIMING);
        witness(&w, 0);
        pass(&w, SPACING_NS);
        assert_state(&w, 0, CORE_CLAIMING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_needs_every_monitored_address),
        cmocka_unit_test(evidence_is_counted_from_the_row_that_leads_to_the_loss),
        cmocka_unit_test(any_needs_one),
        cmocka_unit_test(any_goes_on_verifying_while_others_answer),
        cmocka_unit_test(any_takes_no_notice_of_what_never_answered),
        cmocka_unit_test(any_does_not_take_back_at_once_what_was_given_back),
        cmocka_unit_test(any_keeps_its_verdict_while_others_answer),
        cmocka_unit_test(any_approved_takes_what_is_lost),
        cmocka_unit_test(any_counts_evidence_from_the_row_that_is_left),
        cmocka_unit_test(what_was_never_seen_follows_its_nic),
        cmocka_unit_test(armed_late_evidence_counts_from_then),
        cmocka_unit_test(unmonitored_addresses_come_along),
        cmocka_unit_test(one_nic_of_two),
        cmocka_unit_test(both_nics_at_once_are_the_host),
        cmocka_unit_test(the_first_waits_until_the_second_answers),
        cmocka_unit_test(a_dead_address_elsewhere_holds_nothing_up),
        cmocka_unit_test(lost_later_the_host_asks_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
