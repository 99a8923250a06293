/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report: what status says, as plain data. The shell fills it from the core and the trackers; this folder turns it
 * into JSON, and standinctl turns that into tables for people. One place for the words and the fields.
 */
#pragma once

#include <jansson.h>

#include "agent/base/address.h"
#include "agent/base/time.h"

/* An address. Strings are borrowed for the call. */
struct report_address {
    struct ip_address ip;                      /* protected */
    uint8_t prefix;                            /* as written in the ipmap */
    bool monitored;                            /* probed */
    const char *life;                          /* "up", "late", "lost", "unknown", "not monitored" */
    const char *cannot_probe;                  /* why the newest round could not be sent ("Network is down"); NULL */
    struct mac_address mac;                    /* learned; unset */
    uint32_t misses;                           /* in a row */
    uint32_t misses_limit;                     /* that make it lost */
    nsec_t last_answer_age_ns;                 /* NSEC_NEVER: never */
    const char *last_answer_probe;             /* "arp", "nd", "icmp"; NULL */
    nsec_t rtt_min_ns, rtt_avg_ns, rtt_p99_ns; /* 0: none */
    nsec_t wait_ns;                            /* how long a round is waited for now */
    uint64_t rounds;                           /* probe rounds started, and what became of them: */
    uint64_t answered, missed, late, voided;   /* in time, not in time, after that, not counted */
    const char *dev;                           /* target NIC in use or first choice */
    const char *fallback;                      /* target NIC where dev has no carrier; NULL */
    const char *claim;                         /* "free", "claiming", "held", "releasing", "failed", "refused" */
    const char *claim_error;                   /* why it failed or was refused; NULL */
    const char *held_on;                       /* target NIC; NULL */
    const char *proof;                         /* "confirmed", "reached", "unconfirmed"; NULL when not held */
    struct ip_address proof_by;                /* who confirmed */
    nsec_t proof_after_ns;                     /* from the claim to the proof */
    unsigned announced;                        /* copies sent */
    bool source_answers;                       /* while held: the source's own MAC answers for it */
};

/* A NIC of a source. */
struct report_nic {
    const char *name;                       /* as in the ipmap */
    const char *state;                      /* the core's word: "up", "holding", ... */
    nsec_t since_age_ns;                    /* how long */
    const char *reason;                     /* sentence: why, and what to do; NULL */
    nsec_t time_to_fail_ns;                 /* while late: until it is lost when nothing answers; NSEC_NEVER */
    nsec_t approval_left_ns;                /* while awaiting: until the default; NSEC_NEVER */
    const char *trigger;                    /* "all", "any" */
    const struct report_address *addresses; /* in the file's order */
    size_t n_addresses;
};

/* A check of what a source serves. */
struct report_check {
    const char *name;      /* "tcp 443", "url https://..." */
    const char *state;     /* "passing", "failed", "unknown", "resting" while the source is held here */
    bool running;          /* a round is under way */
    uint32_t misses;       /* failed rounds in a row */
    uint32_t misses_limit; /* that make it failed */
    nsec_t begun_age_ns;   /* since the newest round began; NSEC_NEVER */
    nsec_t passed_age_ns;  /* since the newest that passed ended; NSEC_NEVER */
    nsec_t took_ns;        /* the newest that ended; 0: none */
    const char *outcome;   /* what that said, and how it ended; NULL */
    uint64_t rounds;       /* begun, and what became of them: */
    uint64_t passes, failures, unable;
};

/* A unit that is started for a source while it is held here. */
struct report_unit {
    const char *name;  /* with its suffix */
    const char *state; /* "started", "stopped", "starting", "stopping", "failed", "not stopped"; NULL: not asked for */
    const char *text;  /* what systemd said of it; NULL */
};

/* A source. */
struct report_source {
    const char *name;              /* as in the ipmap */
    const char *state;             /* the worst of its NICs */
    bool healthy;                  /* what exit status 4 of `status` is about */
    bool paused;                   /* not taken over by itself */
    const char *takeover;          /* "automatic", ... */
    nsec_t interval_ns;            /* from round to round */
    uint32_t misses;               /* in a row that make an address lost */
    const struct report_nic *nics; /* in the file's order */
    size_t n_nics;
    const char *service;         /* the core's word: "passing", ...; NULL: nothing is checked, run or renamed for it */
    nsec_t service_since_age_ns; /* how long */
    const char *service_reason;  /* sentence: why, and what to do; NULL */
    const char *on_service;      /* "automatic", ... */
    const char *step;            /* the hook, fence or unit that is under way; NULL */
    nsec_t step_age_ns;          /* for how long; NSEC_NEVER */
    const char *trouble;         /* what last went wrong in one; NULL */
    const char *dns;             /* where its DNS name is: "here", "given back"; NULL: not changed */
    const char *dns_text;        /* what the name server said; NULL */
    const struct report_check *checks; /* in the file's order */
    size_t n_checks;
    const struct report_unit *units; /* in the file's order, the last standin-SOURCE.target */
    size_t n_units;
};

/* A target NIC as seen with one set of witnesses. */
struct report_target {
    const char *name;        /* of the NIC here */
    bool present;            /* there is such a NIC */
    bool up;                 /* set up by the administrator */
    bool carrier;            /* its cable is in */
    const char *own_address; /* from which it asks, or NULL: a warning */
    const char *witness;     /* "192.0.2.1 answered 0.4 s ago", "none configured", ... a sentence */
};

/* Turns of the loop that came so late. */
struct report_lateness {
    nsec_t below_ns; /* later than the bucket before ends, and by less than this */
    uint64_t turns;  /* so many */
};

/* The agent itself. */
struct report_agent {
    const char *version;      /* of standind */
    const char *file;         /* the ipmap's path */
    uint64_t file_generation; /* files that took effect, this one included */
    const char *file_error;   /* of the last reload that failed; NULL */
    nsec_t uptime_ns;         /* of the process */
    int64_t pid;
    bool paused;                             /* every source is */
    const char *realtime;                    /* "SCHED_RR 50" or why it was refused */
    const char *guard;                       /* "pid 123, removes after 1000 ms", "off", or why there is none */
    const char *journal;                     /* "kept in DIR", or why it is not */
    const char *memory_lock;                 /* "locked" or why it was refused */
    uint64_t turns;                          /* of the loop */
    uint64_t stalls;                         /* of those, woken so late that the rounds in between are void */
    nsec_t lateness_p99_ns, lateness_max_ns; /* from when a turn was due to when it began */
    const struct report_lateness *lateness;  /* the same as a histogram, each bucket twice as wide as the one before */
    size_t n_lateness;                       /* up to the last that is not empty */
    uint64_t netlink_overruns;               /* times that the kernel's events were lost and all was read anew */
};

/* All that status says. */
struct report {
    struct report_agent agent;
    const struct report_target *targets;
    size_t n_targets;
    const struct report_source *sources;
    size_t n_sources;
};

/*
 * The whole answer to `status` as one line without its newline, {"ok":true,"report":{...}}, for control_answer_text; to
 * be freed by free(). NULL when memory ran out. It is written straight from the report, because a tree of JSON values
 * takes six times as long, and the agent has to go on watching.
 */
char *report_to_answer(const struct report *report);
/* The report alone as a JSON object: the stable form that `--json` prints. NULL when memory ran out. */
json_t *report_to_json(const struct report *report);
/* Whether every source is healthy. */
bool report_is_healthy(const struct report *report);
