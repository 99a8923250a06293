/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracker against a model that keeps every round for ever and knows nothing of rings, over random worlds. The seed
 * is printed; SEED=... plays the same worlds again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/limits.h"
#include "probes/tracker.h"

#define WORLDS 60
#define STEPS 3000

struct model_round {
    nsec_t sent_ns;
    struct probe_token token;
    enum tracker_round_state state;
    unsigned asked, answered; /* bits of kinds */
};

struct model {
    struct model_round rounds[STEPS + 1]; /* all of them, from index 1 */
    unsigned n;                           /* how many were started */
    nsec_t wait_ns;
    unsigned misses;
    nsec_t first_miss_ns, last_answer_ns;
    uint64_t answered, missed, late, voided, duplicates, strangers;
};

static uint64_t random_state;

/* splitmix64: enough, and the same everywhere. */
static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t limit)
{
    return next_random() % limit;
}

static void model_void(struct model *m)
{
    for (unsigned i = 1; i <= m->n; i++) {
        if (m->rounds[i].state != TRACKER_ROUND_PENDING)
            continue;
        m->rounds[i].state = TRACKER_ROUND_VOID;
        m->voided++;
    }
}

static unsigned model_judge(struct model *m, nsec_t now_ns)
{
    unsigned judged = 0;

    for (unsigned i = 1; i <= m->n; i++) {
        struct model_round *round = &m->rounds[i];

        if (round->state != TRACKER_ROUND_PENDING || round->sent_ns + m->wait_ns > now_ns)
            continue;
        round->state = TRACKER_ROUND_MISSED;
        m->missed++;
        judged++;
        if (m->misses++ == 0)
            m->first_miss_ns = round->sent_ns;
    }
    return judged;
}

/* The index of the round that the reply belongs to; 0: none. */
static unsigned model_find(const struct model *m, const struct probe_reply *reply)
{
    unsigned oldest = m->n > TRACKER_ROUNDS ? m->n - TRACKER_ROUNDS + 1 : 1;

    for (unsigned i = m->n; i >= oldest && i > 0; i--) {
        const struct model_round *round = &m->rounds[i];

        if (reply->has_token ? memcmp(&round->token, &reply->token, sizeof round->token) == 0
                             : (round->asked >> reply->kind & 1) && round->sent_ns <= reply->received_ns)
            return i;
    }
    return 0;
}

static enum tracker_answer model_reply(struct model *m, const struct probe_reply *reply)
{
    unsigned index = model_find(m, reply), bit = 1u << reply->kind;
    struct model_round *round = &m->rounds[index];
    bool was_row = m->misses > 0, first = round->answered == 0;
    nsec_t received_ns = reply->received_ns > round->sent_ns ? reply->received_ns : round->sent_ns;

    if (index == 0) {
        m->strangers++;
        return TRACKER_ANSWER_STRANGER;
    }
    if (round->answered & bit) {
        m->duplicates++;
        return TRACKER_ANSWER_DUPLICATE;
    }
    round->answered |= bit;
    m->misses = 0;
    m->first_miss_ns = 0;
    if (received_ns > m->last_answer_ns)
        m->last_answer_ns = received_ns;
    if (round->state == TRACKER_ROUND_PENDING && reply->received_ns < round->sent_ns + m->wait_ns) {
        round->state = TRACKER_ROUND_ANSWERED;
        m->answered++;
        return TRACKER_ANSWER_IN_TIME;
    }
    if (round->state == TRACKER_ROUND_PENDING)
        m->missed++;
    if (round->state == TRACKER_ROUND_PENDING || round->state == TRACKER_ROUND_MISSED) {
        round->state = TRACKER_ROUND_LATE;
        m->late++;
        return TRACKER_ANSWER_LATE;
    }
    return was_row || first ? TRACKER_ANSWER_LATE : TRACKER_ANSWER_AGAIN;
}

/* A reply to one of the newest rounds, at times spoiled, at times stamped in the past. */
static struct probe_reply some_reply(const struct model *m, nsec_t now_ns)
{
    struct probe_reply reply = {.kind = below(2) ? PROBE_ARP : PROBE_ICMP};
    unsigned back = (unsigned)below(TRACKER_ROUNDS + 4);

    reply.has_token = reply.kind == PROBE_ICMP;
    reply.received_ns = now_ns - (below(3) ? 0 : (nsec_t)below((uint64_t)m->wait_ns * 2));
    if (back < m->n)
        reply.token = m->rounds[m->n - back].token;
    if (below(20) == 0)
        reply.token.nonce ^= 1;
    if (below(50) == 0)
        reply.token.id ^= 1;
    if (below(50) == 0)
        reply.token.sequence ^= 16;
    return reply;
}

static void start_round(struct tracker *t, struct model *m, nsec_t now_ns)
{
    uint8_t kinds = (uint8_t[]){1u << PROBE_ARP, 1u << PROBE_ICMP, 1u << PROBE_ARP | 1u << PROBE_ICMP}[below(3)];
    struct model_round *round = &m->rounds[++m->n];

    *round = (struct model_round){.sent_ns = now_ns, .state = TRACKER_ROUND_PENDING, .asked = kinds};
    round->token = tracker_start_round(t, now_ns, next_random(), kinds);
    if (below(30) == 0) {
        tracker_cannot_probe(t, ENOBUFS);
        round->state = TRACKER_ROUND_VOID;
        round->asked = 0;
        m->voided++;
    }
}

static void compare(const struct tracker *t, const struct model *m, nsec_t now_ns)
{
    assert_int_equal(t->misses, m->misses);
    assert_int_equal(t->first_miss_ns, m->first_miss_ns);
    assert_int_equal(t->last_answer_ns, m->last_answer_ns);
    assert_int_equal(t->count_rounds, m->n);
    assert_int_equal(t->count_answered, m->answered);
    assert_int_equal(t->count_missed, m->missed);
    assert_int_equal(t->count_late, m->late);
    assert_int_equal(t->count_void, m->voided);
    assert_int_equal(t->count_duplicates, m->duplicates);
    assert_int_equal(t->count_strangers, m->strangers);
    assert_true(tracker_deadline(t) > now_ns);
    for (unsigned i = m->n; i > 0 && i + TRACKER_ROUNDS > m->n; i--)
        assert_int_equal(t->rounds[i % TRACKER_ROUNDS].state, m->rounds[i].state);
}

static void play_world(nsec_t interval_ns, nsec_t wait_ns)
{
    static struct model m;
    const struct tracker_round *round;
    nsec_t now_ns = NSEC_PER_HOUR;
    struct tracker t;

    m = (struct model){.wait_ns = wait_ns};
    tracker_init(&t, 3, interval_ns, wait_ns, now_ns);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned judged = 0;

        /* Mostly from deadline to deadline, at times between them, at times asleep through several. */
        if (below(2) && tracker_deadline(&t) > now_ns)
            now_ns = tracker_deadline(&t);
        else
            now_ns += (nsec_t)below((uint64_t)interval_ns * (below(50) ? 1 : 40)) + 1;
        for (uint64_t replies = below(4); replies > 0; replies--) {
            struct probe_reply reply = some_reply(&m, now_ns);

            assert_int_equal(tracker_reply(&t, &reply), model_reply(&m, &reply));
        }
        while (tracker_judge(&t, now_ns, &round))
            judged++;
        assert_int_equal(judged, model_judge(&m, now_ns));
        if (below(200) == 0) {
            tracker_void(&t);
            model_void(&m);
            m.misses = 0;
            m.first_miss_ns = 0;
        }
        if (tracker_round_due(&t, now_ns))
            start_round(&t, &m, now_ns);
        compare(&t, &m, now_ns);
    }
    /* Something happened at all. */
    assert_true(m.n > STEPS / 10 && m.answered > 0 && m.missed > 0 && m.late > 0 && m.voided > 0 && m.strangers > 0);
}

static void tracker_does_as_the_model(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    (void)state;
    printf("SEED=%llu\n", (unsigned long long)seed);
    random_state = seed;
    for (unsigned world = 0; world < WORLDS; world++) {
        nsec_t interval_ns = LIMIT_INTERVAL_MIN_NS << below(12);
        nsec_t wait_ns = 1 + (nsec_t)below((uint64_t)interval_ns * (below(2) ? 1 : TRACKER_ROUNDS - 2));

        play_world(interval_ns, wait_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracker_does_as_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
