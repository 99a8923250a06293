/* SPDX-License-Identifier: Apache-2.0 */
/* A new file: what is known under the old one, under the numbers of the new one. */
#include "agent/core/internal.h"

void core_carry_target(struct core *to, uint16_t to_target, const struct core *from, uint16_t from_target, bool alike)
{
    struct core_target *t = &to->targets[to_target];
    const struct core_target *old = &from->targets[from_target];

    t->mac = old->mac;
    t->fit = old->fit;
    if (!alike)
        return;
    t->witness = old->witness;
    t->witness_asked_ns = old->witness_asked_ns;
    t->witness_sought_ns = old->witness_sought_ns;
    t->carrier_sought_ns = old->carrier_sought_ns;
}

/* Whether what the old file asked or left to a person is to be decided anew, because the new one says otherwise. */
static bool must_reconsider(const struct core_source *to, const struct core_source *from, const struct core_nic *old,
                            bool alike)
{
    if ((old->state != CORE_AWAITING && old->state != CORE_LOST) || from->paused)
        return false;
    if (old->reason == CORE_REASON_WITNESS_MISSING)
        return !alike;
    return (old->reason == CORE_REASON_POLICY_MANUAL || old->reason == CORE_REASON_POLICY_NOTIFY) &&
           (to->on_host != from->on_host || to->on_nic != from->on_nic);
}

/* States that rest on evidence being gathered start over; those that are decided stay. */
static enum core_state carried_state(const struct core_nic *to, enum core_state state)
{
    switch (state) {
    case CORE_VERIFYING:
        if (to->moving)
            return to->n_held > 0 ? CORE_HOLDING : CORE_BLOCKED;
        return nic_idle_state(to);
    case CORE_UP:
    case CORE_LATE:
    case CORE_PREPARING:
        return nic_idle_state(to);
    case CORE_CLAIMING:
    case CORE_HOLDING:
        return to->n_claiming > 0 ? CORE_CLAIMING : nic_idle_state(to);
    case CORE_RELEASING:
        return to->n_releasing > 0 || to->n_claiming > 0 ? CORE_RELEASING : nic_idle_state(to);
    case CORE_UNSEEN:
    case CORE_BLOCKED:
    case CORE_AWAITING:
    case CORE_LOST:
    case CORE_DISARMED:
    case CORE_STATES:
        break;
    }
    return state;
}

/* What the file and core_init say of a NIC, and what its addresses add up to. */
static void keep_own(struct core_nic *n, const struct core_nic *own)
{
    n->source = own->source;
    n->first_address = own->first_address;
    n->n_addresses = own->n_addresses;
    n->trigger_any = own->trigger_any;
    n->asked_apart = own->asked_apart;
    n->n_by_link = own->n_by_link;
    n->n_monitored = own->n_monitored;
    n->n_watched = own->n_watched;
    n->n_up = own->n_up;
    n->n_doubtful = own->n_doubtful;
    n->n_near = own->n_near;
    n->n_lost = own->n_lost;
    n->n_claiming = own->n_claiming;
    n->n_held = own->n_held;
    n->n_releasing = own->n_releasing;
}

/* What was being gathered and watched starts over. */
static void start_over(struct core_nic *n)
{
    n->suspected = n->by_operator = n->approved = n->for_service = n->in_parts = false;
    gate_forget(n);
    verify_forget_asks(n);
    n->next_ask_ns = n->verify_until_ns = NSEC_NEVER;
    if (n->state != CORE_AWAITING)
        n->approval_until_ns = NSEC_NEVER;
    if (n->state != CORE_RELEASING && n->state != CORE_CLAIMING) {
        n->stands = n->stands || n->moving || n->in_parts;
        n->moving = n->homing = false;
    }
    if (n->n_held == 0)
        n->watch_next_ns = n->question_ns = n->home_ns = NSEC_NEVER;
}

/* What the new file does not ask for any more, nobody answers. */
static void carry_gate(struct core_nic *n, const struct core_source *is)
{
    if (!is->gated) {
        gate_forget(n);
        if (n->state == CORE_PREPARING) {
            n->by_operator = n->approved = false;
            n->state = nic_idle_state(n);
        }
    }
    n->leaving = n->leaving && is->leaves_first;
}

/* The new number of an address; NO_ADDRESS where it is not in the new file. */
static uint32_t carried_address(const struct core_nic *n, const struct core_carried *carried, uint32_t old)
{
    for (uint32_t i = 0; i < n->n_addresses; i++)
        if (carried[i].address == old && old != NO_ADDRESS)
            return n->first_address + i;
    return NO_ADDRESS;
}

void core_carry(struct core *to, uint32_t to_nic, const struct core *from, uint32_t from_nic,
                const struct core_carried *carried, bool alike)
{
    struct core_nic *n = &to->nics[to_nic], own;
    const struct core_nic *old = &from->nics[from_nic];
    const struct core_source *is = &to->sources[n->source], *was = &from->sources[old->source];
    bool anew = must_reconsider(is, was, old, alike), arms = is->claim_unseen && !was->claim_unseen;

    to->sources[n->source].paused = was->paused;
    damping_carry(&to->sources[n->source], was);
    for (uint32_t i = 0; i < n->n_addresses; i++)
        if (carried[i].address != NO_ADDRESS)
            address_carry(to, n->first_address + i, &from->addresses[carried[i].address], &carried[i], arms);
    own = *n;
    *n = *old;
    keep_own(n, &own);
    n->reason_address = carried_address(n, carried, old->reason_address);
    n->question_address = carried_address(n, carried, old->question_address);
    if (n->question_address == NO_ADDRESS)
        return_end_proof(to, to_nic);
    /* A failback that the new file cuts short was one all the same. */
    n->disarmed = old->disarmed || (!alike && old->state == CORE_RELEASING && old->reason == CORE_REASON_OPERATOR);
    n->armed = !n->disarmed && (arms || old->armed);
    if (anew)
        n->state = nic_idle_state(n);
    else if (!alike)
        n->state = carried_state(n, old->state);
    to->n_verifying += n->state == CORE_VERIFYING;
    if (n->state == CORE_UP)
        nic_end_yielding(n);
    if (n->state != old->state)
        n->reason = CORE_REASON_NONE;
    if (anew || !alike)
        start_over(n);
    carry_gate(n, is);
    nic_set_timer(to, to_nic);
}
