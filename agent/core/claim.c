/* SPDX-License-Identifier: Apache-2.0 */
/* Claim, hold, release: what is put on and taken off, address by address. */
#include <errno.h>

#include "agent/core/internal.h"

void address_claim(struct core *core, uint32_t address, uint16_t target)
{
    struct core_address *a = &core->addresses[address];

    address_set_claim(core, address, CORE_CLAIM_CLAIMING);
    a->held_on = target;
    a->error = 0;
    a->refusal = CORE_REASON_NONE;
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
        nic_enter(core, now_ns, nic, CORE_HOLDING, n->reason);
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
}

void claim_begin(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];

    nic_blame(n, NO_ADDRESS, NULL, 0);
    nic_enter(core, now_ns, nic, CORE_CLAIMING, reason);
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        struct core_address *a = &core->addresses[i];
        uint16_t target = fit_target(core, a);
        enum core_reason refusal = refusal_of(core, a, target, reason == CORE_REASON_FORCED);

        if (a->claim == CORE_CLAIM_HELD)
            continue;
        if (refusal == CORE_REASON_NONE) {
            address_claim(core, i, target);
        } else {
            address_set_claim(core, i, CORE_CLAIM_REFUSED);
            a->refusal = refusal;
        }
    }
    n->by_operator = n->approved = n->moving = false;
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

    address_forget_misses(core, address);
    address_set_claim(core, address, CORE_CLAIM_HELD);
    a->held_since_ns = now_ns;
    a->source_seen_ns = NSEC_UNSET;
}

/* All is off, or what is left cannot be taken off. Either way the source must be seen alive before a takeover. */
static void releases_settled(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    if (n->n_releasing > 0 || n->n_claiming > 0 || n->state != CORE_RELEASING)
        return;
    if (n->moving) {
        verify_begin_for_move(core, now_ns, nic);
        return;
    }
    n->armed = false;
    n->disarmed = true;
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        struct core_address *a = &core->addresses[i];

        if (a->claim == CORE_CLAIM_HELD)
            continue;
        address_set_claim(core, i, CORE_CLAIM_FREE);
        address_disarm(core, i);
        a->refusal = CORE_REASON_NONE;
    }
    nic_enter(core, now_ns, nic, nic_idle_state(n), n->n_held > 0 ? CORE_REASON_RELEASE_FAILED : CORE_REASON_OPERATOR);
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
    struct core_nic *n = &core->nics[a->nic];

    a->held_on = target;
    n->armed = true;
    address_hold(core, now_ns, address);
    nic_enter(core, now_ns, a->nic, CORE_HOLDING, CORE_REASON_ADOPTED);
    emit_for_address(core, CORE_ANNOUNCE, address, target);
}

void core_on_released(struct core *core, nsec_t now_ns, uint32_t address, int error)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];
    uint16_t target = a->held_on;

    if (a->claim != CORE_CLAIM_RELEASING)
        return;
    /* Not there any more, or its NIC is gone: released is what it is. */
    if (error < 0 && error != -EADDRNOTAVAIL && error != -ENODEV) {
        address_set_claim(core, address, CORE_CLAIM_HELD);
        a->error = error;
        nic_blame(n, address, NULL, error);
    } else {
        address_set_claim(core, address, CORE_CLAIM_FREE);
        a->held_on = CORE_NO_TARGET;
        a->error = 0;
        if (a->source_seen_ns != NSEC_UNSET && core->sources[n->source].announce_source &&
            !mac_address_is_unset(&a->mac))
            emit(core,
                 &(struct core_action){
                     .type = CORE_ANNOUNCE_SOURCE, .nic = a->nic, .address = address, .target = target, .mac = a->mac});
    }
    releases_settled(core, now_ns, a->nic);
}

int core_failback(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    if (n->state == CORE_RELEASING && !n->moving)
        return -EINPROGRESS;
    if (n->n_held == 0 && n->n_claiming == 0 && n->n_releasing == 0)
        return -EALREADY;
    n->moving = false;
    nic_blame(n, NO_ADDRESS, NULL, 0);
    n->by_operator = n->approved = false;
    nic_end_suspicion(core, nic);
    nic_enter(core, now_ns, nic, CORE_RELEASING, CORE_REASON_OPERATOR);
    /* In reverse order, so that what came on first goes off last. */
    for (uint32_t i = n->n_addresses; i-- > 0;)
        if (core->addresses[n->first_address + i].claim == CORE_CLAIM_HELD)
            address_release(core, n->first_address + i);
    return 0;
}
