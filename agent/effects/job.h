/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: what the agent has done by others, because it must never wait. The runner starts commands, the helper asks URLs
 * and changes DNS. Requests and answers are JSON objects, one a packet; both ends build and read them here. Pure over
 * buffers. Whatever is not exactly as described is refused: an unknown key, a type, a length, a number out of range,
 * bytes that are not UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/address.h"
#include "agent/base/limits.h"
#include "agent/base/time.h"

/* Bytes of one packet, either way. */
#define JOB_PACKET_MAX 65536
/* Of a command: words, and what is added to its environment; bytes of one of these, and of its input. */
#define JOB_ARGS_MAX 64
#define JOB_ENV_MAX 32
#define JOB_WORD_MAX 16384
#define JOB_STDIN_MAX 32768
/* Bytes of all other texts: names, a URL, a reason. */
#define JOB_TEXT_MAX 4096
/* Bytes that are kept of what a command writes. */
#define JOB_OUTPUT_MAX 4096
#define JOB_EXPECT_MAX 8
#define JOB_RECORDS_MAX 64
#define JOB_RETRIES_MAX 20
#define JOB_TIMEOUT_MAX_NS (1 * NSEC_PER_HOUR)

enum job_kind {
    JOB_RUN,  /* to the runner: start a command */
    JOB_KILL, /* to the runner: end the command of this id; it is answered as it ends. Unknown ids are passed over */
    JOB_URL,  /* to the helper: ask a URL once */
    JOB_DNS,  /* to the helper: change records, or look at them */
};

/* A command. */
struct job_run {
    const char *argv[JOB_ARGS_MAX + 1]; /* ends with NULL; the program is an absolute path, but for `shell` */
    bool shell;                         /* argv is one text, for /bin/sh -c */
    bool check;                         /* killed with the agent, nothing to the journal, no JOB_STARTED */
    const char *name;                   /* what the journal calls it: the source and what it is for; NULL: argv[0] */
    const char *user;                   /* who it runs as; NULL: root */
    const char *env[JOB_ENV_MAX + 1];   /* NAME=VALUE, added to PATH and LANG; ends with NULL */
    const char *input;                  /* what it reads from stdin; NULL: nothing */
    nsec_t timeout_ns;                  /* sent as ms, rounded up, as are all below */
};

/* Numbers from `from` to `to`, both included. */
struct job_range {
    uint16_t from; /* the first that fits */
    uint16_t to;   /* the last */
};

/* A URL, asked once: its scheme says how (GET, a directory, a greeting). */
struct job_url {
    const char *url;                         /* with its scheme, which the helper judges */
    nsec_t timeout_ns;                       /* for all of it, names included */
    struct job_range expect[JOB_EXPECT_MAX]; /* answers that pass; none: what is usual for the scheme */
    size_t n_expect;                         /* how many of these there are */
    const char *body;                        /* must be found in what is answered; NULL: anything passes */
    const char *host;                        /* Host header, and the name in TLS; NULL: as the URL says */
    bool verify;                             /* the certificate must be good */
    bool redirects;                          /* are followed */
    struct ip_address from;                  /* our address to ask from; unset: any */
    const char *from_dev;                    /* our NIC to ask from; NULL: any */
};

enum job_dns_direction {
    JOB_DNS_CLAIM,   /* the records become as written, the old value is kept under keep_old */
    JOB_DNS_RESTORE, /* back to what is kept there */
    JOB_DNS_LOOK,    /* changes nothing: passes where the records still are as written */
};

/* A record. */
struct job_record {
    const char *name;          /* in the zone, fully written */
    struct ip_address address; /* an A record for IPv4, AAAA for IPv6 */
    bool ptr;                  /* the PTR record of the address, too */
};

/* A change of DNS records, as one transaction (RFC 2136) with a signature (RFC 8945). */
struct job_dns {
    enum job_dns_direction direction;           /* which way */
    struct ip_address server;                   /* the primary of the zone */
    uint16_t port;                              /* there */
    const char *zone;                           /* that the records are in */
    const char *key_name;                       /* of the key */
    const char *key_algorithm;                  /* as BIND calls it: hmac-sha256 */
    const char *key_secret;                     /* Base64 */
    uint32_t ttl_s;                             /* of what is written */
    const char *keep_old;                       /* the name that keeps the old value; NULL: not kept */
    struct job_record records[JOB_RECORDS_MAX]; /* at least one */
    size_t n_records;                           /* how many */
    nsec_t timeout_ns;                          /* of one attempt, however many questions that takes */
    uint32_t retries;                           /* attempts after the first */
};

struct job_request {
    uint64_t id;        /* positive, below 2^63; the answers repeat it */
    uint64_t tag;       /* the caller's own, unknown to the other end: jobs.h gives it back with the answer */
    enum job_kind kind; /* which of these follows */
    union {
        struct job_run run; /* JOB_RUN */
        struct job_url url; /* JOB_URL */
        struct job_dns dns; /* JOB_DNS */
    };
    void *memory; /* of one that was read: what its texts live in; see job_request_free */
};

enum job_outcome {
    JOB_STARTED,   /* not the last answer: the program was let go */
    JOB_EXITED,    /* with a status */
    JOB_SIGNALLED, /* ended by a signal, not because of its time limit */
    JOB_TIMED_OUT, /* ended at its time limit */
    JOB_REFUSED,   /* not started: the command is not safe, or asks for what there is not */
    JOB_FAILED,    /* not started: no memory, no process, no such user; says nothing of the command */
    JOB_PASSED,    /* the helper: as expected, or done */
    JOB_MISSED,    /* the helper: not so, and that is the other side's doing */
    JOB_UNABLE,    /* the helper could not try; or runner or helper are not there, or died of it */
};

struct job_answer {
    uint64_t id;              /* of the request */
    uint64_t tag;             /* the same; 0 in one that was only read */
    enum job_outcome outcome; /* what became of it */
    int status;               /* JOB_EXITED: 0 to 255; JOB_SIGNALLED: the signal; else 0 */
    nsec_t took_ns;           /* sent as ms; 0 where nothing was tried */
    const char *text;         /* what the command wrote, or a reason; of one that was read never NULL */
    void *memory;             /* of one that was read: what the text lives in; see job_answer_free */
};

/*
 * Writes a packet, to be freed. 0; -EINVAL: not within what is said above; -EILSEQ: a text that is no UTF-8; -EMSGSIZE:
 * too long for a packet; -ENOMEM.
 */
int job_request_build(const struct job_request *request, char **ret, size_t *ret_length);
int job_answer_build(const struct job_answer *answer, char **ret, size_t *ret_length);

/*
 * Reads a packet. 0 and *ret, to be freed; -EBADMSG. *ret_id: the id, as soon as there is a good one, also where the
 * rest is refused, so that it can be answered; else 0.
 */
int job_request_parse(const char *packet, size_t length, struct job_request *ret, uint64_t *ret_id);
int job_answer_parse(const char *packet, size_t length, struct job_answer *ret);

/* Frees what a read one lives in; one that was filled in by hand has nothing. */
void job_request_free(struct job_request *request);
void job_answer_free(struct job_answer *answer);

/* How long the job may take where all goes well: its time limit, with every retry. */
nsec_t job_limit_ns(const struct job_request *request);
/* "exit status", "signal", "time limit", "refused" ...: for people; a number or a text is for the caller to add. */
const char *job_outcome_name(enum job_outcome outcome);
