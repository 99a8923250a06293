/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services of a source: a state beside those of its NICs, because a host may answer and serve nothing.
 *
 *             all pass            one fails, policy automatic          prepared
 *   UNKNOWN ------------> PASSING ------------------------> PREPARING ----------> FENCED: claimed once lost;
 *                          ^ | |                              ^    |            with `force` at once
 *                          | | | manual              approve  |    | refused
 *                          | | +-------> AWAITING ------------+    v
 *                          | | notify, or nothing may be done: FAILED
 *                          +-+-------------------------------------+
 *
 * An address is not claimed from a host that answers: it is fenced first, and what follows is a lost host like any
 * other, but for the policy; or the file says `force`. A source without addresses has a name that can move while the
 * host lives:
 *
 *   PREPARING -> CLAIMING -> HOLDING -> RELEASING -> DISARMED (by an operator) or PASSING -> ...
 *
 * While one of its addresses is held, no check runs: whatever answered would be this host.
 */
#include <assert.h>
#include <errno.h>

#include "agent/core/internal.h"

/* The name of a source without addresses stands here, or is on its way. */
static bool is_name_ours(enum core_service state)
{
    return state == CORE_SERVICE_CLAIMING || state == CORE_SERVICE_HOLDING || state == CORE_SERVICE_RELEASING;
}

/* What the agent that follows has to know. */
static bool outlasts(enum core_service state)
{
    return is_name_ours(state) || state == CORE_SERVICE_DISARMED;
}

static void emit_for_source(struct core *core, enum core_action_type type, uint32_t source, enum core_service was)
{
    emit(core, &(struct core_action){.type = type,
                                     .source = source,
                                     .nic = NO_NIC,
                                     .address = NO_ADDRESS,
                                     .target = CORE_NO_TARGET,
                                     .service_was = was});
}

/* Moves the services of a source to `state`; entering the same state for the same reason is no event. */
static void service_enter(struct core *core, nsec_t now_ns, uint32_t source, enum core_service state,
                          enum core_reason reason)
{
    struct core_source *s = &core->sources[source];
    enum core_service was = s->service;

    if (was == state && s->service_reason == reason)
        return;
    if (was != state)
        s->service_since_ns = now_ns;
    s->service = state;
    s->service_reason = reason;
    core->lasting_changed = core->lasting_changed || outlasts(was) || outlasts(state);
    emit_for_source(core, CORE_SERVICE_CHANGED, source, was);
}

static void fence_is(struct core *core, uint32_t source, bool done)
{
    const struct core_source *s = &core->sources[source];

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        core->nics[i].fenced = done;
}

static void fail(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason)
{
    core->sources[source].service_again_ns = now_ns + CORE_SERVICE_AGAIN_NS;
    service_enter(core, now_ns, source, CORE_SERVICE_FAILED, reason);
}

/* Every NIC that is not ours already, although the host may answer. */
static void claim_from_living(struct core *core, nsec_t now_ns, uint32_t source)
{
    const struct core_source *s = &core->sources[source];

    fail(core, now_ns, source, CORE_REASON_SERVICE);
    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        if (core->nics[i].n_held == 0 && core->nics[i].state != CORE_CLAIMING && core->nics[i].state != CORE_RELEASING)
            verify_begin_for_service(core, now_ns, i);
}

/* All that had to succeed before did. */
static void act(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];

    if (s->n_nics == 0) {
        service_enter(core, now_ns, source, CORE_SERVICE_CLAIMING, s->service_reason);
        emit_for_source(core, CORE_CLAIM_NAME, source, s->service);
    } else if (s->has_fence) {
        fence_is(core, source, true);
        service_enter(core, now_ns, source, CORE_SERVICE_FENCED, s->service_reason);
    } else {
        claim_from_living(core, now_ns, source);
    }
}

static void begin(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason)
{
    struct core_source *s = &core->sources[source];

    if (s->n_nics > 0 && !s->has_fence && !s->service_force) {
        fail(core, now_ns, source, CORE_REASON_NO_FENCE);
        return;
    }
    service_enter(core, now_ns, source, CORE_SERVICE_PREPARING, reason);
    if (!s->gated) {
        act(core, now_ns, source);
        return;
    }
    if (s->service_preparing)
        return;
    s->service_preparing = true;
    emit_for_source(core, CORE_PREPARE, source, s->service);
}

/* A check is failed, and nothing is under way because of it. */
static void decide(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];
    bool held = false;

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        held = held || core->nics[i].n_held > 0 || core->nics[i].n_claiming > 0 || core->nics[i].n_releasing > 0;
    /* Of a host that is lost its services are, too: that is decided elsewhere. */
    if (s->paused || held || (s->n_nics > 0 && core_source_is_lost(core, source))) {
        service_enter(core, now_ns, source, CORE_SERVICE_FAILED, CORE_REASON_NONE);
        return;
    }
    if (!s->service_seen && !s->claim_unseen) {
        service_enter(core, now_ns, source, CORE_SERVICE_FAILED, CORE_REASON_SERVICE_UNSEEN);
        return;
    }
    if (s->service == CORE_SERVICE_FAILED && (s->service_reason == CORE_REASON_DENIED || now_ns < s->service_again_ns))
        return;
    switch (s->on_service) {
    case CORE_POLICY_AUTOMATIC:
        if (damping_is_full(s, now_ns))
            service_enter(core, now_ns, source, CORE_SERVICE_AWAITING, CORE_REASON_DAMPED);
        else
            begin(core, now_ns, source, CORE_REASON_SERVICE);
        break;
    case CORE_POLICY_MANUAL:
        service_enter(core, now_ns, source, CORE_SERVICE_AWAITING, CORE_REASON_POLICY_MANUAL);
        break;
    case CORE_POLICY_NOTIFY:
        service_enter(core, now_ns, source, CORE_SERVICE_FAILED, CORE_REASON_POLICY_NOTIFY);
        break;
    }
}

static void on_failed(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];

    s->service_ok_ns = NSEC_UNSET;
    switch (s->service) {
    case CORE_SERVICE_UNKNOWN:
    case CORE_SERVICE_PASSING:
    case CORE_SERVICE_FAILED:
        decide(core, now_ns, source);
        break;
    case CORE_SERVICE_FENCED:
        /* Whatever the fence says that it has done, the host goes on. */
        if (now_ns - s->service_since_ns < CORE_FENCED_NS || core_source_is_lost(core, source))
            break;
        fence_is(core, source, false);
        fail(core, now_ns, source, CORE_REASON_NOT_FENCED);
        break;
    case CORE_SERVICE_AWAITING:
    case CORE_SERVICE_PREPARING:
    case CORE_SERVICE_CLAIMING:
    case CORE_SERVICE_HOLDING:
    case CORE_SERVICE_RELEASING:
    case CORE_SERVICE_DISARMED:
    case CORE_SERVICES:
        break;
    }
}

static void release_name(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason)
{
    service_enter(core, now_ns, source, CORE_SERVICE_RELEASING, reason);
    emit_for_source(core, CORE_RELEASE_NAME, source, CORE_SERVICE_RELEASING);
}

/* Gives the name back for `reason`, at once or after what must come before. */
static void leave_name(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason)
{
    struct core_source *s = &core->sources[source];
    bool asked = s->service_leaving;

    if (!s->leaves_first) {
        release_name(core, now_ns, source, reason);
        return;
    }
    s->service_leaving = true;
    s->service_leaves_for = reason;
    if (!asked)
        emit_for_source(core, CORE_LEAVE, source, s->service);
}

static void on_passing(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];

    s->service_seen = true;
    if (s->service_ok_ns == NSEC_UNSET)
        s->service_ok_ns = now_ns;
    switch (s->service) {
    case CORE_SERVICE_UNKNOWN:
    case CORE_SERVICE_FAILED:
    case CORE_SERVICE_AWAITING:
    case CORE_SERVICE_PREPARING:
    case CORE_SERVICE_FENCED:
    case CORE_SERVICE_DISARMED:
        s->service_preparing = false;
        s->service_again_ns = NSEC_UNSET;
        fence_is(core, source, false);
        service_enter(core, now_ns, source, CORE_SERVICE_PASSING, CORE_REASON_NONE);
        break;
    case CORE_SERVICE_HOLDING:
        if (s->failback_automatic && !s->paused && now_ns - s->service_ok_ns >= s->hold_down_ns &&
            now_ns >= s->service_again_ns && !s->service_leaving)
            leave_name(core, now_ns, source, CORE_REASON_RETURNED);
        break;
    case CORE_SERVICE_PASSING:
    case CORE_SERVICE_CLAIMING:
    case CORE_SERVICE_RELEASING:
    case CORE_SERVICES:
        break;
    }
}

void core_on_service(struct core *core, nsec_t now_ns, uint32_t source, bool failed)
{
    if (failed)
        on_failed(core, now_ns, source);
    else
        on_passing(core, now_ns, source);
}

void core_on_service_prepared(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason)
{
    struct core_source *s = &core->sources[source];

    if (!s->service_preparing)
        return;
    s->service_preparing = false;
    if (s->service != CORE_SERVICE_PREPARING)
        return;
    if (reason == CORE_REASON_NONE)
        act(core, now_ns, source);
    else
        fail(core, now_ns, source, reason);
}

void core_on_service_left(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason)
{
    struct core_source *s = &core->sources[source];

    if (!s->service_leaving)
        return;
    s->service_leaving = false;
    if (s->service != CORE_SERVICE_HOLDING)
        return;
    if (reason == CORE_REASON_NONE) {
        release_name(core, now_ns, source, s->service_leaves_for);
        return;
    }
    s->service_again_ns = now_ns + CORE_LEAVE_AGAIN_NS;
    service_enter(core, now_ns, source, CORE_SERVICE_HOLDING, reason);
}

void core_on_name_claimed(struct core *core, nsec_t now_ns, uint32_t source, int error)
{
    struct core_source *s = &core->sources[source];

    if (s->service != CORE_SERVICE_CLAIMING)
        return;
    if (error < 0) {
        fail(core, now_ns, source, CORE_REASON_NAME_FAILED);
        return;
    }
    if (s->service_reason != CORE_REASON_OPERATOR)
        damping_note(core, now_ns, source);
    service_enter(core, now_ns, source, CORE_SERVICE_HOLDING, s->service_reason);
}

void core_on_name_released(struct core *core, nsec_t now_ns, uint32_t source, int error)
{
    struct core_source *s = &core->sources[source];

    if (s->service != CORE_SERVICE_RELEASING)
        return;
    if (error < 0) {
        s->service_again_ns = now_ns + CORE_SERVICE_AGAIN_NS;
        service_enter(core, now_ns, source, CORE_SERVICE_HOLDING, CORE_REASON_NAME_FAILED);
        return;
    }
    s->service_seen = s->service_reason == CORE_REASON_RETURNED;
    service_enter(core, now_ns, source, s->service_seen ? CORE_SERVICE_PASSING : CORE_SERVICE_DISARMED,
                  s->service_reason);
}

int core_failover_service(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];

    if (s->n_nics > 0)
        return -EINVAL;
    if (s->service == CORE_SERVICE_HOLDING)
        return -EALREADY;
    if (s->service == CORE_SERVICE_PREPARING || is_name_ours(s->service))
        return -EINPROGRESS;
    begin(core, now_ns, source, CORE_REASON_OPERATOR);
    return 0;
}

int core_failback_service(struct core *core, nsec_t now_ns, uint32_t source)
{
    struct core_source *s = &core->sources[source];

    if (s->service == CORE_SERVICE_RELEASING || (s->service_leaving && s->leaves_first))
        return -EINPROGRESS;
    if (s->service != CORE_SERVICE_HOLDING)
        return -EALREADY;
    leave_name(core, now_ns, source, CORE_REASON_OPERATOR);
    return 0;
}

int core_approve_service(struct core *core, nsec_t now_ns, uint32_t source)
{
    if (core->sources[source].service != CORE_SERVICE_AWAITING)
        return -EINVAL;
    begin(core, now_ns, source, CORE_REASON_OPERATOR);
    return 0;
}

int core_deny_service(struct core *core, nsec_t now_ns, uint32_t source)
{
    if (core->sources[source].service != CORE_SERVICE_AWAITING)
        return -EINVAL;
    service_enter(core, now_ns, source, CORE_SERVICE_FAILED, CORE_REASON_DENIED);
    return 0;
}

void service_pause(struct core *core, nsec_t now_ns, uint32_t source)
{
    if (core->sources[source].service == CORE_SERVICE_PREPARING)
        service_enter(core, now_ns, source, CORE_SERVICE_FAILED, CORE_REASON_NONE);
}

void core_carry_service(struct core *to, uint32_t to_source, const struct core *from, uint32_t from_source)
{
    struct core_source *s = &to->sources[to_source];
    const struct core_source *old = &from->sources[from_source];

    s->paused = old->paused;
    damping_carry(s, old);
    s->service = old->service;
    s->service_reason = old->service_reason;
    s->service_seen = old->service_seen;
    s->service_preparing = old->service_preparing;
    s->service_leaving = old->service_leaving;
    s->service_leaves_for = old->service_leaves_for;
    s->service_since_ns = old->service_since_ns;
    s->service_ok_ns = old->service_ok_ns;
    s->service_again_ns = old->service_again_ns;
    /* What the old file asked or left to a person is decided anew where the new one says otherwise. */
    if (s->on_service != old->on_service &&
        (s->service == CORE_SERVICE_AWAITING || s->service == CORE_SERVICE_FAILED)) {
        s->service = CORE_SERVICE_FAILED;
        s->service_reason = CORE_REASON_NONE;
        s->service_again_ns = NSEC_UNSET;
    }
}

void core_restore_services(struct core *core, nsec_t now_ns, uint32_t source,
                           const struct core_restored_services *restored)
{
    const struct core_source *s = &core->sources[source];

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        if (restored->forced && core->nics[i].state == CORE_HOLDING)
            nic_enter(core, now_ns, i, CORE_HOLDING, CORE_REASON_SERVICE);
    if (s->n_nics > 0)
        return;
    if (restored->held)
        service_enter(core, now_ns, source, CORE_SERVICE_HOLDING, CORE_REASON_ADOPTED);
    else if (restored->disarmed)
        service_enter(core, now_ns, source, CORE_SERVICE_DISARMED, CORE_REASON_OPERATOR);
}

const char *core_service_name(enum core_service service)
{
    static const char *const names[CORE_SERVICES] = {
        [CORE_SERVICE_UNKNOWN] = "unknown",     [CORE_SERVICE_PASSING] = "passing",
        [CORE_SERVICE_FAILED] = "failed",       [CORE_SERVICE_AWAITING] = "awaiting",
        [CORE_SERVICE_PREPARING] = "preparing", [CORE_SERVICE_FENCED] = "fenced",
        [CORE_SERVICE_CLAIMING] = "claiming",   [CORE_SERVICE_HOLDING] = "holding",
        [CORE_SERVICE_RELEASING] = "releasing", [CORE_SERVICE_DISARMED] = "disarmed",
    };

    assert(service < CORE_SERVICES);
    return names[service];
}
