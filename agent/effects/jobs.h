/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's end of a process that does jobs: the runner, the helper. It is reached by its socket where a unit of
 * its own listens there, else started with a pair of sockets. It dies, hangs and comes back without anybody waiting:
 * what it had in hand is then answered as JOB_UNABLE, which says nothing of the other side.
 */
#pragma once

#include <sys/types.h>

#include "agent/effects/job.h"

/* Jobs in hand, and bytes that were not sent yet; beyond, submitting fails. */
#define JOBS_MAX 4096
#define JOBS_BYTES_MAX (8 * 1024 * 1024)
/* How long beyond its own limit a job may take until the process counts as hung. */
#define JOBS_GRACE_NS (5 * NSEC_PER_SEC)
/* From a death to the next start: this, and twice as long each time that nothing was answered in between. */
#define JOBS_AGAIN_MIN_NS (100 * NSEC_PER_MSEC)
#define JOBS_AGAIN_MAX_NS (10 * NSEC_PER_SEC)

struct jobs;

struct jobs_options {
    const char *name;    /* for people: "runner" */
    const char *socket;  /* where a unit may listen; NULL: it is always started */
    const char *program; /* started as PROGRAM --fd NUMBER; an absolute path */
};

/*
 * Gets each answer to a job: JOB_STARTED of what says so, and one last, after which the job is forgotten. May submit,
 * kill and forget, but not close. The answer lives until it returns.
 */
typedef void (*jobs_answered)(void *userdata, const struct job_answer *answer);

/*
 * Starts the process, best before rights are given up, of which it gets what is left: a later start gets less. That
 * it cannot be started is no failure, but tried again. The options are copied. 0 or negative errno.
 */
int jobs_open(struct jobs **ret, const struct jobs_options *options, nsec_t now_ns);
/* Answers nothing any more. A runner ends its hooks and fences by itself. */
void jobs_close(struct jobs *jobs);

/*
 * Hands over a job, whose id is filled in, and *ret_id (may be NULL). Never waits and never calls back. 0; -ENOTCONN:
 * the process is not there, and could not be brought back lately; -ENOBUFS: too much in hand; or what
 * job_request_build says.
 */
int jobs_submit(struct jobs *jobs, nsec_t now_ns, struct job_request *request, jobs_answered answered, void *userdata,
                uint64_t *ret_id);
/* The id of the job in hand with this tag; 0: there is none. It is searched for. */
uint64_t jobs_find(const struct jobs *jobs, uint64_t tag);
/* Ends a command; it is answered as it ends. */
int jobs_kill(struct jobs *jobs, uint64_t id);
/* It goes on, but nobody hears of it. */
void jobs_forget(struct jobs *jobs, uint64_t id);

/* Readable when there is something to do; the same for ever. */
int jobs_fd(const struct jobs *jobs);
void jobs_on_readable(struct jobs *jobs, nsec_t now_ns);
/* When jobs_on_deadline is due; NSEC_NEVER. Whatever is readable is read before that: a late turn is no hang. */
nsec_t jobs_deadline(const struct jobs *jobs);
void jobs_on_deadline(struct jobs *jobs, nsec_t now_ns);

/* How things stand, for status: "pid 71", "at /run/standin/runner.sock", "not there: ...". */
const char *jobs_text(const struct jobs *jobs);
bool jobs_is_there(const struct jobs *jobs);
/* The process that was started; 0: none, or a unit's. */
pid_t jobs_pid(const struct jobs *jobs);
