/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes DNS records, any number of jobs at once, none of which delays another. Knows no loop: a descriptor, what to
 * do when it is readable, and a deadline.
 */
#pragma once

#include "agent/helper/report.h"

struct names;

/* 0 or negative errno. `done` is called once for each job that was begun; also from within names_begin. */
int names_new(struct names **ret, report_done *done, void *userdata);
/* Jobs that are under way are given up without a word. */
void names_free(struct names *names);

/*
 * Begins. `memory` is what the texts of `dns` live in: freed in the end. 0; or negative errno and *refusal says why:
 * nothing was begun, and the memory is still the caller's.
 */
int names_begin(struct names *names, nsec_t now_ns, uint64_t id, const struct job_dns *dns, void *memory,
                struct report *refusal);

int names_fd(const struct names *names);
void names_on_readable(struct names *names);
/* NSEC_NEVER: there is nothing to wait for. */
nsec_t names_deadline(const struct names *names);
void names_on_deadline(struct names *names, nsec_t now_ns);
