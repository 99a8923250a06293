/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the core share. Nobody else includes this. */
#pragma once

#include "agent/core/core.h"

#define NO_ADDRESS UINT32_MAX
#define NO_NIC UINT32_MAX

/* core.c: states and timers */
void nic_enter(struct core *core, nsec_t now_ns, uint32_t nic, enum core_state state, enum core_reason reason);
void nic_blame(struct core_nic *n, uint32_t address, const struct mac_address *mac, int error);
/* Whoever we gave way to is not waited for any more. */
void nic_end_yielding(struct core_nic *n);
void nic_set_timer(struct core *core, uint32_t nic);
void emit(struct core *core, const struct core_action *action);
void emit_for_nic(struct core *core, enum core_action_type type, uint32_t nic);
void emit_for_address(struct core *core, enum core_action_type type, uint32_t address, uint16_t target);
/* The state of a NIC for whose loss nothing is being done. */
enum core_state nic_idle_state(const struct core_nic *n);

/* address.c: what may change of an address; each keeps the NIC's counts */
void address_join(struct core *core, uint32_t address);
void address_alive(struct core *core, uint32_t address);
void address_missed(struct core *core, uint32_t address, uint32_t misses);
/* Doubts about the address are void; a proof of life stays. */
void address_forget_misses(struct core *core, uint32_t address);
/* Nothing is known of it any more. `armed`: its loss counts before it was seen alive again. */
void address_start_over(struct core *core, uint32_t address, bool armed);
/* Its loss counts with `trigger any`. */
void address_arm(struct core *core, uint32_t address);
void address_set_claim(struct core *core, uint32_t address, enum core_claim claim);
/* What is known of it under an old file: liveness, MAC, claim. `arms`: the new one takes over what was never seen. */
void address_carry(struct core *core, uint32_t address, const struct core_address *old,
                   const struct core_carried *carried, bool arms);

/* watch.c: liveness */
bool nic_is_lost(const struct core_nic *n);
/* The row of misses ends without proof of life; the shell asks anew. */
void nic_restart(struct core *core, uint32_t nic);
/* No evidence is being gathered any more. */
void nic_end_suspicion(struct core *core, uint32_t nic);
/* Whether anything of it is claimed, or about to be. */
bool nic_is_ours(const struct core_nic *n);
/* First fit target of an address, CORE_NO_TARGET when none. */
uint16_t fit_target(const struct core *core, const struct core_address *a);
bool nic_has_path(const struct core *core, const struct core_nic *n);

/* ask.c: broadcasts of verify */
/* So far apart are the parts of one at least. */
#define VERIFY_ASK_PACE_NS (100 * NSEC_PER_USEC)
/* Broadcasts for every address of the NIC; `intent`: in the probe form, by which other targets know what follows. */
void verify_ask(struct core *core, nsec_t now_ns, uint32_t nic, bool intent);
/* The next part of the one under way. */
void verify_ask_part(struct core *core, nsec_t now_ns, uint32_t nic);
/* What was asked by broadcast does not count any more. */
void verify_forget_asks(struct core_nic *n);

/* verify.c */
enum core_policy nic_policy(const struct core *core, const struct core_nic *n);
/* Evidence is gathered from now on: at the first miss, or at an operator's word. */
void verify_gather(struct core *core, nsec_t now_ns, uint32_t nic);
/* Asks the witnesses of the NIC's targets that have not answered yet, at most once a spacing. */
void verify_ask_witnesses(struct core *core, nsec_t now_ns, uint32_t nic);
void verify_begin(struct core *core, nsec_t now_ns, uint32_t nic);
/* The same with evidence from now on, for addresses on their way to another target NIC. */
void verify_begin_for_move(struct core *core, nsec_t now_ns, uint32_t nic);
void verify_begin_for_operator(struct core *core, nsec_t now_ns, uint32_t nic, bool approved);
/* Starts the verify that is under way over: what it has found does not hold any more. */
void verify_begin_anew(struct core *core, nsec_t now_ns, uint32_t nic);
/* Ends in claiming, awaiting, lost or blocked as soon as the evidence is complete or its time is over. */
void verify_look(struct core *core, nsec_t now_ns, uint32_t nic);
void verify_on_time(struct core *core, nsec_t now_ns, uint32_t nic);
/* Until when a question that is put now waits for its answer. */
nsec_t approval_until(const struct core *core, nsec_t now_ns, const struct core_nic *n);

/* Whether the address must not be claimed on `target`, and why; CORE_REASON_NONE: it may. */
enum core_reason verify_address(const struct core *core, const struct core_address *a, uint16_t target);

/* Whether its own rounds, which ask by broadcast, have found it lost; not where the kernel has refused it. */
bool verify_found_lost(const struct core_address *a);
/* For a failed service: a witness is wanted, but the host may answer. */
void verify_begin_for_service(struct core *core, nsec_t now_ns, uint32_t nic);

/* gate.c: what must succeed before a claim, and come before a release */
/* Whether the NIC may not be claimed yet. */
bool gate_is_shut(const struct core *core, const struct core_nic *n);
void gate_prepare(struct core *core, nsec_t now_ns, uint32_t nic);
/* Something of it answered: what was prepared counts no more, unless it is lost all the same. */
void gate_on_answer(struct core_nic *n);
/* The same once it is claimed, or given up. */
void gate_forget(struct core_nic *n);
/* Releases the NIC for `reason`, at once or after what must come before. */
void gate_leave(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason);

/* service.c */
/* What would be done by itself is not. */
void service_pause(struct core *core, nsec_t now_ns, uint32_t source);

/* hold.c */
/* `target` lost or regained its carrier: what is held moves, or says that it cannot be reached. */
void hold_on_link(struct core *core, nsec_t now_ns, uint32_t nic, uint16_t target);
/* Claims are settled: what lost its carrier meanwhile moves on. */
void hold_review(struct core *core, nsec_t now_ns, uint32_t nic);
void hold_on_time(struct core *core, nsec_t now_ns, uint32_t nic);

/* return.c: others who use what we hold; `mac` is theirs, and the address is held */
/* The first address of the NIC is held. */
void return_begin(struct core *core, nsec_t now_ns, uint32_t nic);
/* The source has to prove anew that it is there. */
void return_end_proof(struct core *core, uint32_t nic);
void return_on_time(struct core *core, nsec_t now_ns, uint32_t nic);
/* A question about what is held did not leave. */
void return_on_unasked(struct core *core, uint32_t address);
/* Whether the source is proved to be back, and this address was among those that it answered for. */
bool return_is_proved(const struct core *core, const struct core_address *a);
/* Whether the source answered just now, however little that proves: what need not be done waits. */
bool return_is_hinted(const struct core *core, nsec_t now_ns, const struct core_nic *n);
/* Who uses what is held, too: the source, proved to be back, or who answered for an address of the NIC just now;
 * NULL. */
const struct mac_address *return_user(const struct core *core, nsec_t now_ns, uint32_t address);
/* Whether the source, and everybody, was asked and heard lately: else nobody knows whether it is still silent. */
bool return_is_watched(const struct core *core, nsec_t now_ns, const struct core_nic *n);
/* Whether who is taken for the source has just answered for what is held. */
bool return_is_seen(const struct core_address *a, nsec_t now_ns);
/* Whether the target that stands in for the source asks no more for what it holds. */
bool return_deputy_is_gone(const struct core *core, nsec_t now_ns, const struct core_nic *n);
/* Who was taken for the source is another target, which holds the address too. */
void return_on_deputy(struct core *core, nsec_t now_ns, uint32_t address);
void return_on_answer(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac);
void return_on_heard(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac);
void return_on_probe(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac);

/* damping.c */
/* Whether a takeover that began now would be one too many. */
bool damping_applies(const struct core *core, nsec_t now_ns, const struct core_nic *n);
/* A new file stands for the old one. */
void damping_carry(struct core_source *to, const struct core_source *from);
/* Whether the source was taken over so often of late; and that it was. */
bool damping_is_full(const struct core_source *s, nsec_t now_ns);
void damping_note(struct core *core, nsec_t now_ns, uint32_t source);
/* One begins by itself. */
void damping_count(struct core *core, nsec_t now_ns, const struct core_nic *n);

/* claim.c */
void address_claim(struct core *core, uint32_t address, uint16_t target);
void address_release(struct core *core, uint32_t address);
/* Takes off all that is held of the NIC, for `reason`, and begins no more. */
void nic_release(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason);
/* It is not held any more. tell: the LAN has to be told where the source is, once that answers. */
void address_leave(struct core *core, nsec_t now_ns, uint32_t address, bool tell);
/* Tells the LAN that the source has the address again, where it was released not long ago. */
void address_give_back(struct core *core, nsec_t now_ns, uint32_t address);
/* Claims what verify allows of the NIC (all that has a fit target where `reason` is FORCED). */
void claim_begin(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason);
/* Of these, while verify goes on for the others, those that their own rounds have found lost. */
void claim_begin_in_parts(struct core *core, nsec_t now_ns, uint32_t nic);
