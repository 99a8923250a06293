/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: a small process beside the agent, with nothing but what removal needs. It is told what is held, and fed
 * by the loop. When the agent is gone and no successor comes, or when it hangs, for `patience`, the guard takes off
 * exactly what is held, and says so. It never acts on an agent that restarts in time.
 *
 * Successor: each guard's pid stands in a file beside the control socket. An agent that has adopted what is held starts
 * a guard of its own, whose pid replaces the old one; an old guard that finds another pid there ends without a word.
 */
#pragma once

#include <sys/types.h>

#include "agent/base/address.h"
#include "agent/base/time.h"

/* Less would be within what a busy machine delays anybody. */
#define GUARD_PATIENCE_MIN_NS (100 * NSEC_PER_MSEC)

struct guard;

/* An address that is held. */
struct guard_held {
    int ifindex;          /* the NIC that has it */
    struct ip_address ip; /* the address */
    uint8_t prefix;       /* exactly as it was put on */
};

/*
 * Forks the guard and waits until it is ready, some milliseconds (at most a second: -ETIMEDOUT). The guard is no child
 * of ours: nobody has to reap it, and no SIGCHLD tells of its end. It closes every descriptor but stderr and its own,
 * and keeps nothing of our signals and schedule; but its memory begins as a copy of ours, so start it early.
 * `pid_path`: the file that names the guard in charge. `lock_path`: what a living agent holds by flock(2). Both are
 * best absolute. patience_ns: at least GUARD_PATIENCE_MIN_NS, else -EINVAL. 0 or negative errno.
 */
int guard_start(struct guard **ret, const char *pid_path, const char *lock_path, nsec_t patience_ns);
/* Tells it to end without removing anything (all is released, or a successor took over). Does not wait. */
void guard_dismiss(struct guard *guard);
/* Ends our side only: the guard sees that the agent is gone. */
void guard_abandon(struct guard *guard);

/*
 * From now on this guard is in charge: its pid replaces whatever stands in the file. 0; -EBUSY: it was not told all
 * notes yet, and the one before it knows more; or negative errno.
 */
int guard_take_charge(struct guard *guard);
pid_t guard_pid(const struct guard *guard);

/*
 * Notes for the guard: queued in memory and sent without waiting by guard_flush; the queue is bounded by what is held,
 * because a later note about an address replaces an earlier one that was not sent yet. 0 or -ENOMEM.
 */
int guard_hold(struct guard *guard, const struct guard_held *held);
int guard_drop(struct guard *guard, const struct guard_held *held);
/* A sign of life with the next flush: that the loop was well at `now_ns`. Notes alone are none. */
void guard_beat(struct guard *guard, nsec_t now_ns);
/* 0; positive: this much is left for when the fd is writable again; -EPIPE: the guard is gone (start another). */
int guard_flush(struct guard *guard);
/* Readable when the guard says something: see guard_news. */
int guard_fd(const struct guard *guard);
/* How many addresses the guard took off because we hung, since last asked; -EPIPE: it is gone. */
int guard_news(struct guard *guard);
