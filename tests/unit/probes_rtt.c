/* SPDX-License-Identifier: Apache-2.0 */
/* What the tracker measures: round trips, their average and their quantiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/tracker.h"

#define START_NS (1000 * NSEC_PER_SEC)

static void add_rtts(struct tracker *t, nsec_t rtt_ns, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        nsec_t now = START_NS + (nsec_t)t->count_rounds * NSEC_PER_HOUR;
        struct probe_token token = tracker_start_round(t, now, i, 1u << PROBE_ICMP);
        struct probe_reply reply = {.kind = PROBE_ICMP, .has_token = true, .token = token, .received_ns = now + rtt_ns};

        assert_int_equal(tracker_reply(t, &reply), TRACKER_ANSWER_IN_TIME);
    }
}

static void quantiles_come_from_the_histogram(void **state)
{
    struct tracker t;

    (void)state;
    tracker_init(&t, 1, NSEC_PER_HOUR, NSEC_PER_HOUR, START_NS);
    assert_int_equal(tracker_rtt_quantile(&t, 50), 0);
    add_rtts(&t, 100, 1);                /* below the first bucket */
    add_rtts(&t, 1250, 97);              /* 1.25 to 1.5 us */
    add_rtts(&t, 70 * NSEC_PER_USEC, 1); /* 64 to 80 us */
    add_rtts(&t, 600 * NSEC_PER_SEC, 1); /* beyond the last */
    assert_int_equal(tracker_rtt_quantile(&t, 1), 1250);
    assert_int_equal(tracker_rtt_quantile(&t, 2), 1500);
    assert_int_equal(tracker_rtt_quantile(&t, 98), 1500);
    assert_int_equal(tracker_rtt_quantile(&t, 99), 80 * NSEC_PER_USEC);
    assert_int_equal(tracker_rtt_quantile(&t, 100), (NSEC_PER_USEC << 24));
    assert_int_equal(t.rtt_min_ns, 100);
}

static void average_is_smoothed(void **state)
{
    struct tracker t;

    (void)state;
    tracker_init(&t, 1, NSEC_PER_HOUR, NSEC_PER_HOUR, START_NS);
    add_rtts(&t, 8000, 1);
    assert_int_equal(t.rtt_avg_ns, 8000);
    add_rtts(&t, 16000, 1);
    assert_int_equal(t.rtt_avg_ns, 9000);
    add_rtts(&t, 1000, 1);
    assert_int_equal(t.rtt_avg_ns, 8000);
    assert_int_equal(t.rtt_min_ns, 1000);
    add_rtts(&t, 1, 200);
    assert_true(t.rtt_avg_ns >= 1 && t.rtt_avg_ns < 1000);
}

static void full_bucket_halves_the_histogram(void **state)
{
    struct tracker t;

    (void)state;
    tracker_init(&t, 1, NSEC_PER_HOUR, NSEC_PER_HOUR, START_NS);
    add_rtts(&t, 1000, 1);
    t.rtt_histogram[0] = UINT8_MAX;
    t.rtt_histogram[8] = 100;
    add_rtts(&t, 1000, 1);
    assert_int_equal(t.rtt_histogram[0], UINT8_MAX / 2 + 1);
    assert_int_equal(t.rtt_histogram[8], 50);
}

static void every_rtt_lies_under_its_edge(void **state)
{
    (void)state;
    for (nsec_t rtt = 1000; rtt < 16 * NSEC_PER_SEC; rtt += rtt / 9 + 1) {
        struct tracker t;
        nsec_t edge;

        tracker_init(&t, 1, NSEC_PER_HOUR, NSEC_PER_HOUR, START_NS);
        add_rtts(&t, rtt, 1);
        edge = tracker_rtt_quantile(&t, 50);
        /* Four buckets to a doubling: at most a quarter too high. */
        assert_true(edge > rtt && edge <= rtt + rtt / 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_come_from_the_histogram),
        cmocka_unit_test(average_is_smoothed),
        cmocka_unit_test(full_bucket_halves_the_histogram),
        cmocka_unit_test(every_rtt_lies_under_its_edge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
