/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States of a source NIC. Every arrow is taken in nic_enter; which function takes it stands beside it.
 *
 *              answer                first miss              enough misses
 *   UNSEEN ------------> UP -------------------> LATE ---------------------> VERIFYING <---- operator: failover,
 *                        ^ ^                      |                          |  |  |  |      approve
 *                        | +-------- answer ------+                          |  |  |  |
 *                        |                                                   |  |  |  +-- policy manual, or
 *                        |      answer                   not free, or we     |  |  |      no witness at all
 *                        +------------------ BLOCKED <-- may be cut off -----+  |  +----------> AWAITING
 *                        |                      |                               |                |   |
 *                        |                      +-- fresh misses: VERIFYING     |        approve |   | deny,
 *                        |                                                      |    (VERIFYING)-+   | time over
 *                        +-- answer -- LOST <----- policy notify ---------------+                    |
 *                        |               ^-----------------------------------------------------------+
 *                        |                                                      | free, witnessed, fit
 *                        |                                                      v
 *                        +-- answer -- DISARMED <-- RELEASING <-- HOLDING <-- CLAIMING --> BLOCKED (kernel refused all)
 *                                        all off      failback      one on
 *
 * watch.c takes answers, misses, link events and stalls; verify.c gathers the evidence and judges it; claim.c puts on
 * and takes off; command.c is the operator; address.c counts what the addresses of a NIC add up to. A NIC that holds
 * something returns to HOLDING where others return to UP. Some of its addresses may be claimed while it is VERIFYING
 * for the others.
 */
#include <assert.h>

#include "agent/core/internal.h"

void emit(struct core *core, const struct core_action *action)
{
    core->act(core->userdata, action);
}

void emit_for_nic(struct core *core, enum core_action_type type, uint32_t nic)
{
    emit(core, &(struct core_action){.type = type, .nic = nic, .address = NO_ADDRESS, .target = CORE_NO_TARGET});
}

void emit_for_address(struct core *core, enum core_action_type type, uint32_t address, uint16_t target)
{
    emit(core, &(struct core_action){
                   .type = type, .nic = core->addresses[address].nic, .address = address, .target = target});
}

/* A person's answer is awaited, or was given, or not in time. */
static bool outlasts(enum core_state state)
{
    return state == CORE_AWAITING || state == CORE_LOST;
}

void nic_end_yielding(struct core_nic *n)
{
    if (n->yields > 0)
        n->hold_off_ns = NSEC_UNSET;
    n->yields = 0;
}

/* Moves the NIC to `state`; entering the same state for the same reason is no event. */
void nic_enter(struct core *core, nsec_t now_ns, uint32_t nic, enum core_state state, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];
    enum core_state was = n->state;

    if (was == state && n->reason == reason)
        return;
    if (was != state)
        n->since_ns = now_ns;
    core->n_verifying += (uint32_t)(state == CORE_VERIFYING) - (uint32_t)(was == CORE_VERIFYING);
    n->state = state;
    n->reason = reason;
    core->lasting_changed = core->lasting_changed || outlasts(was) || outlasts(state);
    if (state != CORE_RELEASING && state != CORE_VERIFYING && state != CORE_CLAIMING)
        n->moving = n->homing = n->for_service = false;
    if (state != CORE_AWAITING)
        n->approval_until_ns = NSEC_NEVER;
    if (state != CORE_VERIFYING)
        n->verify_until_ns = NSEC_NEVER;
    n->in_parts = n->in_parts && state == CORE_VERIFYING;
    if (state == CORE_UP || state == CORE_HOLDING)
        nic_end_yielding(n);
    if (state == CORE_UP || state == CORE_LATE || state == CORE_DISARMED || state == CORE_CLAIMING)
        n->stands = false;
    nic_set_timer(core, nic);
    emit(core, &(struct core_action){
                   .type = CORE_CHANGED, .nic = nic, .address = NO_ADDRESS, .target = CORE_NO_TARGET, .was = was});
}

/* Notes what the reason of the next nic_enter is about. */
void nic_blame(struct core_nic *n, uint32_t address, const struct mac_address *mac, int error)
{
    n->reason_address = address;
    n->reason_mac = mac ? *mac : (struct mac_address){{0}};
    n->reason_error = error;
}

enum core_state nic_idle_state(const struct core_nic *n)
{
    if (nic_is_ours(n))
        return CORE_HOLDING;
    if (n->disarmed)
        return CORE_DISARMED;
    if (!n->seen)
        return CORE_UNSEEN;
    return n->n_doubtful > 0 ? CORE_LATE : CORE_UP;
}

void nic_set_timer(struct core *core, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];

    heap_set(
        &core->timers, nic,
        nsec_min(nsec_min(n->next_ask_ns, n->verify_until_ns),
                 nsec_min(n->approval_until_ns, nsec_min(n->watch_next_ns, nsec_min(n->question_ns, n->home_ns)))));
}

void core_init(struct core *core, nsec_t now_ns)
{
    core->n_verifying = 0;
    for (uint32_t i = 0; i < core->n_sources; i++)
        assert(core->sources[i].misses > 0 && core->sources[i].verify_spacing_ns > 0);
    for (uint32_t i = 0; i < core->n_addresses; i++) {
        const struct core_address *a = &core->addresses[i];

        assert(a->nic < core->n_nics && a->target[0] < core->n_targets);
        assert(a->target[1] < core->n_targets || a->target[1] == CORE_NO_TARGET);
        core->nics[a->nic].n_monitored += a->monitored;
        core->nics[a->nic].asked_apart |= !a->asked_by_link;
        core->nics[a->nic].n_by_link += a->asked_by_link;
        address_join(core, i);
    }
    for (uint32_t i = 0; i < core->n_nics; i++) {
        struct core_nic *n = &core->nics[i];

        assert(n->source < core->n_sources && n->n_monitored > 0);
        n->armed = core->sources[n->source].claim_unseen;
        n->since_ns = now_ns;
        n->reason_address = n->question_address = NO_ADDRESS;
        n->next_ask_ns = n->verify_until_ns = n->approval_until_ns = n->watch_next_ns = NSEC_NEVER;
        n->question_ns = n->home_ns = NSEC_NEVER;
    }
}

nsec_t core_deadline(const struct core *core)
{
    return heap_first(&core->timers, NULL);
}

void core_on_time(struct core *core, nsec_t now_ns)
{
    uint32_t nic;

    while (heap_first(&core->timers, &nic) <= now_ns) {
        struct core_nic *n = &core->nics[nic];

        if (n->approval_until_ns <= now_ns) {
            n->approval_until_ns = NSEC_NEVER;
            if (core->sources[n->source].approval_default_approve)
                verify_begin_for_operator(core, now_ns, nic, true);
            else
                nic_enter(core, now_ns, nic, CORE_LOST, CORE_REASON_APPROVAL_EXPIRED);
        }
        verify_on_time(core, now_ns, nic);
        hold_on_time(core, now_ns, nic);
        return_on_time(core, now_ns, nic);
        nic_set_timer(core, nic);
    }
}

uint16_t core_path(const struct core *core, uint32_t address)
{
    const struct core_address *a = &core->addresses[address];

    return a->held_on != CORE_NO_TARGET ? a->held_on : fit_target(core, a);
}

const char *core_state_name(enum core_state state)
{
    static const char *const names[CORE_STATES] = {
        [CORE_UNSEEN] = "unseen",     [CORE_UP] = "up",
        [CORE_LATE] = "late",         [CORE_VERIFYING] = "verifying",
        [CORE_BLOCKED] = "blocked",   [CORE_AWAITING] = "awaiting",
        [CORE_LOST] = "lost",         [CORE_CLAIMING] = "claiming",
        [CORE_HOLDING] = "holding",   [CORE_RELEASING] = "releasing",
        [CORE_DISARMED] = "disarmed", [CORE_PREPARING] = "preparing",
    };

    assert(state < CORE_STATES);
    return names[state];
}
