/* SPDX-License-Identifier: Apache-2.0 */
/* Claim, hold, release: what is put on and taken off, address by address. */
#include <errno.h>

#include "agent/core/internal.h"

/* After a release the LAN is told where the source is so often, so far apart (for Linux receivers do not change a fresh
 * entry for a second), and no later. */
#define GIVE_BACKS 3
#define GIVE_BACK_AGAIN_NS (1100 * NSEC_PER_MSEC)
#define GIVE_BACK_WITHIN_NS (60 * NSEC_PER_SEC)

void address_claim(struct core *core, uint32_t address, uint16_t target)
{
    struct core_address *a = &core->addresses[address];

    address_set_claim(core, address, CORE_CLAIM_CLAIMING);
    a->held_on = target;
    a->error = 0;
    a->refusal = CORE_REASON_NONE;
    a->give_backs = 0;
    emit_for_address(core, CORE_CLAIM, address, target);
}

/* Why the address is not claimed on `target`; what is forced only needs a way. */
static enum core_reason refusal_of(const struct core *core, const struct core_address *a, uint16_t target, bool forced)
{
    if (forced && target != CORE_NO_TARGET && core->targets[target].fit)
        return CORE_REASON_NONE;
    return verify_address(core, a, target);
}

/* The kernel refused it here: the fallback NIC may take it, while the evidence is as fresh as verify wants it. */
static bool claim_elsewhere(struct core *core, nsec_t now_ns, uint32_t address)
{
    const struct core_address *a = &core->addresses[address];
    const struct core_nic *n = &core->nics[a->nic];
    bool forced = n->reason == CORE_REASON_FORCED;
    uint16_t other = a->target[1];

    if (other == CORE_NO_TARGET || other == a->held_on || refusal_of(core, a, other, forced) != CORE_REASON_NONE)
        return false;
    /* No round asks while claims are under way: a slow kernel's refusal may find the source alive again. */
    if (!forced && now_ns - n->since_ns > core->sources[n->source].verify_spacing_ns)
        return false;
    address_claim(core, address, other);
    return true;
}

static void claims_settled(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    /* In HOLDING, what somebody took off us was put back. */
    if (n->n_claiming > 0 || (n->state != CORE_CLAIMING && n->state != CORE_HOLDING))
        return;
    if (n->n_held == n->n_addresses) {
        n->stands = false;
        nic_enter(core, now_ns, nic, CORE_HOLDING, n->reason);
        hold_review(core, now_ns, nic);
        return;
    }
    for (uint32_t i = 0; i < n->n_addresses; i++) {
        const struct core_address *a = &core->addresses[n->first_address + i];

        if (a->claim == CORE_CLAIM_FAILED)
            nic_blame(n, n->first_address + i, NULL, a->error);
    }
    if (n->n_held > 0)
        nic_enter(core, now_ns, nic, CORE_HOLDING, n->reason);
    else
        nic_enter(core, now_ns, nic, n->armed ? CORE_BLOCKED : nic_idle_state(n), CORE_REASON_CLAIM_FAILED);
    /* What was left behind is tried again only after fresh misses. */
    nic_restart(core, nic);
    hold_review(core, now_ns, nic);
}

/* Whether it was in use: whoever uses it is waiting. */
static bool was_in_use(const struct core_address *a)
{
    return a->seen || a->heard_ns != NSEC_UNSET;
}

/* Of the NIC's addresses those that were, or were not, in use. `found`: only those that their own rounds found lost. */
static void claim_those(struct core *core, uint32_t nic, bool in_use, bool forced, bool found)
{
    const struct core_nic *n = &core->nics[nic];

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        struct core_address *a = &core->addresses[i];
        uint16_t target = fit_target(core, a);
        enum core_reason refusal;

        if (a->claim == CORE_CLAIM_HELD || a->claim == CORE_CLAIM_CLAIMING || was_in_use(a) != in_use)
            continue;
        if (found && !verify_found_lost(a))
            continue;
        refusal = refusal_of(core, a, target, forced);
        if (refusal == CORE_REASON_NONE) {
            address_claim(core, i, target);
        } else if (!found) {
            address_set_claim(core, i, CORE_CLAIM_REFUSED);
            a->refusal = refusal;
            address_arm(core, i); /* its NIC is lost: it follows the others, though it was never seen */
        }
    }
}

/* The takeover begins: the source did not come for what had been released for it. */
static void end_awaiting(struct core_nic *n)
{
    n->false_returns += n->awaited && n->by_probe;
    n->awaited = false;
    n->hold_off_ns = NSEC_UNSET;
}

void claim_begin_in_parts(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    damping_count(core, now_ns, n);
    end_awaiting(n);
    claim_those(core, nic, true, false, true);
    claim_those(core, nic, false, false, true);
    n->in_parts = true;
}

void claim_begin(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];
    bool stands = n->moving;

    nic_blame(n, NO_ADDRESS, NULL, 0);
    end_awaiting(n);
    nic_enter(core, now_ns, nic, CORE_CLAIMING, reason);
    n->stands = stands;
    claim_those(core, nic, true, reason == CORE_REASON_FORCED, false);
    claim_those(core, nic, false, reason == CORE_REASON_FORCED, false);
    n->by_operator = n->approved = n->moving = n->for_service = n->fenced = false;
    gate_forget(n);
    nic_end_suspicion(core, nic);
    claims_settled(core, now_ns, nic);
}

void address_release(struct core *core, uint32_t address)
{
    address_set_claim(core, address, CORE_CLAIM_RELEASING);
    emit_for_address(core, CORE_RELEASE, address, core->addresses[address].held_on);
}

static void address_hold(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (n->n_held == 0)
        return_begin(core, now_ns, a->nic);
    /* Whoever decided it, the takeover stands: what comes off by no order is lost, and verified, anew. */
    n->armed = true;
    n->disarmed = false;
    address_arm(core, address);
    address_forget_misses(core, address);
    address_set_claim(core, address, CORE_CLAIM_HELD);
    a->held_since_ns = now_ns;
    /* Where it is not monitored, or was not probed by ARP or ND: a NIC has one MAC. */
    if (mac_address_is_unset(&a->mac))
        a->mac = n->mac;
    a->source_asked_ns = a->source_seen_ns = a->defended_ns = NSEC_UNSET;
}

/* Whether what was taken off for the first choice of target NIC can go there. */
static bool is_home_fit(const struct core *core, const struct core_nic *n)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (core->addresses[i].claim == CORE_CLAIM_FREE && !core->targets[core->addresses[i].target[0]].fit)
            return false;
    return true;
}

/* From the fallback NIC to the first choice: nobody else can have taken it in between. */
static void claim_home(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    nic_enter(core, now_ns, nic, CORE_CLAIMING, CORE_REASON_HOME);
    n->stands = true;
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (core->addresses[i].claim == CORE_CLAIM_FREE)
            address_claim(core, i, core->addresses[i].target[0]);
    claims_settled(core, now_ns, nic);
}

/*
 * All is off, or what is left cannot be taken off. After an order the source must be seen alive before a takeover. What
 * was released by itself is watched as before: the source may not have come, or the other target be gone.
 */
static void releases_settled(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    bool armed = n->reason == CORE_REASON_RETURNED || n->reason == CORE_REASON_RIVAL;

    if (n->n_releasing > 0 || n->n_claiming > 0 || n->state != CORE_RELEASING)
        return;
    if (n->homing && is_home_fit(core, n)) {
        claim_home(core, now_ns, nic);
        return;
    }
    if (n->moving || n->homing) {
        verify_begin_for_move(core, now_ns, nic);
        return;
    }
    n->armed = armed;
    n->disarmed = !armed;
    n->awaited = n->reason == CORE_REASON_RETURNED;
    n->hold_off_ns = n->awaited ? now_ns + CORE_RETURN_NS : NSEC_UNSET;
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        struct core_address *a = &core->addresses[i];

        if (a->claim == CORE_CLAIM_HELD)
            continue;
        address_set_claim(core, i, CORE_CLAIM_FREE);
        address_start_over(core, i, armed);
        a->refusal = CORE_REASON_NONE;
    }
    if (n->n_held > 0)
        nic_enter(core, now_ns, nic, nic_idle_state(n), CORE_REASON_RELEASE_FAILED);
    else
        nic_enter(core, now_ns, nic, armed ? CORE_BLOCKED : CORE_DISARMED, n->reason);
    nic_restart(core, nic);
}

void core_on_claimed(struct core *core, nsec_t now_ns, uint32_t address, int error)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (a->claim != CORE_CLAIM_CLAIMING)
        return;
    if (error < 0) {
        address_set_claim(core, address, CORE_CLAIM_FAILED);
        a->error = error;
        if (n->state == CORE_CLAIMING && claim_elsewhere(core, now_ns, address))
            return;
        a->held_on = CORE_NO_TARGET;
    } else {
        address_hold(core, now_ns, address);
        if (n->state == CORE_RELEASING)
            address_release(core, address); /* failback came while the kernel was still at work */
        else
            emit_for_address(core, CORE_ANNOUNCE, address, a->held_on);
    }
    claims_settled(core, now_ns, a->nic);
    releases_settled(core, now_ns, a->nic);
}

void core_on_adopted(struct core *core, nsec_t now_ns, uint32_t address, uint16_t target)
{
    struct core_address *a = &core->addresses[address];

    a->held_on = target;
    address_hold(core, now_ns, address); /* whatever was left of a failback that was cut short */
    nic_enter(core, now_ns, a->nic, CORE_HOLDING, CORE_REASON_ADOPTED);
    emit_for_address(core, CORE_ANNOUNCE, address, target);
}

void core_on_released(struct core *core, nsec_t now_ns, uint32_t address, int error)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (a->claim != CORE_CLAIM_RELEASING)
        return;
    /* Not there any more, or its NIC is gone: released is what it is. */
    if (error < 0 && error != -EADDRNOTAVAIL && error != -ENODEV) {
        if (n->n_held == 0)
            return_begin(core, now_ns, a->nic);
        address_set_claim(core, address, CORE_CLAIM_HELD);
        a->error = error;
        nic_blame(n, address, NULL, error);
    } else {
        address_leave(core, now_ns, address, n->reason == CORE_REASON_OPERATOR || n->reason == CORE_REASON_RETURNED);
        a->error = 0;
        /* A source that only probed for it must hear nobody speak for it: RFC 5227 section 2.1.1. */
        if (return_is_proved(core, a))
            address_give_back(core, now_ns, address);
    }
    releases_settled(core, now_ns, a->nic);
}

void address_leave(struct core *core, nsec_t now_ns, uint32_t address, bool tell)
{
    struct core_address *a = &core->addresses[address];

    address_set_claim(core, address, CORE_CLAIM_FREE);
    a->given_on = a->held_on;
    a->held_on = CORE_NO_TARGET;
    a->give_backs = tell ? GIVE_BACKS : 0;
    a->given_back_ns = now_ns;
    a->give_back_ns = NSEC_UNSET;
}

void address_give_back(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    if (a->give_backs == 0 || (a->give_back_ns != NSEC_UNSET && now_ns - a->give_back_ns < GIVE_BACK_AGAIN_NS))
        return;
    if (now_ns - a->given_back_ns > GIVE_BACK_WITHIN_NS || !core->sources[core->nics[a->nic].source].announce_source ||
        mac_address_is_unset(&a->mac)) {
        a->give_backs = 0;
        return;
    }
    a->give_backs--;
    a->give_back_ns = now_ns;
    emit(core,
         &(struct core_action){
             .type = CORE_ANNOUNCE_SOURCE, .nic = a->nic, .address = address, .target = a->given_on, .mac = a->mac});
}

int core_failback(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    if (n->state == CORE_RELEASING && !n->moving && !n->homing && n->reason == CORE_REASON_OPERATOR)
        return -EINPROGRESS;
    if (n->n_held == 0 && n->n_claiming == 0 && n->n_releasing == 0 && !n->stands)
        return -EALREADY;
    if (n->leaving && n->leaves_for == CORE_REASON_OPERATOR && core->sources[n->source].leaves_first)
        return -EINPROGRESS;
    gate_leave(core, now_ns, nic, CORE_REASON_OPERATOR);
    return 0;
}

void nic_release(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];

    n->by_operator = n->approved = n->moving = n->homing = n->stands = n->leaving = n->fenced = false;
    gate_forget(n);
    nic_end_suspicion(core, nic);
    nic_enter(core, now_ns, nic, CORE_RELEASING, reason);
    /* In reverse order, so that what came on first goes off last. */
    for (uint32_t i = n->n_addresses; i-- > 0;)
        if (core->addresses[n->first_address + i].claim == CORE_CLAIM_HELD)
            address_release(core, n->first_address + i);
    releases_settled(core, now_ns, nic);
}
