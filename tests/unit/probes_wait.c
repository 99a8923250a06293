/* SPDX-License-Identifier: Apache-2.0 */
/* How long the tracker waits for a round, and how close rounds come during a row of misses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/probes_tracker.h"

#define RTT_NS (200 * NSEC_PER_USEC)
#define FLOOR_NS (1 * NSEC_PER_MSEC)

static nsec_t now;

/* Rounds that are answered after rtt_ns each, from `now` on. */
static void answer_rounds(struct tracker *t, unsigned rounds, nsec_t rtt_ns)
{
    for (unsigned i = 0; i < rounds; i++, now += INTERVAL_NS) {
        struct probe_token token = tracker_start_round(t, now, i, BIT(PROBE_ICMP));

        answer(t, &token, now + rtt_ns);
    }
}

static struct tracker measured_tracker(void)
{
    struct tracker t = new_tracker();

    now = START_NS;
    answer_rounds(&t, 100, RTT_NS);
    tracker_set_floor(&t, FLOOR_NS, NSEC_UNSET);
    return t;
}

static void waits_as_long_as_it_may_until_something_was_measured(void **state)
{
    struct tracker t = new_tracker();

    (void)state;
    tracker_set_floor(&t, FLOOR_NS, NSEC_UNSET);
    assert_int_equal(tracker_wait(&t), WAIT_NS);
    now = START_NS;
    answer_rounds(&t, 1, RTT_NS);
    /* RFC 6298 section 2.2: R + max (G, 4 * R / 2). */
    assert_int_equal(tracker_wait(&t), RTT_NS + FLOOR_NS);
    tracker_set_floor(&t, 1, NSEC_UNSET);
    assert_int_equal(tracker_wait(&t), 3 * RTT_NS);
}

static void follows_the_round_trip(void **state)
{
    struct tracker t = measured_tracker();

    (void)state;
    assert_int_equal(tracker_wait(&t), RTT_NS + FLOOR_NS);
    tracker_start_round(&t, now, 1, BIT(PROBE_ICMP));
    assert_int_equal(tracker_deadline(&t), now + RTT_NS + FLOOR_NS);
    assert_int_equal(judge_all(&t, now + RTT_NS + FLOOR_NS - 1), 0);
    assert_int_equal(judge_all(&t, now + RTT_NS + FLOOR_NS), 1);
    /* Three misses: two intervals and the wait after the first of them left. */
    for (unsigned i = 1; i < 3; i++) {
        tracker_start_round(&t, now + i * INTERVAL_NS, 2, BIT(PROBE_ICMP));
        assert_int_equal(judge_all(&t, now + i * INTERVAL_NS + RTT_NS + FLOOR_NS), 1);
    }
    assert_int_equal(t.misses, 3);
    check_counts(&t);
}

static void a_late_answer_raises_it(void **state)
{
    struct tracker t = measured_tracker();
    nsec_t wait_ns = tracker_wait(&t);
    struct probe_token token = tracker_start_round(&t, now, 1, BIT(PROBE_ICMP));

    (void)state;
    assert_int_equal(judge_all(&t, now + wait_ns), 1);
    assert_int_equal(answer(&t, &token, now + 6 * NSEC_PER_MSEC), TRACKER_ANSWER_LATE);
    assert_int_equal(t.misses, 0);
    assert_true(tracker_wait(&t) > 6 * NSEC_PER_MSEC);
    /* A source that stays as slow is late no more; one of 0.6 intervals is waited for a little longer than that. */
    now += INTERVAL_NS;
    answer_rounds(&t, 300, 6 * NSEC_PER_MSEC);
    assert_int_equal(t.count_late, 1);
    assert_in_range(tracker_wait(&t), 7 * NSEC_PER_MSEC - 1000, 7 * NSEC_PER_MSEC + 1000);
    /* Never longer than an interval. */
    answer_rounds(&t, 300, WAIT_NS - 1);
    assert_int_equal(tracker_wait(&t), WAIT_NS);
}

static void what_may_be_an_answer_to_another_round_measures_nothing(void **state)
{
    struct tracker t = new_tracker();
    nsec_t avg_ns;

    (void)state;
    now = START_NS;
    for (unsigned i = 0; i < 10; i++, now += INTERVAL_NS) {
        tracker_start_round(&t, now, i, BIT(PROBE_ARP));
        answer_arp(&t, now + 5 * NSEC_PER_MSEC);
    }
    avg_ns = t.rtt_avg_ns;
    tracker_start_round(&t, now, 1, BIT(PROBE_ARP));
    tracker_start_round(&t, now + INTERVAL_NS, 2, BIT(PROBE_ARP));
    assert_int_not_equal(answer_arp(&t, now + INTERVAL_NS + 1000), TRACKER_ANSWER_STRANGER);
    assert_int_equal(t.rtt_avg_ns, avg_ns);
    assert_int_equal(t.rtt_last_ns, 5 * NSEC_PER_MSEC);
}

static void a_loop_that_woke_late_gives_more_time(void **state)
{
    struct tracker t = measured_tracker();
    nsec_t wait_ns = tracker_wait(&t), late_ns = now + 3 * NSEC_PER_MSEC;

    (void)state;
    tracker_start_round(&t, now, 1, BIT(PROBE_ICMP));
    tracker_set_floor(&t, FLOOR_NS, late_ns);
    assert_false(tracker_would_miss(&t, late_ns));
    assert_int_equal(tracker_deadline(&t), late_ns + wait_ns);
    /* But no more than an interval, however often it is late. */
    tracker_set_floor(&t, FLOOR_NS, now + WAIT_NS - 1);
    assert_int_equal(tracker_deadline(&t), now + WAIT_NS);
    assert_int_equal(judge_all(&t, now + WAIT_NS), 1);
}

static void a_burst_brings_the_verdict_closer(void **state)
{
    struct tracker t = measured_tracker();
    nsec_t wait_ns = tracker_wait(&t), first_ns = now;

    (void)state;
    tracker_set_burst(&t, 2 * NSEC_PER_MSEC, 4);
    t.next_round_ns = now;
    tracker_start_round(&t, now, 1, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, now + INTERVAL_NS);
    assert_int_equal(judge_all(&t, now + wait_ns), 1);
    assert_int_equal(tracker_spacing(&t), 2 * NSEC_PER_MSEC);
    for (unsigned i = 1; i < 4; i++) {
        now = first_ns + i * 2 * NSEC_PER_MSEC;
        assert_int_equal(t.next_round_ns, now);
        tracker_start_round(&t, now, 1, BIT(PROBE_ICMP));
        judge_all(&t, now + wait_ns);
    }
    assert_int_equal(t.misses, 4);
    /* The row is lost: no more hurry. */
    assert_int_equal(tracker_spacing(&t), INTERVAL_NS);
    /* Rounds are no closer than one delay that would hit them all. */
    t.misses = 1;
    tracker_set_floor(&t, 8 * NSEC_PER_MSEC - RTT_NS, NSEC_UNSET);
    tracker_set_burst(&t, 100 * NSEC_PER_USEC, 4);
    assert_in_range(tracker_spacing(&t), NSEC_PER_MSEC - 10, NSEC_PER_MSEC);
}

/* From now on one round after the other is waited for, each with its whole wait, until one is answered. */
static void in_a_hurry_rounds_follow_their_waits(void **state)
{
    struct tracker t = measured_tracker();
    nsec_t due_ns = now, now_ns = due_ns - INTERVAL_NS / 2, wait_ns = tracker_wait(&t);
    struct probe_token token;

    (void)state;
    tracker_set_burst(&t, NSEC_NEVER, 3);
    t.next_round_ns = due_ns;
    tracker_hurry(&t, now_ns, 1);
    tracker_hurry(&t, now_ns, 1); /* no more than once */
    for (uint32_t i = 1; i <= 3; i++, now_ns += wait_ns) {
        assert_true(tracker_round_due(&t, now_ns));
        assert_int_equal(judge_all(&t, now_ns), i > 1);
        tracker_start_round(&t, now_ns, i, BIT(PROBE_ICMP));
        assert_int_equal(judge_all(&t, now_ns + wait_ns - 1), 0);
        assert_false(tracker_round_due(&t, now_ns + wait_ns - 1));
    }
    assert_int_equal(judge_all(&t, now_ns), 1);
    assert_int_equal(t.misses, 3);
    /* The verdict is there: no more reason. */
    token = tracker_start_round(&t, now_ns, 4, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, now_ns + INTERVAL_NS);
    tracker_hurry(&t, now_ns, 1);
    assert_int_equal(t.next_round_ns, now_ns + INTERVAL_NS);
    /* An answer ends it, and the beat is the old one. */
    assert_int_equal(answer(&t, &token, now_ns + 1), TRACKER_ANSWER_IN_TIME);
    assert_int_equal(t.hurry_ns, 0);
    assert_int_equal(t.next_round_ns, due_ns);
    check_counts(&t);
}

static void what_is_stopped_or_void_does_not_hurry(void **state)
{
    struct tracker t = new_tracker();

    (void)state;
    tracker_set_burst(&t, NSEC_NEVER, 3);
    t.next_round_ns = NSEC_NEVER;
    tracker_hurry(&t, START_NS, 1);
    assert_int_equal(t.next_round_ns, NSEC_NEVER);
    t.next_round_ns = START_NS + INTERVAL_NS;
    tracker_hurry(&t, START_NS, 1);
    assert_int_equal(t.next_round_ns, START_NS);
    tracker_void(&t);
    assert_int_equal(t.next_round_ns, START_NS + INTERVAL_NS);
}

static void many_hurry_less(void **state)
{
    struct tracker t = measured_tracker();

    (void)state;
    tracker_set_burst(&t, NSEC_NEVER, 3);
    t.next_round_ns = now + 1;
    tracker_hurry(&t, now, 5 * NSEC_PER_MSEC);
    tracker_start_round(&t, now, 1, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, now + 5 * NSEC_PER_MSEC);
    tracker_void(&t);
    t.next_round_ns = now;
    tracker_hurry(&t, now, 5 * NSEC_PER_SEC);
    tracker_start_round(&t, now, 2, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, now + INTERVAL_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_as_long_as_it_may_until_something_was_measured),
        cmocka_unit_test(follows_the_round_trip),
        cmocka_unit_test(a_late_answer_raises_it),
        cmocka_unit_test(what_may_be_an_answer_to_another_round_measures_nothing),
        cmocka_unit_test(a_loop_that_woke_late_gives_more_time),
        cmocka_unit_test(a_burst_brings_the_verdict_closer),
        cmocka_unit_test(in_a_hurry_rounds_follow_their_waits),
        cmocka_unit_test(what_is_stopped_or_void_does_not_hurry),
        cmocka_unit_test(many_hurry_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
