/* SPDX-License-Identifier: Apache-2.0 */
/* One URL that is asked: what curl is told of it, and what is made of how it ended. */
#pragma once

#include <curl/curl.h>

#include "agent/helper/report.h"

/* Read of an answer at most: a text that is looked for must stand within. */
#define TRANSFER_READ_MAX 65536

struct threads;

struct transfer {
    uint64_t id;
    struct job_url url;               /* its texts live in `memory` */
    void *memory;                     /* of the request */
    CURL *easy;                       /* refers to this */
    CURLU *parts;                     /* of the URL */
    struct curl_slist *connect_to;    /* where `host` is, which is not where its name leads */
    struct transfer *previous, *next; /* in the list of its owner */
    size_t n_read;                    /* bytes of the answer */
    bool found;                       /* the text that is looked for was seen */
    char *tail;                       /* the last bytes that were read: the text may begin in them */
    size_t n_tail;                    /* one less than the text has, at most */
    int socket_errno;                 /* why there was no socket; 0 */
    bool connected;                   /* a socket of it was, when it was closed */
    struct threads *threads;          /* which run it; see threads.h */
    struct report report;             /* what became of it there */
    char error[CURL_ERROR_SIZE];      /* what curl says beyond its code */
};

/* Whether curl never waits with it. */
bool transfer_is_http(const struct transfer *transfer);
/* NULL where the URL cannot be asked, or memory ran out: *refusal says so, and `memory` is still the caller's. */
struct transfer *transfer_new(uint64_t id, const struct job_url *url, void *memory, struct report *refusal);
void transfer_free(struct transfer *transfer);
/* What became of it, as curl ended it with this code. */
void transfer_judge(const struct transfer *transfer, CURLcode code, struct report *ret);
