/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command from its request to its last answer:
 *
 *      start --> runs --> main process ends --> its group is killed --> output is awaited --> answer
 *                 | time limit, kill               ^                     (200 ms at most)
 *                 v                                |
 *              SIGTERM --> 1 s --> SIGKILL --------+--> 1 s, in the kernel and not to be killed: answer
 *
 * A task knows no loop: it says what it waits for, and is told what is ready and what the time is.
 */
#pragma once

#include <poll.h>
#include <sys/types.h>

#include "agent/effects/job.h"
#include "agent/runner/output.h"

/* Descriptors that a task may wait for. */
#define TASK_FDS 3

struct task;

/*
 * Forks; the new process does all that may wait. Takes the request over in any case. `take_line` gets the task, and the
 * lines of what is no check. 0, or negative errno.
 */
int task_start(struct job_request *request, output_line take_line, nsec_t now_ns, struct task **ret);
/* What is left of it is killed. */
void task_free(struct task *task);

/* Fills in what it waits for, with its events, and returns how many these are. */
size_t task_poll(const struct task *task, struct pollfd ret[static TASK_FDS]);
/* What poll made of them. */
void task_on_ready(struct task *task, const struct pollfd *fds, size_t n);
/* When something is due; NSEC_NEVER. */
nsec_t task_deadline(const struct task *task);
void task_on_time(struct task *task, nsec_t now_ns);

/* Its main process: 0 when that was reaped. */
pid_t task_pid(const struct task *task);
/* That has ended, and is a zombie still: its group goes, it is reaped. */
void task_on_exit(struct task *task, nsec_t now_ns);

/* 0: of an agent that is gone. */
uint64_t task_id(const struct task *task);
/* Ends it as its time limit would: SIGTERM, and SIGKILL later. */
void task_kill(struct task *task, nsec_t now_ns);
/* Nobody is there any more who wants to know: a check is killed, anything else goes on. Its answers go nowhere. */
void task_orphan(struct task *task);

/* Whether there is an answer that was not given yet; the text in it lives as long as the task. */
bool task_answer(struct task *task, struct job_answer *ret);
/* That answer was given. */
void task_answered(struct task *task);
/* Nothing is left of it: neither a process nor an answer to give. */
bool task_is_over(const struct task *task);
/* As that, but for a process that cannot be killed. */
bool task_is_done(const struct task *task);

/* What the journal calls it; lines that nobody took. */
const char *task_name(const struct task *task);
unsigned task_lines_left_out(const struct task *task);
