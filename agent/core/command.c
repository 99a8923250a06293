/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator says. */
#include <errno.h>

#include "agent/core/internal.h"

/* An address of the NIC that answers now, NO_ADDRESS when none. */
static uint32_t live_address(const struct core *core, const struct core_nic *n)
{
    for (uint32_t i = 0; i < n->n_addresses; i++)
        if (core->addresses[n->first_address + i].life == CORE_LIFE_UP &&
            core->addresses[n->first_address + i].claim != CORE_CLAIM_HELD)
            return n->first_address + i;
    return NO_ADDRESS;
}

/* Whether there is a way for an address that we do not hold yet. */
static bool any_claimable(const struct core *core, const struct core_nic *n)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (core->addresses[i].claim != CORE_CLAIM_HELD && fit_target(core, &core->addresses[i]) != CORE_NO_TARGET)
            return true;
    return false;
}

int core_failover(struct core *core, nsec_t now_ns, uint32_t nic, bool force, struct core_refusal *ret_refusal)
{
    struct core_nic *n = &core->nics[nic];
    uint32_t live = live_address(core, n);

    switch (n->state) {
    case CORE_CLAIMING:
    case CORE_RELEASING:
        return -EINPROGRESS;
    case CORE_HOLDING:
        if (n->n_held == n->n_addresses)
            return -EALREADY;
        break;
    case CORE_UP:
    case CORE_UNSEEN:
    case CORE_LATE:
    case CORE_VERIFYING:
    case CORE_PREPARING:
    case CORE_BLOCKED:
    case CORE_AWAITING:
    case CORE_LOST:
    case CORE_DISARMED:
    case CORE_STATES:
        break;
    }
    if (force) {
        if (!any_claimable(core, n)) {
            *ret_refusal = (struct core_refusal){.reason = CORE_REASON_NO_CARRIER, .address = NO_ADDRESS};
            return -ENETDOWN;
        }
        claim_begin(core, now_ns, nic, CORE_REASON_FORCED);
        return 0;
    }
    if (live != NO_ADDRESS) {
        *ret_refusal =
            (struct core_refusal){.reason = CORE_REASON_IN_USE, .address = live, .mac = core->addresses[live].mac};
        return -EBUSY;
    }
    verify_begin_for_operator(core, now_ns, nic, false);
    return 0;
}

int core_approve(struct core *core, nsec_t now_ns, uint32_t nic)
{
    if (core->nics[nic].state != CORE_AWAITING)
        return -EINVAL;
    /* Much may have changed while the question stood: all evidence is gathered anew. */
    verify_begin_for_operator(core, now_ns, nic, true);
    return 0;
}

int core_deny(struct core *core, nsec_t now_ns, uint32_t nic)
{
    if (core->nics[nic].state != CORE_AWAITING)
        return -EINVAL;
    nic_enter(core, now_ns, nic, CORE_LOST, CORE_REASON_DENIED);
    return 0;
}

void core_pause(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];

    s->paused = true;
    core->lasting_changed = true;
    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++) {
        struct core_nic *n = &core->nics[i];

        /* A takeover that has begun goes on. */
        if ((n->state == CORE_VERIFYING || n->state == CORE_PREPARING) && !n->by_operator && !n->moving && !n->in_parts)
            nic_enter(core, now_ns, i, nic_idle_state(n), CORE_REASON_NONE);
        n->approval_until_ns = NSEC_NEVER;
        nic_set_timer(core, i);
    }
    service_pause(core, now_ns, source);
}

void core_resume(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];

    s->paused = false;
    core->lasting_changed = true;
    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++) {
        struct core_nic *n = &core->nics[i];

        if (n->state == CORE_VERIFYING || n->state == CORE_PREPARING)
            continue;
        nic_restart(core, i);
        if (n->state == CORE_LATE)
            nic_enter(core, now_ns, i, nic_idle_state(n), CORE_REASON_NONE);
        if (n->state == CORE_AWAITING)
            n->approval_until_ns = approval_until(core, now_ns, n);
        nic_set_timer(core, i);
    }
}

void core_move(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    /* A person's order, and what is under way, come first. */
    if (n->disarmed || n->by_operator || (n->state == CORE_RELEASING && !n->moving && !n->homing))
        return;
    if (n->state == CORE_CLAIMING || n->state == CORE_RELEASING)
        n->stands = true;
    else
        verify_begin_for_move(core, now_ns, nic);
}
