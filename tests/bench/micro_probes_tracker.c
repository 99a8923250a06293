/* SPDX-License-Identifier: Apache-2.0 */
/* The tracker: a round that is answered, one that is missed, and replies that come late. */
#include "probes/tracker.h"
#include "tests/bench/micro.h"

#define INTERVAL_NS (10 * NSEC_PER_MSEC)
#define RTT_NS (80 * NSEC_PER_USEC)

static struct tracker tracker;
static nsec_t now_ns;

static void begin(unsigned operations)
{
    (void)operations;
    now_ns = 1000 * NSEC_PER_SEC;
    tracker_init(&tracker, 1, INTERVAL_NS, INTERVAL_NS, now_ns);
}

static struct probe_token start(unsigned i)
{
    now_ns = tracker.next_round_ns;
    return tracker_start_round(&tracker, now_ns, 0x9e3779b97f4a7c15U * (i + 1), 1u << PROBE_ICMP);
}

static enum tracker_answer reply(const struct probe_token *token, nsec_t at_ns)
{
    return tracker_reply(
        &tracker, &(struct probe_reply){.kind = PROBE_ICMP, .has_token = true, .token = *token, .received_ns = at_ns});
}

static void answered(unsigned operations)
{
    const struct tracker_round *missed;

    for (unsigned i = 0; i < operations; i++) {
        struct probe_token token = start(i);

        MICRO_MUST(reply(&token, now_ns + RTT_NS) == TRACKER_ANSWER_IN_TIME);
        MICRO_MUST(!tracker_judge(&tracker, now_ns + INTERVAL_NS, &missed));
        MICRO_MUST(tracker_deadline(&tracker) > now_ns);
    }
    MICRO_MUST(tracker.count_answered == operations);
}

/* Each second round is missed, and its reply comes an interval late. */
static void late(unsigned operations)
{
    const struct tracker_round *missed;

    for (unsigned i = 0; i < operations; i++) {
        struct probe_token token = start(i);

        if (i % 2 == 0) {
            MICRO_MUST(reply(&token, now_ns + RTT_NS) != TRACKER_ANSWER_STRANGER);
            continue;
        }
        while (tracker_judge(&tracker, now_ns + INTERVAL_NS, &missed))
            continue;
        MICRO_MUST(reply(&token, now_ns + INTERVAL_NS) == TRACKER_ANSWER_LATE);
    }
    MICRO_MUST(tracker.count_late > 0);
}

int main(int argc, char **argv)
{
    const struct micro list[] = {
        {"tracker_answered", 100000, begin, answered, NULL},
        {"tracker_late", 100000, begin, late, NULL},
    };

    return micro_main(argc, argv, list, sizeof list / sizeof *list);
}
