/* SPDX-License-Identifier: Apache-2.0 */
/* When the tracker starts rounds and judges them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/probes_tracker.h"

static void wait_may_exceed_the_interval(void **state)
{
    struct probe_token tokens[TRACKER_ROUNDS];
    const struct tracker_round *round;
    nsec_t now = START_NS;
    struct tracker t;

    (void)state;
    tracker_init(&t, 1, INTERVAL_NS, 14 * INTERVAL_NS, START_NS);
    for (unsigned i = 0; i < 14; i++, now += INTERVAL_NS) {
        assert_false(tracker_would_miss(&t, now));
        tokens[i] = tracker_start_round(&t, now, i, BIT(PROBE_ICMP));
    }
    assert_int_equal(tracker_deadline(&t), now);
    /* An answer to a newer round leaves the older ones pending; they are judged oldest first. */
    assert_int_equal(answer(&t, &tokens[5], now), TRACKER_ANSWER_IN_TIME);
    for (unsigned i = 0; i < 14; i++) {
        now = START_NS + (i + 14) * INTERVAL_NS;
        if (i == 5)
            continue;
        assert_true(tracker_judge(&t, now, &round));
        assert_int_equal(round->sequence, tokens[i].sequence);
        assert_false(tracker_judge(&t, now, &round));
    }
    assert_int_equal(t.misses, 13);
    assert_int_equal(t.first_miss_ns, START_NS);
    assert_int_equal(t.count_void, 0);
    check_counts(&t);
}

static void fastest_pace(void **state)
{
    struct tracker t;
    nsec_t now = START_NS;

    (void)state;
    tracker_init(&t, 1, LIMIT_INTERVAL_MIN_NS, LIMIT_INTERVAL_MIN_NS, now);
    for (unsigned i = 0; i < 1000; i++, now += LIMIT_INTERVAL_MIN_NS) {
        struct probe_token token;

        judge_all(&t, now);
        assert_true(tracker_round_due(&t, now));
        token = tracker_start_round(&t, now, i, BIT(PROBE_ICMP));
        if (i < 900)
            assert_int_equal(answer(&t, &token, now + 30 * NSEC_PER_USEC), TRACKER_ANSWER_IN_TIME);
    }
    assert_int_equal(t.count_answered, 900);
    assert_int_equal(t.misses, 99);
    assert_int_equal(t.first_miss_ns, START_NS + 900 * LIMIT_INTERVAL_MIN_NS);
    check_counts(&t);
}

static void rounds_slept_through_are_not_made_up_for(void **state)
{
    struct tracker t = new_tracker();

    (void)state;
    /* A little late: the beat is kept. */
    tracker_start_round(&t, START_NS + INTERVAL_NS - 1, 1, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, START_NS + INTERVAL_NS);
    /* By a whole interval and more: the next is on the beat, and at least an interval away. */
    tracker_start_round(&t, START_NS + 2 * INTERVAL_NS, 2, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, START_NS + 3 * INTERVAL_NS);
    tracker_start_round(&t, START_NS + 300 * INTERVAL_NS + 3, 3, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, START_NS + 302 * INTERVAL_NS);
    assert_false(tracker_round_due(&t, START_NS + 300 * INTERVAL_NS + 3));
    assert_int_equal(t.count_rounds, 3);
}

static void stopped_tracker_has_no_deadline(void **state)
{
    struct tracker t;

    (void)state;
    tracker_init(&t, 1, INTERVAL_NS, WAIT_NS, NSEC_NEVER);
    assert_int_equal(tracker_deadline(&t), NSEC_NEVER);
    assert_false(tracker_round_due(&t, START_NS));
    tracker_start_round(&t, START_NS, 1, BIT(PROBE_ICMP));
    assert_int_equal(tracker_deadline(&t), START_NS + WAIT_NS);
    assert_int_equal(judge_all(&t, START_NS + WAIT_NS), 1);
    assert_int_equal(tracker_deadline(&t), NSEC_NEVER);
    tracker_set_pace(&t, INTERVAL_NS / 2, WAIT_NS);
    assert_int_equal(tracker_deadline(&t), NSEC_NEVER);
}

static void new_pace_keeps_the_row_and_voids_what_is_pending(void **state)
{
    struct tracker t = new_tracker();
    nsec_t now = START_NS + INTERVAL_NS;

    (void)state;
    tracker_start_round(&t, START_NS, 1, BIT(PROBE_ICMP));
    assert_int_equal(judge_all(&t, now), 1);
    tracker_start_round(&t, now, 2, BIT(PROBE_ICMP));
    /* The same pace changes nothing. */
    tracker_set_pace(&t, INTERVAL_NS, WAIT_NS);
    assert_int_equal(t.count_void, 0);
    tracker_set_pace(&t, INTERVAL_NS / 2, WAIT_NS / 2);
    assert_int_equal(t.misses, 1);
    assert_int_equal(t.count_void, 1);
    assert_int_equal(judge_all(&t, now + NSEC_PER_SEC), 0);
    /* The round that was planned stays planned, and the new pace holds from there. */
    assert_int_equal(tracker_deadline(&t), now + INTERVAL_NS);
    tracker_start_round(&t, now + INTERVAL_NS, 3, BIT(PROBE_ICMP));
    assert_int_equal(t.next_round_ns, now + INTERVAL_NS + INTERVAL_NS / 2);
    assert_int_equal(judge_all(&t, now + INTERVAL_NS + WAIT_NS / 2), 1);
    assert_int_equal(t.misses, 2);
    check_counts(&t);
}

static void set_up_with(nsec_t interval_ns, nsec_t wait_ns)
{
    struct tracker t;

    tracker_init(&t, 1, interval_ns, wait_ns, START_NS);
}

/* Whether the process survives a tracker of this pace. */
static bool survives(nsec_t interval_ns, nsec_t wait_ns)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        set_up_with(interval_ns, wait_ns);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status);
}

static void pace_beyond_the_limits_is_misuse(void **state)
{
    (void)state;
    assert_true(survives(LIMIT_INTERVAL_MIN_NS, 1));
    assert_true(survives(LIMIT_INTERVAL_MAX_NS, 14 * LIMIT_INTERVAL_MAX_NS));
    assert_false(survives(LIMIT_INTERVAL_MIN_NS - 1, 1));
    assert_false(survives(LIMIT_INTERVAL_MAX_NS + 1, 1));
    assert_false(survives(INTERVAL_NS, 0));
    assert_false(survives(INTERVAL_NS, 14 * INTERVAL_NS + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_may_exceed_the_interval),
        cmocka_unit_test(fastest_pace),
        cmocka_unit_test(rounds_slept_through_are_not_made_up_for),
        cmocka_unit_test(stopped_tracker_has_no_deadline),
        cmocka_unit_test(new_pace_keeps_the_row_and_voids_what_is_pending),
        cmocka_unit_test(pace_beyond_the_limits_is_misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
