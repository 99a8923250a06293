/* SPDX-License-Identifier: Apache-2.0 */
/* While we stand in: addresses that somebody takes off us, and target NICs that lose their carrier. */
#include "agent/core/internal.h"

/* Back on the first choice of target NIC once it has had carrier for so long. */
#define HOME_NS (10 * NSEC_PER_SEC)

/* Whether somebody insists: the address was put back often enough. */
static bool insists(struct core_address *a, nsec_t now_ns)
{
    if (now_ns - a->deletions_since_ns >= CORE_PUT_BACK_NS) {
        a->deletions = 0;
        a->deletions_since_ns = now_ns;
    }
    return ++a->deletions > CORE_PUT_BACK_MAX;
}

/* Nobody has told the LAN that the address is not here any more; where the source answers again, that is done, but not
 * at once: of a lease that ran out the kernel may be a moment behind. */
static void leave_untold(struct core *core, nsec_t now_ns, uint32_t address)
{
    address_leave(core, now_ns, address, true);
    core->addresses[address].give_back_ns = now_ns;
}

/*
 * At once where the source is known to be silent; else, as after a stall, only when verify finds nobody either. One
 * that is back may be silent about this address alone: the NIC that answered for it before may not be there.
 */
static void put_back(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (n->back_since_ns == NSEC_UNSET && return_is_watched(core, now_ns, n)) {
        address_claim(core, address, a->held_on);
        return;
    }
    leave_untold(core, now_ns, address);
    if (n->state == CORE_HOLDING || (n->state == CORE_VERIFYING && !n->by_operator))
        n->moving = true;
    if (n->state == CORE_HOLDING || n->state == CORE_VERIFYING)
        verify_begin_anew(core, now_ns, a->nic);
}

void core_on_gone(struct core *core, nsec_t now_ns, uint32_t address, bool lapsed)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];
    const struct mac_address *user = return_user(core, now_ns, address);

    if (a->claim != CORE_CLAIM_HELD)
        return;
    /* It was to be given back, and could not be taken off: whoever did so, nobody wants it here again. */
    if (n->disarmed) {
        core_on_gone_with_nic(core, now_ns, address);
        return;
    }
    if (!lapsed && !user && !insists(a, now_ns)) {
        put_back(core, now_ns, address);
        return;
    }
    /* Two programs that undo each other help nobody: what is left is lost anew, and not at once. Nor is an address put
     * back over the head of a source that was seen to have it again, or of whoever else answers for it. */
    leave_untold(core, now_ns, address);
    if (!lapsed)
        n->hold_off_ns = now_ns + CORE_PUT_BACK_NS;
    if (n->state == CORE_VERIFYING && (n->by_operator || n->moving)) {
        verify_begin_anew(core, now_ns, a->nic); /* what verify has found does not cover this address */
        return;
    }
    if (n->state != CORE_HOLDING && n->state != CORE_VERIFYING)
        return;
    nic_blame(n, address, user, 0);
    nic_enter(core, now_ns, a->nic, nic_is_ours(n) ? CORE_HOLDING : CORE_BLOCKED,
              user     ? CORE_REASON_IN_USE
              : lapsed ? CORE_REASON_LAPSED
                       : CORE_REASON_DELETED);
    nic_restart(core, a->nic);
}

static bool is_stranded(const struct core *core, const struct core_address *a)
{
    return a->claim == CORE_CLAIM_HELD && !core->targets[a->held_on].fit;
}

/* Takes off what is held on targets without carrier, where another one could have it. How many. `again`: also where the
 * kernel refused that before. */
static uint32_t leave_targets(struct core *core, const struct core_nic *n, bool again)
{
    uint32_t left = 0;

    for (uint32_t i = n->first_address + n->n_addresses; i-- > n->first_address;) {
        const struct core_address *a = &core->addresses[i];

        if (!is_stranded(core, a) || fit_target(core, a) == CORE_NO_TARGET || (a->error && !again))
            continue;
        address_release(core, i);
        left++;
    }
    return left;
}

static bool holds_stranded(const struct core *core, const struct core_nic *n)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (is_stranded(core, &core->addresses[i]))
            return true;
    return false;
}

/* Whether the address is held on its fallback NIC, with the first choice in order. */
static bool is_away(const struct core *core, const struct core_address *a)
{
    return a->claim == CORE_CLAIM_HELD && a->held_on != a->target[0] && core->targets[a->target[0]].fit;
}

/* Carrier alone does not tell that there is a LAN behind it. */
static bool is_home_proved(const struct core_target *home)
{
    switch (home->witness) {
    case CORE_WITNESS_EXPECTED:
        return home->witness_asked_ns != NSEC_UNSET;
    case CORE_WITNESS_NONE:
        return true;
    case CORE_WITNESS_MISSING:
        break;
    }
    return false;
}

/* Plans the way back, a while from now, where anything is away; `changed` is the target whose carrier did. */
static void plan_home(struct core *core, nsec_t now_ns, uint32_t nic, uint16_t changed)
{
    struct core_nic *n = &core->nics[nic];
    bool away = false, anew = false;

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (is_away(core, &core->addresses[i])) {
            away = true;
            anew = anew || core->addresses[i].target[0] == changed;
        }
    if (!away)
        n->home_ns = NSEC_NEVER;
    else if (anew || n->home_ns == NSEC_NEVER)
        n->home_ns = now_ns + HOME_NS;
    nic_set_timer(core, nic);
}

void hold_on_time(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    bool away = false;

    if (n->home_ns > now_ns)
        return;
    for (uint32_t i = n->first_address + n->n_addresses; n->state == CORE_HOLDING && i-- > n->first_address;) {
        const struct core_address *a = &core->addresses[i];
        const struct core_target *home = &core->targets[a->target[0]];

        if (!is_away(core, a))
            continue;
        away = true;
        /* The source, or somebody else, has it, or may have: nothing is claimed over its head. */
        if (n->back_since_ns != NSEC_UNSET || return_user(core, now_ns, i) || return_is_hinted(core, now_ns, n) ||
            !return_is_watched(core, now_ns, n))
            break;
        if (is_home_proved(home)) {
            n->homing = true;
            address_release(core, i);
        } else if (home->witness == CORE_WITNESS_EXPECTED && home->witness_sought_ns != now_ns) {
            core->targets[a->target[0]].witness_sought_ns = now_ns;
            emit_for_address(core, CORE_ASK_WITNESSES, i, a->target[0]);
        }
    }
    n->home_ns = away || n->state != CORE_HOLDING ? now_ns + HOME_NS : NSEC_NEVER;
    if (n->homing)
        nic_enter(core, now_ns, nic, CORE_RELEASING, CORE_REASON_HOME);
}

static bool is_way_back(const struct core *core, const struct core_nic *n)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (core->addresses[i].claim != CORE_CLAIM_HELD && fit_target(core, &core->addresses[i]) != CORE_NO_TARGET)
            return true;
    return false;
}

/* A takeover that was cut short: is there a way again? Otherwise it waits, and false. */
static bool go_on(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    if (n->state == CORE_CLAIMING || n->state == CORE_RELEASING)
        return true;
    if (n->by_operator) {
        n->stands = false;
        verify_begin_for_operator(core, now_ns, nic, n->approved);
        return true;
    }
    if (is_way_back(core, n)) {
        verify_begin_for_move(core, now_ns, nic);
        return true;
    }
    nic_restart(core, nic);
    nic_blame(n, NO_ADDRESS, NULL, 0);
    nic_enter(core, now_ns, nic, nic_is_ours(n) ? CORE_HOLDING : CORE_BLOCKED, CORE_REASON_NO_CARRIER);
    return false;
}

void core_on_gone_with_nic(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (a->claim != CORE_CLAIM_HELD)
        return;
    address_leave(core, now_ns, address, false);
    if (n->disarmed && n->n_held == 0) {
        /* What could not be given back is gone now. */
        nic_enter(core, now_ns, a->nic, CORE_DISARMED, n->reason);
        return;
    }
    n->stands = !n->disarmed;
    if (n->stands)
        go_on(core, now_ns, a->nic);
}

/* What is held without carrier goes where there is some, or it is said that it cannot be reached. */
static void leave_stranded(struct core *core, nsec_t now_ns, uint32_t nic, bool again)
{
    struct core_nic *n = &core->nics[nic];

    if (n->state != CORE_HOLDING)
        return;
    if (!holds_stranded(core, n)) {
        if (n->reason == CORE_REASON_NO_CARRIER)
            nic_enter(core, now_ns, nic, CORE_HOLDING, CORE_REASON_LOST);
        return;
    }
    nic_blame(n, NO_ADDRESS, NULL, 0);
    n->moving = true;
    if (leave_targets(core, n, again) > 0) {
        nic_enter(core, now_ns, nic, CORE_RELEASING, CORE_REASON_NO_CARRIER);
        return;
    }
    n->moving = false;
    nic_enter(core, now_ns, nic, CORE_HOLDING, CORE_REASON_NO_CARRIER);
}

void hold_on_link(struct core *core, nsec_t now_ns, uint32_t nic, uint16_t target)
{
    struct core_nic *n = &core->nics[nic];

    if (n->stands && go_on(core, now_ns, nic))
        return;
    if (n->n_held == 0)
        return;
    plan_home(core, now_ns, nic, target);
    leave_stranded(core, now_ns, nic, true);
}

void hold_review(struct core *core, nsec_t now_ns, uint32_t nic)
{
    leave_stranded(core, now_ns, nic, false);
}
