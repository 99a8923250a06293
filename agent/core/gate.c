/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates: hooks and a fence that must succeed before a claim, hooks and units that must have ended before a release. The
 * caller runs them and says how they ended. That may take long: after the first, all evidence is gathered anew, and an
 * answer of the source ends the wait. While the second run, all is held as before; a source that is just probing for
 * its address (RFC 5227) does not wait for them.
 */
#include "agent/core/internal.h"

bool gate_is_shut(const struct core *core, const struct core_nic *n)
{
    return core->sources[n->source].gated && !n->prepared && !n->fenced && n->n_held == 0;
}

static void emit_of_source(struct core *core, enum core_action_type type, uint32_t nic)
{
    emit(core, &(struct core_action){.type = type,
                                     .source = core->nics[nic].source,
                                     .nic = nic,
                                     .address = NO_ADDRESS,
                                     .target = CORE_NO_TARGET});
}

void gate_prepare(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    bool asked = n->preparing;

    n->preparing = true;
    nic_end_suspicion(core, nic);
    nic_enter(core, now_ns, nic, CORE_PREPARING, n->by_operator ? CORE_REASON_OPERATOR : CORE_REASON_NONE);
    if (!asked)
        emit_of_source(core, CORE_PREPARE, nic);
}

void gate_on_answer(struct core_nic *n)
{
    if (nic_is_lost(n))
        return;
    n->prepared = false;
    /* A person's order stands: verify says afterwards who answers. */
    n->preparing = n->preparing && n->state == CORE_PREPARING && n->by_operator;
}

void gate_forget(struct core_nic *n)
{
    n->preparing = n->prepared = false;
}

static void refuse(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];

    n->hold_off_ns = now_ns + CORE_GATE_AGAIN_NS;
    n->by_operator = n->approved = false;
    nic_blame(n, NO_ADDRESS, NULL, 0);
    nic_enter(core, now_ns, nic, n->armed ? CORE_BLOCKED : nic_idle_state(n), reason);
    nic_restart(core, nic);
}

void core_on_prepared(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];

    if (!n->preparing)
        return;
    n->preparing = false;
    n->prepared = reason == CORE_REASON_NONE;
    if (n->state != CORE_PREPARING)
        return;
    if (!n->prepared)
        refuse(core, now_ns, nic, reason);
    else if (n->by_operator || nic_is_lost(n))
        verify_begin_anew(core, now_ns, nic);
    else /* this host stood still meanwhile: fresh misses are wanted */
        nic_enter(core, now_ns, nic, nic_idle_state(n), CORE_REASON_NONE);
}

void gate_leave(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];
    bool asked = n->leaving;

    if (!core->sources[n->source].leaves_first || n->state != CORE_HOLDING || n->n_held == 0) {
        nic_blame(n, NO_ADDRESS, NULL, 0);
        nic_release(core, now_ns, nic, reason);
        return;
    }
    n->leaving = true;
    n->leaves_for = reason;
    if (!asked)
        emit_of_source(core, CORE_LEAVE, nic);
}

void core_on_left(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];

    if (!n->leaving)
        return;
    n->leaving = false;
    nic_blame(n, NO_ADDRESS, NULL, 0);
    if (reason == CORE_REASON_NONE) {
        nic_release(core, now_ns, nic, n->leaves_for);
        return;
    }
    n->leave_again_ns = now_ns + CORE_LEAVE_AGAIN_NS;
    if (n->state == CORE_HOLDING)
        nic_enter(core, now_ns, nic, CORE_HOLDING, reason);
}
