/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks URLs, any number at once, none of which delays another. Knows no loop: a descriptor, what to do when it is
 * readable, and a deadline. What was readable comes before the deadlines in each turn.
 */
#pragma once

#include "agent/helper/report.h"

struct urls;

/* 0 or negative errno. `done` is called once for each URL that was begun, never from within urls_begin. */
int urls_new(struct urls **ret, report_done *done, void *userdata);
/* URLs that are still being asked are given up without a word. */
void urls_free(struct urls *urls);

/*
 * Starts to ask. `memory` is what the texts of `url` live in: freed by job_request_free in the end. 0; or negative
 * errno and *refusal says why: nothing was begun, and the memory is still the caller's.
 */
int urls_begin(struct urls *urls, uint64_t id, const struct job_url *url, void *memory, struct report *refusal);

int urls_fd(const struct urls *urls);
void urls_on_readable(struct urls *urls);
/* NSEC_NEVER: there is nothing to wait for. */
nsec_t urls_deadline(const struct urls *urls);
void urls_on_deadline(struct urls *urls, nsec_t now_ns);
