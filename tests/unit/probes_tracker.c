/* SPDX-License-Identifier: Apache-2.0 */
/* The tracker, one behaviour a test, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/probes_tracker.h"

static void names_are_the_words_of_the_ipmap(void **state)
{
    (void)state;
    assert_string_equal(probe_kind_name(PROBE_ARP), "arp");
    assert_string_equal(probe_kind_name(PROBE_ND), "nd");
    assert_string_equal(probe_kind_name(PROBE_ICMP), "icmp");
}

static void answered_rounds_measure_and_never_miss(void **state)
{
    struct tracker t = new_tracker();

    (void)state;
    for (nsec_t now = START_NS, i = 0; i < 100; i++, now += INTERVAL_NS) {
        struct probe_token token;

        assert_int_equal(tracker_deadline(&t), now);
        assert_false(tracker_round_due(&t, now - 1));
        assert_true(tracker_round_due(&t, now));
        token = tracker_start_round(&t, now, (uint64_t)i + 99, BIT(PROBE_ICMP));
        assert_int_equal(token.id, 7);
        assert_int_equal(token.sequence, i + 1);
        assert_int_equal(token.nonce, i + 99);
        assert_int_equal(answer(&t, &token, now + NSEC_PER_MSEC), TRACKER_ANSWER_IN_TIME);
        assert_int_equal(judge_all(&t, now + INTERVAL_NS), 0);
    }
    assert_int_equal(t.count_answered, 100);
    assert_int_equal(t.rtt_min_ns, NSEC_PER_MSEC);
    assert_int_equal(t.rtt_avg_ns, NSEC_PER_MSEC);
    assert_int_equal(t.rtt_last_ns, NSEC_PER_MSEC);
    assert_int_equal(t.last_answer_ns, START_NS + 99 * INTERVAL_NS + NSEC_PER_MSEC);
    assert_int_equal(t.last_answer_by_kind_ns[PROBE_ICMP], t.last_answer_ns);
    assert_int_equal(t.last_answer_by_kind_ns[PROBE_ARP], 0);
    check_counts(&t);
}

static void silence_is_a_row_of_misses(void **state)
{
    struct tracker t = new_tracker();
    const struct tracker_round *round = NULL;
    struct probe_token token = tracker_start_round(&t, START_NS, 1, BIT(PROBE_ICMP));

    (void)state;
    assert_int_equal(answer(&t, &token, START_NS + 1), TRACKER_ANSWER_IN_TIME);
    for (unsigned i = 1; i <= 5; i++) {
        nsec_t now = START_NS + i * INTERVAL_NS;

        tracker_start_round(&t, now, i, BIT(PROBE_ICMP));
        assert_false(tracker_would_miss(&t, now + WAIT_NS - 1));
        assert_false(tracker_judge(&t, now + WAIT_NS - 1, &round));
        assert_true(tracker_would_miss(&t, now + WAIT_NS));
        assert_true(tracker_judge(&t, now + WAIT_NS, &round));
        assert_int_equal(round->sequence, i + 1);
        assert_int_equal(t.misses, i);
        assert_int_equal(t.first_miss_ns, START_NS + INTERVAL_NS);
        assert_false(tracker_judge(&t, now + WAIT_NS, &round));
    }
    assert_int_equal(t.last_answer_ns, START_NS + 1);
    check_counts(&t);
}

static void verdict_goes_by_the_stamp_not_by_the_reading(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token first = tracker_start_round(&t, START_NS, 1, BIT(PROBE_ICMP));
    struct probe_token second = tracker_start_round(&t, START_NS + INTERVAL_NS, 2, BIT(PROBE_ICMP));

    (void)state;
    /* Both are handed in long after; the first was stamped within its wait, the second at its very end. */
    assert_true(tracker_would_miss(&t, START_NS + NSEC_PER_SEC));
    assert_int_equal(answer(&t, &first, START_NS + WAIT_NS - 1), TRACKER_ANSWER_IN_TIME);
    assert_int_equal(answer(&t, &second, START_NS + INTERVAL_NS + WAIT_NS), TRACKER_ANSWER_LATE);
    assert_int_equal(judge_all(&t, START_NS + NSEC_PER_SEC), 0);
    assert_int_equal(t.misses, 0);
    assert_int_equal(t.count_answered, 1);
    assert_int_equal(t.count_missed, 1);
    assert_int_equal(t.count_late, 1);
    assert_int_equal(t.rounds[second.sequence].state, TRACKER_ROUND_LATE);
    check_counts(&t);
}

static void late_reply_ends_the_row_but_pending_rounds_stay(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token first = tracker_start_round(&t, START_NS, 1, BIT(PROBE_ICMP));
    nsec_t now = START_NS;

    (void)state;
    for (unsigned i = 2; i <= 4; i++) {
        now += INTERVAL_NS;
        assert_int_equal(judge_all(&t, now), 1);
        tracker_start_round(&t, now, i, BIT(PROBE_ICMP));
    }
    assert_int_equal(t.misses, 3);
    assert_int_equal(answer(&t, &first, now + 1), TRACKER_ANSWER_LATE);
    assert_int_equal(t.misses, 0);
    assert_int_equal(t.first_miss_ns, 0);
    assert_int_equal(t.last_answer_ns, now + 1);
    assert_int_equal(t.rtt_last_ns, now + 1 - START_NS);
    /* The newest round is judged as if nothing had been. */
    assert_int_equal(judge_all(&t, now + WAIT_NS), 1);
    assert_int_equal(t.misses, 1);
    assert_int_equal(t.first_miss_ns, now);
    check_counts(&t);
}

static void duplicates_prove_nothing(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token token = tracker_start_round(&t, START_NS, 1, BIT(PROBE_ICMP));

    (void)state;
    assert_int_equal(answer(&t, &token, START_NS + 1), TRACKER_ANSWER_IN_TIME);
    tracker_start_round(&t, START_NS + INTERVAL_NS, 2, BIT(PROBE_ICMP));
    assert_int_equal(judge_all(&t, START_NS + 2 * INTERVAL_NS), 1);
    assert_int_equal(answer(&t, &token, START_NS + 2 * INTERVAL_NS), TRACKER_ANSWER_DUPLICATE);
    assert_int_equal(t.misses, 1);
    assert_int_equal(t.last_answer_ns, START_NS + 1);
    assert_int_equal(t.count_duplicates, 1);
    assert_int_equal(t.rtt_last_ns, 1);
}

static void strangers_prove_nothing(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token unused = {.id = 7, .sequence = 3, .nonce = 5}, zero = {.id = 7}, token, wrong;

    (void)state;
    assert_int_equal(answer(&t, &unused, START_NS), TRACKER_ANSWER_STRANGER);
    assert_int_equal(answer(&t, &zero, START_NS), TRACKER_ANSWER_STRANGER);
    assert_int_equal(answer_arp(&t, START_NS), TRACKER_ANSWER_STRANGER);
    token = tracker_start_round(&t, START_NS, 5, BIT(PROBE_ICMP));
    wrong = token, wrong.nonce++;
    assert_int_equal(answer(&t, &wrong, START_NS + 1), TRACKER_ANSWER_STRANGER);
    wrong = token, wrong.id++;
    assert_int_equal(answer(&t, &wrong, START_NS + 1), TRACKER_ANSWER_STRANGER);
    wrong = token, wrong.sequence += TRACKER_ROUNDS;
    assert_int_equal(answer(&t, &wrong, START_NS + 1), TRACKER_ANSWER_STRANGER);
    /* ARP was not asked. */
    assert_int_equal(answer_arp(&t, START_NS + 1), TRACKER_ANSWER_STRANGER);
    assert_int_equal(t.count_strangers, 7);
    assert_int_equal(t.last_answer_ns, 0);
    assert_int_equal(judge_all(&t, START_NS + WAIT_NS), 1);
}

static void any_kind_answers_a_round(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token token = tracker_start_round(&t, START_NS, 1, ALL_KINDS);

    (void)state;
    assert_int_equal(answer_arp(&t, START_NS + 100), TRACKER_ANSWER_IN_TIME);
    assert_int_equal(answer(&t, &token, START_NS + 300), TRACKER_ANSWER_AGAIN);
    assert_int_equal(answer_arp(&t, START_NS + 400), TRACKER_ANSWER_DUPLICATE);
    assert_int_equal(answer(&t, &token, START_NS + 500), TRACKER_ANSWER_DUPLICATE);
    assert_int_equal(t.last_answer_by_kind_ns[PROBE_ARP], START_NS + 100);
    assert_int_equal(t.last_answer_by_kind_ns[PROBE_ICMP], START_NS + 300);
    assert_int_equal(t.last_answer_ns, START_NS + 300);
    /* The first answer is the round's. */
    assert_int_equal(t.rtt_last_ns, 100);
    assert_int_equal(t.count_answered, 1);
    assert_int_equal(t.rounds[1].answered_kinds, ALL_KINDS);
    check_counts(&t);
}

static void other_kind_that_ends_a_row_is_proof_of_life(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token token = tracker_start_round(&t, START_NS, 1, ALL_KINDS);

    (void)state;
    assert_int_equal(answer_arp(&t, START_NS + 100), TRACKER_ANSWER_IN_TIME);
    tracker_start_round(&t, START_NS + INTERVAL_NS, 2, ALL_KINDS);
    assert_int_equal(judge_all(&t, START_NS + 2 * INTERVAL_NS), 1);
    assert_int_equal(answer(&t, &token, START_NS + 2 * INTERVAL_NS), TRACKER_ANSWER_LATE);
    assert_int_equal(t.misses, 0);
    check_counts(&t);
}

static void reply_without_token_belongs_to_the_newest_round_before_it(void **state)
{
    struct tracker t = new_tracker();

    (void)state;
    tracker_start_round(&t, START_NS, 1, BIT(PROBE_ARP));
    tracker_start_round(&t, START_NS + INTERVAL_NS, 2, BIT(PROBE_ICMP));
    tracker_start_round(&t, START_NS + 2 * INTERVAL_NS, 3, BIT(PROBE_ARP));
    /* Before all of them. */
    assert_int_equal(answer_arp(&t, START_NS - 1), TRACKER_ANSWER_STRANGER);
    /* Read after the third had started, but stamped before: the first, for the second did not ask ARP. */
    assert_int_equal(answer_arp(&t, START_NS + WAIT_NS - 1), TRACKER_ANSWER_IN_TIME);
    assert_int_equal(t.rounds[1].state, TRACKER_ROUND_ANSWERED);
    assert_int_equal(answer_arp(&t, START_NS + 2 * INTERVAL_NS - 1), TRACKER_ANSWER_DUPLICATE);
    assert_int_equal(answer_arp(&t, START_NS + 2 * INTERVAL_NS), TRACKER_ANSWER_IN_TIME);
    assert_int_equal(t.rounds[3].state, TRACKER_ROUND_ANSWERED);
    assert_int_equal(t.rtt_last_ns, 1); /* 0 would read "none measured" */
    assert_int_equal(judge_all(&t, START_NS + 2 * INTERVAL_NS), 1);
    check_counts(&t);
}

static void stamp_from_before_the_request_measures_nothing(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token token = tracker_start_round(&t, START_NS, 1, ALL_KINDS);

    (void)state;
    assert_int_equal(answer(&t, &token, START_NS - NSEC_PER_SEC), TRACKER_ANSWER_IN_TIME);
    assert_int_equal(t.last_answer_ns, START_NS);
    assert_int_equal(t.rtt_last_ns, 0);
    assert_int_equal(tracker_rtt_quantile(&t, 100), 0);
    check_counts(&t);
}

static void void_rounds_count_neither_way(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token first = tracker_start_round(&t, START_NS, 1, ALL_KINDS), second;
    nsec_t now = START_NS + INTERVAL_NS;

    (void)state;
    assert_int_equal(judge_all(&t, now), 1);
    second = tracker_start_round(&t, now, 2, ALL_KINDS);
    tracker_void(&t);
    assert_int_equal(t.misses, 0);
    assert_int_equal(t.first_miss_ns, 0);
    assert_int_equal(t.count_void, 1);
    assert_int_equal(judge_all(&t, now + NSEC_PER_SEC), 0);
    assert_int_equal(tracker_deadline(&t), now + INTERVAL_NS);
    /* Its reply is proof of life and measures nothing; another kind's is evidence only. */
    assert_int_equal(answer(&t, &second, now + 5), TRACKER_ANSWER_LATE);
    assert_int_equal(t.last_answer_ns, now + 5);
    assert_int_equal(t.rtt_last_ns, 0);
    assert_int_equal(t.count_late, 0);
    assert_int_equal(answer_arp(&t, now + 6), TRACKER_ANSWER_AGAIN);
    assert_int_equal(answer(&t, &second, now + 7), TRACKER_ANSWER_DUPLICATE);
    /* The missed one stays what it was. */
    assert_int_equal(answer(&t, &first, now + 8), TRACKER_ANSWER_LATE);
    assert_int_equal(t.count_late, 1);
    check_counts(&t);
}

static void what_could_not_be_sent_is_no_miss(void **state)
{
    struct tracker t = new_tracker();

    (void)state;
    tracker_start_round(&t, START_NS, 1, BIT(PROBE_ARP));
    assert_int_equal(judge_all(&t, START_NS + WAIT_NS), 1);
    tracker_start_round(&t, START_NS + INTERVAL_NS, 2, BIT(PROBE_ARP));
    tracker_cannot_probe(&t, ENETDOWN);
    assert_int_equal(t.cannot_probe, ENETDOWN);
    assert_int_equal(t.count_void, 1);
    assert_int_equal(judge_all(&t, START_NS + NSEC_PER_SEC), 0);
    /* The row goes on: what happened before is still true. */
    assert_int_equal(t.misses, 1);
    /* No request of the second left, so this answers the first. */
    assert_int_equal(answer_arp(&t, START_NS + INTERVAL_NS + 1), TRACKER_ANSWER_LATE);
    assert_int_equal(t.rounds[1].state, TRACKER_ROUND_LATE);
    tracker_start_round(&t, START_NS + 2 * INTERVAL_NS, 3, BIT(PROBE_ARP));
    assert_int_equal(t.cannot_probe, 0);
    check_counts(&t);
}

static void ring_forgets_old_rounds(void **state)
{
    struct tracker t = new_tracker();
    struct probe_token first = {0}, kept = {0};
    nsec_t now = START_NS;

    (void)state;
    for (unsigned i = 0; i <= TRACKER_ROUNDS; i++, now += INTERVAL_NS) {
        struct probe_token token;

        judge_all(&t, now);
        token = tracker_start_round(&t, now, i, BIT(PROBE_ICMP));
        if (i == 0)
            first = token;
        if (i == 1)
            kept = token;
    }
    assert_int_equal(answer(&t, &first, now), TRACKER_ANSWER_STRANGER);
    assert_int_equal(t.misses, TRACKER_ROUNDS);
    assert_int_equal(answer(&t, &kept, now), TRACKER_ANSWER_LATE);
    check_counts(&t);
}

static void round_without_room_is_void_not_missed(void **state)
{
    struct tracker t;

    (void)state;
    tracker_init(&t, 1, INTERVAL_NS, 14 * INTERVAL_NS, START_NS);
    for (unsigned i = 0; i <= TRACKER_ROUNDS; i++)
        tracker_start_round(&t, START_NS + i, i, BIT(PROBE_ICMP));
    assert_int_equal(t.count_void, 1);
    assert_int_equal(judge_all(&t, START_NS + NSEC_PER_SEC), TRACKER_ROUNDS);
    check_counts(&t);
}

static void sequence_wraps_and_is_never_zero(void **state)
{
    struct tracker t = new_tracker();
    const struct tracker_round *round;
    struct probe_token before, after;

    (void)state;
    t.sequence = UINT32_MAX - 1;
    before = tracker_start_round(&t, START_NS, 1, BIT(PROBE_ARP));
    after = tracker_start_round(&t, START_NS + INTERVAL_NS, 2, BIT(PROBE_ARP));
    assert_int_equal(before.sequence, UINT32_MAX);
    assert_int_equal(after.sequence, 1);
    assert_int_equal(answer_arp(&t, START_NS + INTERVAL_NS + 1), TRACKER_ANSWER_IN_TIME);
    assert_int_equal(t.rounds[1].state, TRACKER_ROUND_ANSWERED);
    assert_true(tracker_judge(&t, START_NS + NSEC_PER_SEC, &round));
    assert_int_equal(round->sequence, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_words_of_the_ipmap),
        cmocka_unit_test(answered_rounds_measure_and_never_miss),
        cmocka_unit_test(silence_is_a_row_of_misses),
        cmocka_unit_test(verdict_goes_by_the_stamp_not_by_the_reading),
        cmocka_unit_test(late_reply_ends_the_row_but_pending_rounds_stay),
        cmocka_unit_test(duplicates_prove_nothing),
        cmocka_unit_test(strangers_prove_nothing),
        cmocka_unit_test(any_kind_answers_a_round),
        cmocka_unit_test(other_kind_that_ends_a_row_is_proof_of_life),
        cmocka_unit_test(reply_without_token_belongs_to_the_newest_round_before_it),
        cmocka_unit_test(stamp_from_before_the_request_measures_nothing),
        cmocka_unit_test(void_rounds_count_neither_way),
        cmocka_unit_test(what_could_not_be_sent_is_no_miss),
        cmocka_unit_test(ring_forgets_old_rounds),
        cmocka_unit_test(round_without_room_is_void_not_missed),
        cmocka_unit_test(sequence_wraps_and_is_never_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
