/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The announcer: when which held address is announced. Pure: a plan for each address, a pace for each NIC, frames
 * handed to a function.
 *
 * The plan: at once, then 100 ms, 1.1 s, 2.2 s after the first copy left: past the second for which Linux receivers
 * lock a fresh entry. An unconfirmed address goes on at a falling rate (4.4 s, 8.8 s, 17.6 s, 35.2 s). Then both are
 * refreshed each 60 s while held. A copy that left late moves those after it, so that they keep their distance.
 * The pace: at most ANNOUNCER_BURST frames in ANNOUNCER_TICK_NS for each NIC, so that thousands of addresses do not
 * overrun the queue of a NIC or a switch. On each NIC first copies go before all others, also those that are still to
 * come (announcer_hold_back), then what was due first; no NIC waits for another.
 */
#pragma once

#include "agent/base/address.h"
#include "agent/base/time.h"

#define ANNOUNCER_TICK_NS (1 * NSEC_PER_MSEC)
#define ANNOUNCER_BURST 100
#define ANNOUNCER_REFRESH_NS (60 * NSEC_PER_SEC)
/* Copies of the plan that a confirmed entry gets; those after them refresh. */
#define ANNOUNCER_PLAN_CONFIRMED 4

struct announcer;

/*
 * Sends all forms of one announcement of the entry `id`. `copy`: 0 for the first. Returns how many frames it took
 * (above 0), or negative errno: tried again after a tick, in which its NIC sends nothing else. Called from
 * announcer_run only, and may call nothing here but announcer_copies.
 */
typedef int (*announcer_send_fn)(void *userdata, uint32_t id, unsigned copy);

/* Room for ids below `capacity` and NICs below `nics`. 0 or -ENOMEM. */
int announcer_new(struct announcer **ret, uint32_t capacity, uint32_t nics, announcer_send_fn send, void *userdata);
void announcer_free(struct announcer *announcer);

/* Begins the plan of `id` on the NIC number `nic`, with the first copy due at now_ns. Begun before: begins anew. */
void announcer_start(struct announcer *announcer, uint32_t id, uint32_t nic, nsec_t now_ns);
/* Confirmed entries leave out the falling-rate steps. */
void announcer_confirmed(struct announcer *announcer, uint32_t id);
/* More are about to be started on the NIC: until then nothing is announced again there. In the past: nothing waits. */
void announcer_hold_back(struct announcer *announcer, uint32_t nic, nsec_t until_ns);
void announcer_stop(struct announcer *announcer, uint32_t id);
/*
 * Goes on in `announcer` where `from` is with its entry `old`, as its entry `id` on the NIC number `nic`: its place in
 * the plan, and what was sent of that NIC's pace.
 */
void announcer_carry(struct announcer *announcer, uint32_t id, uint32_t nic, const struct announcer *from,
                     uint32_t old);

/* When to run next; NSEC_NEVER: nothing is planned. Later than the newest run, unless something was started since. */
nsec_t announcer_deadline(const struct announcer *announcer);
/* Sends what is due and the pace allows. */
void announcer_run(struct announcer *announcer, nsec_t now_ns);
/* How often the entry was announced since it was started. */
unsigned announcer_copies(const struct announcer *announcer, uint32_t id);
