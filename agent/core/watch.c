/* SPDX-License-Identifier: Apache-2.0 */
/* Liveness: what answers, misses, link events and stalls make of addresses and source NICs. */
#include "agent/core/internal.h"

uint16_t fit_target(const struct core *core, const struct core_address *a)
{
    for (int i = 0; i < 2; i++)
        if (a->target[i] != CORE_NO_TARGET && core->targets[a->target[i]].fit)
            return a->target[i];
    return CORE_NO_TARGET;
}

bool nic_has_path(const struct core *core, const struct core_nic *n)
{
    for (uint32_t i = 0; i < n->n_addresses; i++)
        if (core->addresses[n->first_address + i].monitored &&
            fit_target(core, &core->addresses[n->first_address + i]) != CORE_NO_TARGET)
            return true;
    return false;
}

static bool triggered(const struct core_nic *n, uint32_t count)
{
    return n->trigger_any ? count > 0 : count == n->n_watched;
}

bool nic_is_lost(const struct core_nic *n)
{
    return triggered(n, n->n_lost);
}

/* Whether the misses that are on may lead to its loss. With `trigger all`, one address that answers is enough. */
static bool nic_is_in_doubt(const struct core_nic *n)
{
    return n->n_doubtful > 0 && (n->trigger_any || n->n_up == 0);
}

/* Whether nothing of what made it lost is left. */
static bool nic_is_well(const struct core_nic *n)
{
    return n->trigger_any ? n->n_up == n->n_watched : n->n_up > 0;
}

bool core_source_is_lost(const struct core *core, uint32_t source)
{
    const struct core_source *s = &core->sources[source];

    for (uint32_t i = 0; i < s->n_nics; i++) {
        const struct core_nic *n = &core->nics[s->first_nic + i];

        if (!nic_is_lost(n) && n->n_held == 0)
            return false;
    }
    return true;
}

bool nic_is_ours(const struct core_nic *n)
{
    return n->n_held > 0 || n->n_claiming > 0;
}

void nic_end_suspicion(struct core *core, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    n->suspected = false;
    verify_forget_asks(n);
    n->next_ask_ns = NSEC_NEVER;
    nic_set_timer(core, nic);
}

static void forget_misses(struct core *core, const struct core_nic *n)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (core->addresses[i].claim != CORE_CLAIM_HELD)
            address_forget_misses(core, i);
}

void nic_restart(struct core *core, uint32_t nic)
{
    forget_misses(core, &core->nics[nic]);
    nic_end_suspicion(core, nic);
    emit_for_nic(core, CORE_RESTART, nic);
}

/* The source answers again: whatever was about to be done for its loss is not. */
static void nic_alive(struct core *core, nsec_t now_ns, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];

    switch (n->state) {
    case CORE_UNSEEN:
    case CORE_UP:
    case CORE_LATE:
    case CORE_DISARMED:
        nic_enter(core, now_ns, nic, nic_idle_state(n), CORE_REASON_NONE);
        break;
    case CORE_BLOCKED:
    case CORE_AWAITING:
    case CORE_LOST:
        /* An answer that was still queued when our carrier went does not make us fit. */
        if (nic_is_well(n) && (n->reason != CORE_REASON_NO_CARRIER || nic_has_path(core, n)))
            nic_enter(core, now_ns, nic, nic_idle_state(n), CORE_REASON_NONE);
        break;
    case CORE_VERIFYING:
    case CORE_PREPARING:
        /* What a person asked for, or is on its way already, ends by verify itself, which says who answers. */
        if (!n->by_operator && !n->for_service && !n->moving && !nic_is_lost(n))
            nic_enter(core, now_ns, nic, nic_idle_state(n), CORE_REASON_NONE);
        break;
    case CORE_CLAIMING:
    case CORE_HOLDING:
    case CORE_RELEASING:
    case CORE_STATES:
        break;
    }
}

/* After an answer: what evidence about the NIC is still wanted. */
static void nic_review_suspicion(struct core *core, nsec_t now_ns, uint32_t nic, bool row_ended)
{
    const struct core_nic *n = &core->nics[nic];

    if (n->state == CORE_VERIFYING)
        return;
    if (!nic_is_in_doubt(n))
        nic_end_suspicion(core, nic);
    else if (n->suspected && row_ended)
        /* The first miss of the rows that are left was later than the one that evidence was counted from. */
        verify_gather(core, now_ns, nic);
}

/* Whether a verdict in this state would be followed by a claim. A NIC that was blocked declares that only once a
 * witness has answered: see verify_on_time. */
static bool may_declare(enum core_state state)
{
    return state == CORE_LATE || state == CORE_UNSEEN || state == CORE_HOLDING;
}

/* One more miss and the NIC is lost: tell other targets that we are about to claim. */
static void nic_announce_intent(struct core *core, nsec_t now_ns, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];

    if (now_ns < n->hold_off_ns)
        return;
    if (n->suspected && !n->intended && n->armed && may_declare(n->state) && triggered(n, n->n_near) &&
        !core->sources[n->source].paused && nic_policy(core, n) == CORE_POLICY_AUTOMATIC)
        verify_ask(core, now_ns, nic, true);
}

/* Another NIC of the source is in doubt, and its verdict would change the policy: wait for it. */
static bool must_wait_for_siblings(const struct core *core, const struct core_nic *n)
{
    const struct core_source *s = &core->sources[n->source];

    if (s->on_host == s->on_nic)
        return false;
    for (uint32_t i = 0; i < s->n_nics; i++) {
        const struct core_nic *other = &core->nics[s->first_nic + i];

        if (other != n && other->suspected && !nic_is_lost(other) && other->n_held == 0)
            return true;
    }
    return false;
}

/* Lost, and not held: a takeover that was cut short goes on. Whether it may begin was asked then. */
static void nic_take(struct core *core, nsec_t now_ns, uint32_t nic)
{
    if (core->nics[nic].stands)
        verify_begin_for_move(core, now_ns, nic);
    else
        verify_begin(core, now_ns, nic);
}

static void nic_judge(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    if (!n->armed || !nic_is_lost(n) || now_ns < n->hold_off_ns || core->sources[n->source].paused ||
        must_wait_for_siblings(core, n))
        return;
    switch (n->state) {
    case CORE_UNSEEN:
    case CORE_UP:
    case CORE_LATE:
    case CORE_BLOCKED:
    case CORE_DISARMED:
        nic_take(core, now_ns, nic);
        break;
    case CORE_AWAITING:
    case CORE_LOST:
        /* Decided for one lost NIC; now the whole host is lost, and the file may say otherwise for that. */
        if ((n->reason == CORE_REASON_POLICY_MANUAL || n->reason == CORE_REASON_POLICY_NOTIFY) &&
            nic_policy(core, n) == CORE_POLICY_AUTOMATIC) {
            /* What was found then may be long past. */
            verify_gather(core, now_ns, nic);
            verify_begin(core, now_ns, nic);
        }
        break;
    case CORE_HOLDING:
        /* An address that was not claimed with the others, and is lost now; not one whose claim is under way. */
        if (n->n_claiming == 0 && n->n_lost > 0 && (n->stands || nic_policy(core, n) == CORE_POLICY_AUTOMATIC))
            nic_take(core, now_ns, nic);
        break;
    case CORE_VERIFYING:
    case CORE_PREPARING:
    case CORE_CLAIMING:
    case CORE_RELEASING:
    case CORE_STATES:
        break;
    }
}

static void source_judge(struct core *core, nsec_t now_ns, uint32_t source)
{
    const struct core_source *s = &core->sources[source];

    for (uint32_t i = 0; i < s->n_nics; i++)
        nic_judge(core, now_ns, s->first_nic + i);
}

/* Another target that stands in for the source is not the source. */
static void learn_mac(struct core *core, struct core_address *a, const struct mac_address *mac)
{
    if (mac_address_is_unset(mac) || mac_address_equal(mac, &a->deputy_mac))
        return;
    if (!mac_address_equal(mac, &a->mac)) {
        a->former_mac = a->mac;
        core->lasting_changed = true;
    }
    a->mac = core->nics[a->nic].mac = *mac;
}

/*
 * Many ask for an address, the source too when it has lost it. Who answers for it at the same time is another target,
 * which goes on looking for the source.
 */
static bool is_deputy(const struct core_address *a, nsec_t now_ns, const struct mac_address *mac)
{
    if (a->claim == CORE_CLAIM_HELD)
        return mac_address_equal(mac, &a->mac) && return_is_seen(a, now_ns);
    if (mac_address_equal(mac, &a->deputy_mac))
        return true;
    return a->life == CORE_LIFE_UP && (mac_address_equal(mac, &a->mac) || mac_address_equal(mac, &a->heard_mac));
}

/* Whether another target stands in for the source, as far as is known. */
static bool has_deputy(const struct core_address *a)
{
    return !mac_address_is_unset(&a->deputy_mac) && mac_address_equal(&a->heard_mac, &a->deputy_mac);
}

void core_on_asked(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    struct core_address *a = &core->addresses[address];

    if (!is_deputy(a, now_ns, mac))
        return;
    a->deputy_mac = *mac;
    if (mac_address_equal(mac, &a->mac)) {
        a->mac = core->nics[a->nic].mac = a->former_mac;
        a->former_mac = (struct mac_address){{0}};
    }
    core->nics[a->nic].deputy_asked_ns = now_ns;
    if (a->claim == CORE_CLAIM_HELD)
        return_on_deputy(core, now_ns, address);
    else if (has_deputy(a))
        /* Its guard asks, too, once it has taken the address off. The source was lost before: who has the address now
         * is told by who answers, and no more time has to pass for that. */
        emit_for_address(core, CORE_HURRY, address, CORE_NO_TARGET);
}

void core_on_answer(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];
    bool was_up = a->life == CORE_LIFE_UP, row_ended = a->misses > 0;

    if (a->claim == CORE_CLAIM_HELD) {
        if (mac) /* our own kernel answers an echo request */
            return_on_answer(core, now_ns, address, mac);
        return;
    }
    if (mac)
        learn_mac(core, a, mac);
    if (mac || mac_address_is_unset(&a->heard_mac))
        a->heard_mac = mac ? *mac : a->mac;
    a->heard_ns = now_ns;
    core->lasting_changed = core->lasting_changed || !n->armed || !a->armed || n->awaited;
    address_alive(core, address);
    if (mac && mac_address_equal(mac, &a->mac))
        address_give_back(core, now_ns, address);
    n->false_returns = 0;
    if (n->awaited) {
        n->awaited = false;
        n->hold_off_ns = NSEC_UNSET;
    }
    n->seen = true;
    n->armed = true;
    n->disarmed = false;
    if (n->preparing || n->prepared)
        gate_on_answer(n);
    if (was_up && (n->state == CORE_UP || n->state == CORE_HOLDING))
        return;
    nic_alive(core, now_ns, a->nic);
    nic_review_suspicion(core, now_ns, a->nic, row_ended);
    if (n->state == CORE_VERIFYING)
        verify_look(core, now_ns, a->nic);
    /* A NIC that waited for this one's verdict need not wait any more. */
    source_judge(core, now_ns, n->source);
}

/* While claims or releases are under way, the evidence that they rest on stands. */
static bool may_suspect(const struct core_nic *n)
{
    return n->armed && n->state != CORE_CLAIMING && n->state != CORE_RELEASING;
}

void core_on_miss(struct core *core, nsec_t now_ns, uint32_t address, uint32_t misses, nsec_t wait_ns)
{
    const struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (a->claim == CORE_CLAIM_HELD)
        return;
    address_missed(core, address, misses);
    if (n->state == CORE_UP)
        nic_enter(core, now_ns, a->nic, nic_idle_state(n), CORE_REASON_NONE);
    /* A deputy whose agent had died before, and whose kernel dropped the address when its lease was over. */
    if (has_deputy(a) && return_deputy_is_gone(core, now_ns, n))
        emit_for_address(core, CORE_HURRY, address, CORE_NO_TARGET);
    if (!n->suspected && may_suspect(n) && nic_is_in_doubt(n))
        verify_gather(core, now_ns, a->nic);
    n->wait_ns = nsec_max(n->wait_ns, wait_ns);
    /* Again while misses go on: an answer must be younger than the first miss, and one may get lost. */
    if (n->suspected)
        verify_ask_witnesses(core, now_ns, a->nic);
    nic_announce_intent(core, now_ns, a->nic);
    if (a->life == CORE_LIFE_LOST)
        source_judge(core, now_ns, n->source);
}

void core_on_void(struct core *core, nsec_t now_ns, uint32_t source)
{
    const struct core_source *s = &core->sources[source];

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++) {
        const struct core_nic *n = &core->nics[i];

        forget_misses(core, n);
        if (n->state == CORE_VERIFYING && (n->by_operator || n->moving || n->in_parts)) {
            /* A person's order stands, and what has begun: only the evidence has to be gathered again. */
            verify_begin_anew(core, now_ns, i);
            continue;
        }
        nic_end_suspicion(core, i);
        if (n->state == CORE_LATE || n->state == CORE_VERIFYING)
            nic_enter(core, now_ns, i, nic_idle_state(n), CORE_REASON_NONE);
    }
}

/* What was found stands; what is being asked is asked anew. */
void core_on_unheard(struct core *core, nsec_t now_ns)
{
    for (uint32_t i = 0; i < core->n_nics; i++) {
        struct core_nic *n = &core->nics[i];

        n->watched_ns = NSEC_UNSET;
        if (n->state == CORE_VERIFYING)
            verify_begin_anew(core, now_ns, i);
        else if (n->suspected)
            verify_gather(core, now_ns, i);
    }
}

/* `witness none` on every target: nobody will tell, once we were cut off, who still is. */
static bool nobody_to_tell(const struct core *core, const struct core_nic *n)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        for (int k = 0; k < 2; k++) {
            uint16_t target = core->addresses[i].target[k];

            if (target != CORE_NO_TARGET && core->targets[target].witness != CORE_WITNESS_NONE)
                return false;
        }
    return true;
}

/* Watched, and nothing decided that would outlast the evidence. */
static bool is_undecided(enum core_state state)
{
    return state == CORE_UP || state == CORE_LATE || state == CORE_VERIFYING || state == CORE_PREPARING ||
           state == CORE_BLOCKED;
}

/* The source has to be seen alive again before it can be lost. */
static void nic_disarm(struct core *core, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (core->addresses[i].claim != CORE_CLAIM_HELD)
            address_start_over(core, i, false);
    n->armed = n->armed && nic_is_ours(n);
    core->lasting_changed = true;
}

/* What was found on another way does not count. */
static void nic_on_path_change(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    bool path = nic_has_path(core, n);

    if (n->state == CORE_VERIFYING && (n->moving || n->in_parts)) {
        n->stands = true; /* hold.c goes on with it */
        return;
    }
    if (!path && !n->stands && is_undecided(n->state) && nobody_to_tell(core, n) &&
        !core->sources[n->source].claim_unseen)
        nic_disarm(core, nic);
    nic_restart(core, nic);
    if (n->state == CORE_PREPARING && n->by_operator)
        return; /* after it all is verified anew */
    if (n->state == CORE_VERIFYING && n->by_operator)
        verify_begin_for_operator(core, now_ns, nic, n->approved);
    else if (is_undecided(n->state) && (n->state != CORE_BLOCKED || !path))
        nic_enter(core, now_ns, nic, path || nic_is_ours(n) ? nic_idle_state(n) : CORE_BLOCKED,
                  path ? CORE_REASON_NONE : CORE_REASON_NO_CARRIER);
    else if (n->state == CORE_BLOCKED && n->reason == CORE_REASON_NO_CARRIER && path && !n->stands)
        nic_enter(core, now_ns, nic, CORE_BLOCKED, n->armed ? CORE_REASON_NONE : CORE_REASON_CUT_OFF);
}

/* Whether a change of `target` changes where rounds of the address go. A fallback NIC matters only when needed. */
static bool goes_by(const struct core *core, const struct core_address *a, uint16_t target)
{
    return a->target[0] == target || (a->target[1] == target && !core->targets[a->target[0]].fit);
}

void core_on_link(struct core *core, nsec_t now_ns, uint16_t target, bool fit)
{
    if (core->targets[target].fit == fit)
        return;
    core->targets[target].fit = fit;
    core->targets[target].witness_asked_ns = 0;
    for (uint32_t i = 0; i < core->n_nics; i++) {
        const struct core_nic *n = &core->nics[i];

        for (uint32_t k = n->first_address; k < n->first_address + n->n_addresses; k++) {
            if (goes_by(core, &core->addresses[k], target)) {
                nic_on_path_change(core, now_ns, i);
                break;
            }
        }
        hold_on_link(core, now_ns, i, target);
    }
}

void core_on_heard(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    struct core_address *a = &core->addresses[address];

    a->heard_mac = *mac;
    a->heard_ns = now_ns;
    if (a->claim == CORE_CLAIM_HELD) {
        return_on_heard(core, now_ns, address, mac);
        return;
    }
    /* Where only ICMP is probed, this is how the MAC is learned, and the source seen to have what was given back. */
    if (a->life == CORE_LIFE_UP && mac_address_is_unset(&a->mac))
        learn_mac(core, a, mac);
    if (a->life == CORE_LIFE_UP && mac_address_equal(mac, &a->mac))
        address_give_back(core, now_ns, address);
    if (core->nics[a->nic].state == CORE_VERIFYING)
        verify_look(core, now_ns, a->nic);
}
