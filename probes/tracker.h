/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracker: rounds, tokens, misses and round-trip times of one monitored address. Pure: time and randomness are
 * passed in, nothing is sent, nothing is allocated.
 *
 * Each `interval` a round starts; in a round one request of each kind leaves. A round is answered by the first valid
 * reply of any kind, and missed when none came within the wait. Misses in a row are counted; an answer, in time or
 * late, ends the row. A duplicate of a reply that was already counted is no proof of life. A round that could not be
 * sent, or whose evidence a stall or a clock step spoiled, is void: neither answered nor missed.
 *
 * The wait follows the measured round trips, as RFC 6298's timeout does, from the floor that tracker_set_floor gives up
 * to `wait_max`; README.md says why that costs no safety. During a row rounds may come in a burst.
 */
#pragma once

#include "probes/probe.h"

/* Rounds kept to tell late replies from strangers'. */
#define TRACKER_ROUNDS 16
/* Buckets of the round-trip histogram: four to each doubling, from 1 us up. */
#define TRACKER_RTT_BUCKETS 96

enum tracker_round_state {
    TRACKER_ROUND_NONE,     /* never used */
    TRACKER_ROUND_PENDING,  /* asked, neither answered nor due */
    TRACKER_ROUND_ANSWERED, /* answered in time */
    TRACKER_ROUND_MISSED,   /* nobody answered in time */
    TRACKER_ROUND_LATE,     /* answered, but not in time */
    TRACKER_ROUND_VOID,     /* does not count */
};

struct tracker_round {
    nsec_t sent_ns;         /* when its requests left */
    uint64_t nonce;         /* of its token */
    uint32_t sequence;      /* of its token */
    uint8_t state;          /* enum tracker_round_state */
    uint8_t answered_kinds; /* bits (1u << kind) of the kinds that answered it */
    uint8_t asked_kinds;    /* bits of the kinds that were sent; 0: none could be */
};

struct tracker {
    nsec_t interval_ns;                          /* from the start of one round to the next */
    nsec_t wait_max_ns;                          /* how long after its start a round may be answered at most */
    nsec_t floor_ns;                             /* by how much the wait exceeds the usual round trip at least */
    nsec_t woke_late_ns;                         /* rounds under way then may wait from then on; 0 */
    nsec_t burst_ns;                             /* from round to round during a row of misses, if less than ever */
    uint32_t burst_misses;                       /* until so many were missed in a row; 0: no burst */
    uint32_t id;                                 /* goes into every token */
    uint32_t sequence;                           /* of the newest round; 0: none yet */
    nsec_t next_round_ns;                        /* when the next round is to start; NSEC_NEVER: stopped */
    nsec_t hurry_ns;                             /* in a hurry: rounds come no closer than this; 0: not in one */
    nsec_t beat_ns;                              /* in a hurry: when the next round was due before */
    struct tracker_round rounds[TRACKER_ROUNDS]; /* ring, by sequence % TRACKER_ROUNDS */
    uint32_t misses;                             /* rounds in a row that nobody answered */
    nsec_t first_miss_ns;                        /* start of the first missed round of that row; 0: none */
    nsec_t last_answer_ns;                       /* receive time of the newest reply that counted; 0: none */
    nsec_t last_answer_by_kind_ns[PROBE_KINDS];  /* the same for each kind */
    int cannot_probe;                            /* errno (> 0) when the newest round could not be sent; 0 */
    nsec_t rtt_min_ns;                           /* least round trip; 0: none measured */
    nsec_t rtt_avg_ns;                           /* SRTT of RFC 6298 section 2, 1/8 of each new one */
    nsec_t rtt_var_ns;                           /* RTTVAR of it, 1/4 of each new difference from SRTT */
    nsec_t rtt_last_ns;                          /* of the newest reply */
    uint8_t rtt_histogram[TRACKER_RTT_BUCKETS];  /* for quantiles; halved as a whole when a bucket is full */
    uint64_t count_rounds;                       /* rounds started */
    uint64_t count_answered;                     /* answered in time */
    uint64_t count_missed;                       /* not answered in time */
    uint64_t count_late;                         /* of these, answered after that */
    uint64_t count_void;                         /* did not count */
    uint64_t count_duplicates;                   /* replies that were counted before */
    uint64_t count_strangers;                    /* replies to no request of ours */
};

/* What became of a reply. */
enum tracker_answer {
    TRACKER_ANSWER_IN_TIME,   /* the first answer of its round, in time: alive */
    TRACKER_ANSWER_LATE,      /* of a missed or void round, or it ended a row of misses: alive all the same */
    TRACKER_ANSWER_AGAIN,     /* another kind's answer in a round already answered: evidence only */
    TRACKER_ANSWER_DUPLICATE, /* the same kind again in the same round: nothing */
    TRACKER_ANSWER_STRANGER,  /* no request of ours: nothing */
};

/*
 * Sets up a tracker. interval_ns: LIMIT_INTERVAL_MIN_NS to LIMIT_INTERVAL_MAX_NS; wait_max_ns: above 0, at most
 * interval_ns * (TRACKER_ROUNDS - 2). The first round is due at first_round_ns. Until it is given a floor, a tracker
 * waits as long as it may.
 */
void tracker_init(struct tracker *t, uint32_t id, nsec_t interval_ns, nsec_t wait_max_ns, nsec_t first_round_ns);

/*
 * Changes the pace; what was measured, the row of misses and next_round_ns stay. Where the pace is another, pending
 * rounds become void, because they were promised another wait.
 */
void tracker_set_pace(struct tracker *t, nsec_t interval_ns, nsec_t wait_max_ns);

/* From the first miss on rounds come burst_ns apart (NSEC_NEVER: as ever), until `misses` were missed in a row. */
void tracker_set_burst(struct tracker *t, nsec_t burst_ns, uint32_t misses);

/*
 * There is reason to look at once: a round is due now, and others follow as soon as the one before was waited for,
 * until one is answered or as many are missed as tracker_set_burst says; least_ns (above 0) apart at least. After an
 * answer the beat is the old one.
 */
void tracker_hurry(struct tracker *t, nsec_t now_ns, nsec_t least_ns);

/*
 * What the loop that drives it knows of itself. floor_ns: above 0. woke_late_ns: when it last woke so late that
 * requests of before may have left late, too, 0: never; rounds of before are waited for from then on, within wait_max.
 */
void tracker_set_floor(struct tracker *t, nsec_t floor_ns, nsec_t woke_late_ns);

/* How long a round is waited for now. */
nsec_t tracker_wait(const struct tracker *t);
/* From this round to the next as things are: the interval, or the burst's spacing. */
nsec_t tracker_spacing(const struct tracker *t);
/* When the next miss can be judged at the earliest; NSEC_NEVER: stopped. */
nsec_t tracker_next_miss(const struct tracker *t);

/* The next moment at which tracker_round_due or tracker_judge has something to do. */
nsec_t tracker_deadline(const struct tracker *t);
bool tracker_round_due(const struct tracker *t, nsec_t now_ns);

/*
 * Starts a round at now_ns and returns its token. The next one is due an interval after this one was due, or, where
 * that is past already, at the first moment of the same beat that is at least an interval after now: rounds that were
 * slept through are not made up for, and trackers whose phases were spread stay spread.
 */
struct probe_token tracker_start_round(struct tracker *t, nsec_t now_ns, uint64_t nonce, uint8_t asked_kinds);

/* None of the newest round's requests could be sent, for `error` (errno, > 0): the round is void, and no miss. */
void tracker_cannot_probe(struct tracker *t, int error);

/*
 * A reply with a token (has_token) belongs to the round whose whole token it carries; one without, to the newest round
 * that asked this kind and started no later than received_ns. It is in time when received_ns is less than the wait
 * after the round's start, whenever it is handed in. A stamp from before the round's start (the clock stepped) measures
 * nothing, and such a reply counts only with a token.
 */
enum tracker_answer tracker_reply(struct tracker *t, const struct probe_reply *reply);

/*
 * Judges the oldest pending round whose wait is over at now_ns. True when one was judged missed: t->misses tells the
 * row's length, *ret_round (a pointer into the ring) the round. Call until false. All queued replies must have been
 * handed in before.
 */
bool tracker_judge(struct tracker *t, nsec_t now_ns, const struct tracker_round **ret_round);

/* Whether tracker_judge would judge a round missed now; for draining only when there is a reason. */
bool tracker_would_miss(const struct tracker *t, nsec_t now_ns);

/* Pending rounds become void and the row of misses ends without proof of life: fresh misses are needed. */
void tracker_void(struct tracker *t);

/*
 * The round trip that `percent` (1..100) of the measured ones do not exceed, to a bucket's upper edge; 0: none. The
 * last bucket also holds all that is longer than its edge, 16.8 s.
 */
nsec_t tracker_rtt_quantile(const struct tracker *t, unsigned percent);
