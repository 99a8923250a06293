/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How late turns of the loop come. All of them are published. A request may leave as late as the loop runs, so the wait
 * for its answer allows for what is usual of late; and a turn that came later than that gives the rounds before it a
 * whole wait from then on, so that it need not make all other rounds slower for its rarity.
 */
#include "agent/shell/internal.h"

/* Turns of which half is forgotten at a time: a busy hour must not slow the rest of the day. */
#define LATENESS_RECENT 512
/* The quantile is taken anew after so many turns. */
#define LATENESS_TAKEN_EACH 64
/* What was asked before a turn that comes later than this may have left as late, and is given time anew. */
#define LATENESS_ROUND_NS (250 * NSEC_PER_USEC)

/* A bucket's upper edge. */
static nsec_t edge_ns(unsigned bucket)
{
    return NSEC_PER_USEC << bucket;
}

static void halve(uint32_t *buckets)
{
    for (unsigned i = 0; i < LATENESS_BUCKETS; i++)
        buckets[i] /= 2;
}

/* The upper edge of the bucket that 99 % of the turns do not exceed; 0: no turns. */
static nsec_t p99_ns(const uint32_t *buckets)
{
    uint64_t all = 0, below = 0;
    unsigned bucket = 0;

    for (unsigned i = 0; i < LATENESS_BUCKETS; i++)
        all += buckets[i];
    while (bucket + 1 < LATENESS_BUCKETS && (below += buckets[bucket]) * 100 < all * 99)
        bucket++;
    return all ? edge_ns(bucket) : 0;
}

void lateness_count(struct lateness *lateness, nsec_t now_ns, nsec_t late_ns)
{
    unsigned bucket = 0;

    while (bucket + 1 < LATENESS_BUCKETS && late_ns >= edge_ns(bucket))
        bucket++;
    if (++lateness->all[bucket] == UINT32_MAX)
        halve(lateness->all);
    if (late_ns > LATENESS_ROUND_NS) {
        lateness->woke_late_ns = now_ns;
        return;
    }
    lateness->recent[bucket]++;
    if (++lateness->n_recent % LATENESS_TAKEN_EACH == 0)
        lateness->recent_p99_ns = p99_ns(lateness->recent);
    if (lateness->n_recent == LATENESS_RECENT) {
        lateness->n_recent = 0;
        halve(lateness->recent);
    }
}

void lateness_report(struct lateness *lateness, struct report_agent *header)
{
    size_t n = LATENESS_BUCKETS;

    while (n > 0 && lateness->all[n - 1] == 0)
        n--;
    for (unsigned i = 0; i < n; i++)
        lateness->told[i] = (struct report_lateness){.below_ns = edge_ns(i), .turns = lateness->all[i]};
    header->lateness_p99_ns = p99_ns(lateness->all);
    header->lateness = lateness->told;
    header->n_lateness = n;
}
