/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the tracker share. Comes after cmocka.h and what that needs. */
#pragma once

#include "agent/base/limits.h"
#include "probes/tracker.h"

#define INTERVAL_NS (10 * NSEC_PER_MSEC)
#define WAIT_NS (10 * NSEC_PER_MSEC)
#define START_NS (1000 * NSEC_PER_SEC)
#define BIT(kind) (uint8_t)(1u << (kind))
#define ALL_KINDS (BIT(PROBE_ARP) | BIT(PROBE_ICMP))

static inline struct probe_reply icmp_reply(const struct probe_token *token, nsec_t received_ns)
{
    return (struct probe_reply){.kind = PROBE_ICMP, .has_token = true, .token = *token, .received_ns = received_ns};
}

static inline struct probe_reply arp_reply(nsec_t received_ns)
{
    return (struct probe_reply){.kind = PROBE_ARP, .received_ns = received_ns};
}

static inline enum tracker_answer answer(struct tracker *t, const struct probe_token *token, nsec_t received_ns)
{
    struct probe_reply reply = icmp_reply(token, received_ns);

    return tracker_reply(t, &reply);
}

static inline enum tracker_answer answer_arp(struct tracker *t, nsec_t received_ns)
{
    struct probe_reply reply = arp_reply(received_ns);

    return tracker_reply(t, &reply);
}

static inline unsigned judge_all(struct tracker *t, nsec_t now_ns)
{
    const struct tracker_round *round = NULL;
    unsigned missed = 0;

    while (tracker_judge(t, now_ns, &round)) {
        assert_non_null(round);
        assert_int_equal(round->state, TRACKER_ROUND_MISSED);
        missed++;
    }
    return missed;
}

static inline struct tracker new_tracker(void)
{
    struct tracker t;

    tracker_init(&t, 7, INTERVAL_NS, WAIT_NS, START_NS);
    return t;
}

/* Every round is in exactly one of these. */
static inline void check_counts(const struct tracker *t)
{
    uint64_t pending = 0;

    for (int i = 0; i < TRACKER_ROUNDS; i++)
        pending += t->rounds[i].state == TRACKER_ROUND_PENDING;
    assert_int_equal(t->count_rounds, t->count_answered + t->count_missed + t->count_void + pending);
    assert_true(t->count_late <= t->count_missed);
}
