/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a round:
 *
 *                start_round
 *                     |
 *                     v    first reply, stamped within the wait
 *                  PENDING -----------------------------------> ANSWERED
 *                   |  |  \
 *          judge    |  |   \ first reply, stamped after it
 *                   |  |    `-------------------------.
 *                   v  |                              v
 *               MISSED | ---- first reply ---------> LATE
 *                      |
 *                      | void, cannot_probe, set_pace, no room in the ring
 *                      v
 *                     VOID
 *
 * Verdicts go by the kernel's receive stamp alone: a reply that came in time counts in time however late it is read.
 */
#include "probes/tracker.h"

#include <assert.h>
#include <stddef.h>

#include "agent/base/limits.h"

/* The histogram's first doubling begins at 1 us and is cut into four, so its finest step is a quarter of that. */
#define RTT_STEP_NS (NSEC_PER_USEC / 4)

/* So many rounds can be under way while the ring still has room for the one that starts. */
#define ROUNDS_PENDING_MAX (TRACKER_ROUNDS - 2)
/* Rounds of a burst that may start while one is waited for. */
#define BURST_ROUNDS_PER_WAIT 8

static nsec_t later_of(nsec_t a, nsec_t b)
{
    return a > b ? a : b;
}

static nsec_t earlier_of(nsec_t a, nsec_t b)
{
    return a < b ? a : b;
}

static nsec_t distance(nsec_t a, nsec_t b)
{
    return later_of(a, b) - earlier_of(a, b);
}

/* How many rounds ago it was started; right across the wrap of the 32-bit sequence. */
static uint32_t round_age(const struct tracker *t, const struct tracker_round *round)
{
    return t->sequence - round->sequence;
}

static struct tracker_round *newest_round(struct tracker *t)
{
    return &t->rounds[t->sequence % TRACKER_ROUNDS];
}

/* The index of the oldest pending round, or -1. */
static int oldest_pending(const struct tracker *t)
{
    int oldest = -1;

    for (int i = 0; i < TRACKER_ROUNDS; i++) {
        const struct tracker_round *round = &t->rounds[i];

        if (round->state != TRACKER_ROUND_PENDING)
            continue;
        if (oldest < 0 || round_age(t, round) > round_age(t, &t->rounds[oldest]))
            oldest = i;
    }
    return oldest;
}

static void void_round(struct tracker *t, struct tracker_round *round)
{
    if (round->state != TRACKER_ROUND_PENDING)
        return;
    round->state = TRACKER_ROUND_VOID;
    t->count_void++;
}

static void void_pending(struct tracker *t)
{
    for (int i = 0; i < TRACKER_ROUNDS; i++)
        void_round(t, &t->rounds[i]);
}

static void end_row(struct tracker *t)
{
    t->misses = 0;
    t->first_miss_ns = NSEC_UNSET;
    if (t->hurry_ns > 0)
        t->next_round_ns = t->beat_ns;
    t->hurry_ns = 0;
}

static void check_pace(nsec_t interval_ns, nsec_t wait_max_ns)
{
    assert(interval_ns >= LIMIT_INTERVAL_MIN_NS && interval_ns <= LIMIT_INTERVAL_MAX_NS);
    assert(wait_max_ns > 0 && wait_max_ns <= interval_ns * ROUNDS_PENDING_MAX);
}

void tracker_init(struct tracker *t, uint32_t id, nsec_t interval_ns, nsec_t wait_max_ns, nsec_t first_round_ns)
{
    check_pace(interval_ns, wait_max_ns);
    *t = (struct tracker){
        .interval_ns = interval_ns,
        .wait_max_ns = wait_max_ns,
        .floor_ns = wait_max_ns,
        .id = id,
        .next_round_ns = first_round_ns,
    };
}

void tracker_set_pace(struct tracker *t, nsec_t interval_ns, nsec_t wait_max_ns)
{
    check_pace(interval_ns, wait_max_ns);
    if (interval_ns == t->interval_ns && wait_max_ns == t->wait_max_ns)
        return;
    /* Pending rounds were promised another wait: a shorter one would call them all missed at once. */
    void_pending(t);
    t->interval_ns = interval_ns;
    t->wait_max_ns = wait_max_ns;
    t->floor_ns = wait_max_ns;
}

void tracker_set_burst(struct tracker *t, nsec_t burst_ns, uint32_t misses)
{
    assert(burst_ns > 0);
    t->burst_ns = burst_ns;
    t->burst_misses = misses;
}

void tracker_hurry(struct tracker *t, nsec_t now_ns, nsec_t least_ns)
{
    assert(least_ns > 0);
    if (t->hurry_ns > 0 || t->misses >= t->burst_misses || t->next_round_ns == NSEC_NEVER)
        return;
    t->hurry_ns = least_ns;
    t->beat_ns = t->next_round_ns;
    t->next_round_ns = earlier_of(t->next_round_ns, now_ns);
}

void tracker_set_floor(struct tracker *t, nsec_t floor_ns, nsec_t woke_late_ns)
{
    assert(floor_ns > 0);
    t->floor_ns = floor_ns;
    t->woke_late_ns = woke_late_ns;
}

nsec_t tracker_wait(const struct tracker *t)
{
    nsec_t wait_ns;

    /* RFC 6298 section 2.1: nothing was measured yet. */
    if (t->rtt_avg_ns == 0)
        return t->wait_max_ns;
    /* Section 2.3: SRTT + max (G, K * RTTVAR), with K = 4, and our floor in the place of the clock's grain. */
    wait_ns = t->rtt_avg_ns + later_of(t->floor_ns, 4 * t->rtt_var_ns);
    return earlier_of(wait_ns, t->wait_max_ns);
}

nsec_t tracker_spacing(const struct tracker *t)
{
    if (t->misses == 0 || t->misses >= t->burst_misses)
        return t->interval_ns;
    /* No more rounds under way than the ring tells apart, nor so close that one delay hits them all. */
    return earlier_of(later_of(t->burst_ns, tracker_wait(t) / BURST_ROUNDS_PER_WAIT), t->interval_ns);
}

/* From the round that starts to the next one. A hurried round says all that it can when its wait is over. */
static nsec_t pace(const struct tracker *t)
{
    bool hurries = t->hurry_ns > 0 && t->misses < t->burst_misses;

    return hurries ? earlier_of(later_of(tracker_wait(t), t->hurry_ns), tracker_spacing(t)) : tracker_spacing(t);
}

/* When the wait for a round is over. */
static nsec_t over_ns(const struct tracker *t, const struct tracker_round *round)
{
    nsec_t from_ns = later_of(round->sent_ns, t->woke_late_ns);

    return earlier_of(from_ns + tracker_wait(t), round->sent_ns + t->wait_max_ns);
}

nsec_t tracker_deadline(const struct tracker *t)
{
    int pending = oldest_pending(t);

    return pending < 0 ? t->next_round_ns : earlier_of(over_ns(t, &t->rounds[pending]), t->next_round_ns);
}

nsec_t tracker_next_miss(const struct tracker *t)
{
    int pending = oldest_pending(t);

    if (pending >= 0)
        return over_ns(t, &t->rounds[pending]);
    return t->next_round_ns == NSEC_NEVER ? NSEC_NEVER : t->next_round_ns + tracker_wait(t);
}

bool tracker_round_due(const struct tracker *t, nsec_t now_ns)
{
    return now_ns >= t->next_round_ns;
}

/* When the round after the one that was due at due_ns and starts at now_ns is due. */
static nsec_t next_beat(nsec_t due_ns, nsec_t now_ns, nsec_t interval_ns)
{
    nsec_t beats;

    if (due_ns == NSEC_NEVER)
        return NSEC_NEVER;
    if (due_ns + interval_ns > now_ns)
        return due_ns + interval_ns;
    /*
     * Rounds were slept through. Keep to the beat: after a stall all trackers wake at once, and counting from now would
     * have them send at the same moment ever after.
     */
    beats = (now_ns - due_ns + interval_ns + interval_ns - 1) / interval_ns;
    return due_ns + beats * interval_ns;
}

struct probe_token tracker_start_round(struct tracker *t, nsec_t now_ns, uint64_t nonce, uint8_t asked_kinds)
{
    struct tracker_round *round;

    assert(asked_kinds != 0 && asked_kinds < 1u << PROBE_KINDS);
    assert(newest_round(t)->sent_ns <= now_ns);

    if (++t->sequence == 0)
        t->sequence = 1;
    round = newest_round(t);
    /* Never happens at the pace given; rounds started before they are due may get here. No evidence, so no miss. */
    void_round(t, round);
    *round = (struct tracker_round){
        .sent_ns = now_ns,
        .nonce = nonce,
        .sequence = t->sequence,
        .state = TRACKER_ROUND_PENDING,
        .asked_kinds = asked_kinds,
    };
    t->next_round_ns = next_beat(t->next_round_ns, now_ns, pace(t));
    t->cannot_probe = 0;
    t->count_rounds++;
    return (struct probe_token){.id = t->id, .sequence = t->sequence, .nonce = nonce};
}

void tracker_cannot_probe(struct tracker *t, int error)
{
    assert(error > 0);
    assert(t->sequence != 0);

    void_round(t, newest_round(t));
    /* Nothing left, so a reply without a token can only belong to the round before. */
    newest_round(t)->asked_kinds = 0;
    t->cannot_probe = error;
}

static struct tracker_round *round_of_token(struct tracker *t, const struct probe_token *token)
{
    struct tracker_round *round = &t->rounds[token->sequence % TRACKER_ROUNDS];

    if (round->state == TRACKER_ROUND_NONE || token->id != t->id || token->sequence != round->sequence)
        return NULL;
    return token->nonce == round->nonce ? round : NULL;
}

/* The newest round that asked this kind and started no later than the reply came. */
static struct tracker_round *round_before(struct tracker *t, enum probe_kind kind, nsec_t received_ns)
{
    struct tracker_round *newest = NULL;

    for (int i = 0; i < TRACKER_ROUNDS; i++) {
        struct tracker_round *round = &t->rounds[i];

        if (!(round->asked_kinds & 1u << kind) || round->sent_ns > received_ns)
            continue;
        if (!newest || round_age(t, round) < round_age(t, newest))
            newest = round;
    }
    return newest;
}

static unsigned rtt_bucket(nsec_t rtt_ns)
{
    uint64_t steps = (uint64_t)rtt_ns / RTT_STEP_NS;
    unsigned doubling, bucket;

    if (steps < 4)
        return 0;
    doubling = 61 - (unsigned)__builtin_clzll(steps);
    bucket = doubling * 4 + (unsigned)(steps >> doubling) - 4;
    return bucket < TRACKER_RTT_BUCKETS ? bucket : TRACKER_RTT_BUCKETS - 1;
}

static nsec_t rtt_bucket_upper_edge(unsigned bucket)
{
    return (nsec_t)(4 + bucket % 4 + 1) * RTT_STEP_NS << bucket / 4;
}

static void smooth_rtt(struct tracker *t, nsec_t rtt_ns)
{
    if (t->rtt_avg_ns == 0) {
        /* RFC 6298 section 2.2: the first measurement. */
        t->rtt_avg_ns = rtt_ns;
        t->rtt_var_ns = rtt_ns / 2;
        return;
    }
    /* Section 2.3: RTTVAR first, by the old SRTT; beta = 1/4, alpha = 1/8. */
    t->rtt_var_ns += (distance(t->rtt_avg_ns, rtt_ns) - t->rtt_var_ns) / 4;
    t->rtt_avg_ns = later_of(t->rtt_avg_ns + (rtt_ns - t->rtt_avg_ns) / 8, 1);
}

static void measure_rtt(struct tracker *t, nsec_t rtt_ns)
{
    unsigned bucket;

    if (rtt_ns < 0)
        return;
    if (rtt_ns == 0)
        rtt_ns = 1;
    bucket = rtt_bucket(rtt_ns);
    t->rtt_last_ns = rtt_ns;
    if (t->rtt_min_ns == 0 || rtt_ns < t->rtt_min_ns)
        t->rtt_min_ns = rtt_ns;
    smooth_rtt(t, rtt_ns);
    if (t->rtt_histogram[bucket] == UINT8_MAX)
        for (int i = 0; i < TRACKER_RTT_BUCKETS; i++)
            t->rtt_histogram[i] /= 2;
    t->rtt_histogram[bucket]++;
}

/*
 * Karn's algorithm, RFC 6298 section 3: what may be the answer to the round before as well measures nothing, nor does
 * what is not the first answer of its round.
 */
static bool measures(const struct tracker *t, const struct tracker_round *round, const struct probe_reply *reply)
{
    const struct tracker_round *before = &t->rounds[(round->sequence - 1) % TRACKER_ROUNDS];
    uint8_t kind = (uint8_t)(1u << reply->kind);

    if (round->state != TRACKER_ROUND_PENDING && round->state != TRACKER_ROUND_MISSED)
        return false;
    return reply->has_token || !(before->asked_kinds & kind) || before->answered_kinds & kind;
}

/* A kind's first answer to a round. */
static enum tracker_answer answer_round(struct tracker *t, struct tracker_round *round, bool in_time, bool was_row,
                                        bool was_answered)
{
    switch ((enum tracker_round_state)round->state) {
    case TRACKER_ROUND_PENDING:
        if (in_time) {
            round->state = TRACKER_ROUND_ANSWERED;
            t->count_answered++;
            return TRACKER_ANSWER_IN_TIME;
        }
        /* Too late by its stamp, though nobody came round to judge it. */
        round->state = TRACKER_ROUND_LATE;
        t->count_missed++;
        t->count_late++;
        return TRACKER_ANSWER_LATE;
    case TRACKER_ROUND_MISSED:
        round->state = TRACKER_ROUND_LATE;
        t->count_late++;
        return TRACKER_ANSWER_LATE;
    case TRACKER_ROUND_ANSWERED:
    case TRACKER_ROUND_LATE:
    case TRACKER_ROUND_VOID:
        /* What ended a row of misses must not pass for mere evidence. */
        return was_row || !was_answered ? TRACKER_ANSWER_LATE : TRACKER_ANSWER_AGAIN;
    case TRACKER_ROUND_NONE:
        break;
    }
    assert(false); /* a round that was never started is not found by its token, nor by its kind */
    return TRACKER_ANSWER_STRANGER;
}

enum tracker_answer tracker_reply(struct tracker *t, const struct probe_reply *reply)
{
    bool was_row = t->misses > 0, was_answered, in_time;
    struct tracker_round *round;
    nsec_t received_ns;

    assert(reply->kind < PROBE_KINDS);
    round = reply->has_token ? round_of_token(t, &reply->token) : round_before(t, reply->kind, reply->received_ns);
    if (!round) {
        t->count_strangers++;
        return TRACKER_ANSWER_STRANGER;
    }
    if (round->answered_kinds & 1u << reply->kind) {
        t->count_duplicates++;
        return TRACKER_ANSWER_DUPLICATE;
    }
    was_answered = round->answered_kinds != 0;
    round->answered_kinds |= (uint8_t)(1u << reply->kind);
    /* The token proves that it came after its request, whatever the clock made of the stamp. */
    received_ns = later_of(reply->received_ns, round->sent_ns);
    t->last_answer_ns = later_of(t->last_answer_ns, received_ns);
    t->last_answer_by_kind_ns[reply->kind] = later_of(t->last_answer_by_kind_ns[reply->kind], received_ns);
    end_row(t);
    in_time = reply->received_ns < over_ns(t, round);
    if (measures(t, round, reply))
        measure_rtt(t, reply->received_ns - round->sent_ns);
    return answer_round(t, round, in_time, was_row, was_answered);
}

bool tracker_would_miss(const struct tracker *t, nsec_t now_ns)
{
    int pending = oldest_pending(t);

    return pending >= 0 && now_ns >= over_ns(t, &t->rounds[pending]);
}

bool tracker_judge(struct tracker *t, nsec_t now_ns, const struct tracker_round **ret_round)
{
    struct tracker_round *round;

    if (!tracker_would_miss(t, now_ns))
        return false;
    round = &t->rounds[oldest_pending(t)];
    round->state = TRACKER_ROUND_MISSED;
    if (t->misses == 0)
        t->first_miss_ns = round->sent_ns;
    if (t->misses < UINT32_MAX)
        t->misses++;
    t->count_missed++;
    /* A burst begins: the round after the newest one comes sooner than was planned. */
    if (tracker_spacing(t) < t->interval_ns && t->next_round_ns != NSEC_NEVER)
        t->next_round_ns =
            earlier_of(t->next_round_ns, later_of(now_ns, newest_round(t)->sent_ns + tracker_spacing(t)));
    *ret_round = round;
    return true;
}

void tracker_void(struct tracker *t)
{
    void_pending(t);
    end_row(t);
}

nsec_t tracker_rtt_quantile(const struct tracker *t, unsigned percent)
{
    uint64_t total = 0, rank, seen = 0;
    unsigned bucket = 0;

    assert(percent >= 1 && percent <= 100);
    for (int i = 0; i < TRACKER_RTT_BUCKETS; i++)
        total += t->rtt_histogram[i];
    if (total == 0)
        return 0;
    rank = (total * percent + 99) / 100;
    while ((seen += t->rtt_histogram[bucket]) < rank)
        bucket++;
    return rtt_bucket_upper_edge(bucket);
}
