/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verify: a lost NIC is taken over only when, since the first missed round, a witness answered on the NIC to be
 * claimed, and broadcast ARP/NS for the address stayed unanswered. The last rounds and the intent are such broadcasts,
 * so that verify costs no time where ARP or ND is probed and a source has two misses or more. Where some addresses are
 * asked for by no rounds, verify asks for them; what its own rounds found lost does not wait for that (in_parts).
 */
#include "agent/core/internal.h"

/* Verify lasts at least this long before it ends for want of an answer. */
#define VERIFY_MIN_NS (50 * NSEC_PER_MSEC)

static enum core_policy policy_of_file(const struct core *core, const struct core_nic *n)
{
    const struct core_source *s = &core->sources[n->source];

    return core_source_is_lost(core, n->source) ? s->on_host : s->on_nic;
}

enum core_policy nic_policy(const struct core *core, const struct core_nic *n)
{
    enum core_policy policy = policy_of_file(core, n);

    /* Whoever had it fenced wanted it to be taken over. */
    if (n->fenced)
        return CORE_POLICY_AUTOMATIC;
    return policy == CORE_POLICY_AUTOMATIC && n->damped ? CORE_POLICY_MANUAL : policy;
}

static nsec_t spacing_ns(const struct core *core, const struct core_nic *n)
{
    return core->sources[n->source].verify_spacing_ns;
}

/*
 * What an answer to the last broadcast may take: no longer than one to a round, where that is known. But a single
 * missed round is missed as well by a source whose answers have just become slower.
 */
static nsec_t answer_ns(const struct core *core, const struct core_nic *n)
{
    if (n->wait_ns == 0 || core->sources[n->source].misses == 1)
        return spacing_ns(core, n);
    return nsec_min(n->wait_ns, spacing_ns(core, n));
}

void verify_gather(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    n->suspected = true;
    n->evidence_ns = now_ns;
    n->wait_ns = 0;
    n->damped = damping_applies(core, now_ns, n);
    verify_forget_asks(n);
    n->witness_ask_ns = 0;
    n->next_ask_ns = n->asked_apart ? now_ns : NSEC_NEVER;
    for (uint32_t i = 0; i < n->n_addresses; i++) {
        uint16_t target = fit_target(core, &core->addresses[n->first_address + i]);

        if (target == CORE_NO_TARGET || core->targets[target].carrier_sought_ns == now_ns)
            continue;
        /* Link events may be a second behind; whether the fault is our own cable must be known at the first miss. */
        core->targets[target].carrier_sought_ns = now_ns;
        emit_for_address(core, CORE_ASK_CARRIER, n->first_address + i, target);
    }
    nic_set_timer(core, nic);
}

/* Unless it is unfit, has answered, or was just asked. */
static void ask_witnesses_of(struct core *core, nsec_t now_ns, uint32_t address, uint16_t target)
{
    const struct core_nic *n = &core->nics[core->addresses[address].nic];
    struct core_target *t = target == CORE_NO_TARGET ? NULL : &core->targets[target];

    if (!t || !t->fit || t->witness != CORE_WITNESS_EXPECTED || t->witness_asked_ns >= n->evidence_ns ||
        t->witness_sought_ns == now_ns)
        return;
    t->witness_sought_ns = now_ns;
    emit_for_address(core, CORE_ASK_WITNESSES, address, target);
}

void verify_ask_witnesses(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    if (n->witness_ask_ns && now_ns - n->witness_ask_ns < spacing_ns(core, n))
        return;
    n->witness_ask_ns = now_ns;
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        /* Of the fallback NIC too: it may be wanted at once where the kernel refuses the first choice. */
        ask_witnesses_of(core, now_ns, i, core->addresses[i].target[0]);
        ask_witnesses_of(core, now_ns, i, core->addresses[i].target[1]);
    }
}

/* Whether a verify of this NIC that finds nothing ends in a claim, and not in a question. */
static bool would_claim(const struct core *core, const struct core_nic *n)
{
    return n->by_operator || n->moving || n->for_service || nic_policy(core, n) == CORE_POLICY_AUTOMATIC;
}

/* Broadcasts for all its addresses that are still to be sent before it may be judged. */
static bool asks_missing(const struct core *core, const struct core_nic *n)
{
    /* Where rounds ask by ARP or ND themselves, the intent alone is wanted. */
    uint32_t needed = n->by_operator || n->asked_apart ? core->sources[n->source].verify_asks : 0;

    if (n->n_asked > 0)
        return true;
    return n->unasked || n->asks < needed || (n->state == CORE_VERIFYING && would_claim(core, n) && !n->intended);
}

/* When the last question left whose answer matters: a broadcast, or at the first miss the one about our own carrier. */
static nsec_t asked_ns(const struct core_nic *n)
{
    return n->asks > 0 ? n->last_ask_ns : n->evidence_ns;
}

/* Whether all broadcasts were sent, and the last one has gone unanswered for long enough. */
static bool asked_enough(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    return !asks_missing(core, n) && now_ns - asked_ns(n) >= answer_ns(core, n);
}

/*
 * Whether somebody was heard to speak for it since the first miss, or it is not even in doubt (`trigger any`). What is
 * heard in the turn that judged the miss came in after the missed round left. What goes to another target NIC was held
 * until now: a source that was proved to be back by then has it.
 */
static bool in_use(const struct core_nic *n, const struct core_address *a)
{
    /* Taken over for a failed service: that the host answers is no obstacle. */
    if (n->for_service || (n->state == CORE_CLAIMING && n->reason == CORE_REASON_SERVICE))
        return false;
    if (n->moving && n->back_since_ns != NSEC_UNSET)
        return true;
    return a->life == CORE_LIFE_UP || (a->heard_ns != NSEC_UNSET && a->heard_ns >= n->evidence_ns);
}

/* A person's word, whether failover or approve, stands in for a witness that is not there. */
static bool is_ordered(const struct core_nic *n)
{
    return n->by_operator || (n->state == CORE_CLAIMING && n->reason == CORE_REASON_OPERATOR);
}

enum core_reason verify_address(const struct core *core, const struct core_address *a, uint16_t target)
{
    const struct core_nic *n = &core->nics[a->nic];

    if (target == CORE_NO_TARGET || !core->targets[target].fit)
        return CORE_REASON_NO_CARRIER;
    if (in_use(n, a))
        return CORE_REASON_IN_USE;
    switch (core->targets[target].witness) {
    case CORE_WITNESS_NONE:
        break;
    case CORE_WITNESS_MISSING:
        if (!is_ordered(n))
            return CORE_REASON_WITNESS_MISSING;
        break;
    case CORE_WITNESS_EXPECTED:
        if (core->targets[target].witness_asked_ns < n->evidence_ns)
            return CORE_REASON_WITNESS_SILENT;
        break;
    }
    return CORE_REASON_NONE;
}

bool verify_found_lost(const struct core_address *a)
{
    return a->asked_by_link && a->life == CORE_LIFE_LOST && a->claim != CORE_CLAIM_FAILED;
}

struct findings {
    uint32_t claimable;     /* addresses that may be claimed */
    uint32_t found_lost;    /* of these: by their own rounds */
    bool waiting;           /* for a witness */
    bool witness_missing;   /* somewhere there is none to ask */
    bool source_alive;      /* one of them answers its probes, or the source's own MAC speaks for it */
    enum core_reason worst; /* of the addresses that may not: that it is in use, else of the first */
    uint32_t worst_address;
};

static void note_refusal(struct findings *f, const struct core_nic *n, const struct core_address *a, uint32_t address,
                         enum core_reason reason)
{
    bool alive = reason == CORE_REASON_IN_USE && (a->life == CORE_LIFE_UP || mac_address_equal(&a->heard_mac, &n->mac));

    f->waiting = f->waiting || reason == CORE_REASON_WITNESS_SILENT;
    f->witness_missing = f->witness_missing || reason == CORE_REASON_WITNESS_MISSING;
    if (f->worst == CORE_REASON_NONE || (reason == CORE_REASON_IN_USE && f->worst != CORE_REASON_IN_USE) ||
        (alive && !f->source_alive)) {
        f->worst = reason;
        f->worst_address = address;
    }
    f->source_alive = f->source_alive || alive;
}

static struct findings examine(const struct core *core, const struct core_nic *n)
{
    struct findings f = {.worst = CORE_REASON_NONE, .worst_address = NO_ADDRESS};

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        const struct core_address *a = &core->addresses[i];
        enum core_reason reason;

        if (a->claim == CORE_CLAIM_HELD || a->claim == CORE_CLAIM_CLAIMING)
            continue;
        reason = verify_address(core, a, fit_target(core, a));
        if (reason != CORE_REASON_NONE) {
            note_refusal(&f, n, a, i, reason);
            continue;
        }
        f.claimable++;
        f.found_lost += verify_found_lost(a);
    }
    return f;
}

static void give_up(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason, uint32_t address)
{
    struct core_nic *n = &core->nics[nic];
    /* Disarmed because we were cut off, which an order without a way does not change: see nic_on_path_change. */
    bool is_cut_off = reason == CORE_REASON_NO_CARRIER && n->seen && !n->armed && !n->disarmed;

    nic_blame(n, address, reason == CORE_REASON_IN_USE ? &core->addresses[address].heard_mac : NULL, 0);
    if (n->moving)
        n->stands = reason != CORE_REASON_IN_USE;
    n->by_operator = n->approved = n->moving = n->for_service = false;
    nic_enter(core, now_ns, nic, (n->armed || is_cut_off) && !nic_is_ours(n) ? CORE_BLOCKED : nic_idle_state(n),
              reason);
    nic_restart(core, nic);
}

nsec_t approval_until(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    const struct core_source *s = &core->sources[n->source];

    return s->approval_timeout_ns == NSEC_NEVER ? NSEC_NEVER : now_ns + s->approval_timeout_ns;
}

/* Free, but not ours to claim by ourselves. What is held already stays held, without the rest. */
static void leave(struct core *core, nsec_t now_ns, uint32_t nic, enum core_state state, enum core_reason reason)
{
    struct core_nic *n = &core->nics[nic];

    if (nic_is_ours(n)) {
        give_up(core, now_ns, nic, reason, NO_ADDRESS);
        return;
    }
    if (state == CORE_AWAITING)
        n->approval_until_ns = approval_until(core, now_ns, n);
    nic_enter(core, now_ns, nic, state, reason);
}

static void take_over(struct core *core, nsec_t now_ns, uint32_t nic)
{
    damping_count(core, now_ns, &core->nics[nic]);
    claim_begin(core, now_ns, nic, CORE_REASON_LOST);
}

/* The evidence is complete and allows a claim: what the file says is done. */
static void conclude(struct core *core, nsec_t now_ns, uint32_t nic, const struct findings *f)
{
    struct core_nic *n = &core->nics[nic];

    if (n->moving) {
        /* The takeover was decided long ago; where it goes is no question of policy. */
        claim_begin(core, now_ns, nic, CORE_REASON_LOST);
        return;
    }
    if (n->for_service) {
        if (f->claimable > 0)
            claim_begin(core, now_ns, nic, CORE_REASON_SERVICE);
        else
            give_up(core, now_ns, nic, CORE_REASON_WITNESS_MISSING, NO_ADDRESS);
        return;
    }
    if (would_claim(core, n) && gate_is_shut(core, n) && (n->by_operator || !f->witness_missing)) {
        gate_prepare(core, now_ns, nic);
        return;
    }
    if (n->by_operator) {
        claim_begin(core, now_ns, nic, CORE_REASON_OPERATOR);
        return;
    }
    switch (nic_policy(core, n)) {
    case CORE_POLICY_AUTOMATIC:
        if (f->witness_missing)
            leave(core, now_ns, nic, CORE_AWAITING, CORE_REASON_WITNESS_MISSING);
        else
            take_over(core, now_ns, nic);
        break;
    case CORE_POLICY_MANUAL:
        leave(core, now_ns, nic, CORE_AWAITING,
              policy_of_file(core, n) == CORE_POLICY_MANUAL ? CORE_REASON_POLICY_MANUAL : CORE_REASON_DAMPED);
        break;
    case CORE_POLICY_NOTIFY:
        leave(core, now_ns, nic, CORE_LOST, CORE_REASON_POLICY_NOTIFY);
        break;
    }
}

/*
 * Whether those that their own rounds found lost may be claimed before the others were asked for as often: all were
 * asked for once, with the intent to claim, and nobody answered. Not where something must succeed before a claim.
 */
static bool may_begin(const struct core *core, nsec_t now_ns, const struct core_nic *n, const struct findings *f)
{
    return n->asked_apart && f->found_lost > 0 && n->part_asked_ns != NSEC_UNSET &&
           now_ns - n->part_asked_ns >= answer_ns(core, n) && !f->waiting && !f->witness_missing && !n->by_operator &&
           !n->moving && !n->for_service && !core->sources[n->source].gated &&
           nic_policy(core, n) == CORE_POLICY_AUTOMATIC;
}

void verify_look(struct core *core, nsec_t now_ns, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];
    bool over = now_ns >= n->verify_until_ns, asked = asked_enough(core, now_ns, n);
    struct findings f = examine(core, n);

    /* The host is alive, whatever its monitored addresses do. A loss under `trigger any` is just that case. */
    if (f.source_alive && (!n->trigger_any || (n->by_operator && !n->approved))) {
        give_up(core, now_ns, nic, CORE_REASON_IN_USE, f.worst_address);
        return;
    }
    if ((f.waiting || !asked) && !over) {
        if (may_begin(core, now_ns, n, &f))
            claim_begin_in_parts(core, now_ns, nic);
        return;
    }
    if (asked && (f.claimable > 0 || f.witness_missing || f.worst == CORE_REASON_NONE))
        conclude(core, now_ns, nic, &f);
    else
        give_up(core, now_ns, nic, f.worst != CORE_REASON_NONE ? f.worst : CORE_REASON_NOT_ASKED, f.worst_address);
}

static void verify_enter(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    const struct core_source *s = &core->sources[n->source];
    nsec_t length_ns = 2 * (s->verify_asks + 1) * s->verify_spacing_ns;

    nic_enter(core, now_ns, nic, CORE_VERIFYING, n->by_operator ? CORE_REASON_OPERATOR : CORE_REASON_NONE);
    /* Every broadcast, the wait after the last, and as much again for a witness whose first answer got lost. Where
     * rounds are very quick, a witness may still be slower than they are. */
    n->verify_until_ns = now_ns + (length_ns > VERIFY_MIN_NS ? length_ns : VERIFY_MIN_NS);
    if (n->n_asked == 0)
        n->next_ask_ns = asks_missing(core, n) ? now_ns : asked_ns(n) + answer_ns(core, n);
    nic_set_timer(core, nic);
    verify_on_time(core, now_ns, nic);
}

void verify_begin(struct core *core, nsec_t now_ns, uint32_t nic)
{
    core->nics[nic].by_operator = core->nics[nic].approved = false;
    /* Its loss counts only since just now, because it was armed or held off meanwhile. */
    if (!core->nics[nic].suspected || core->nics[nic].evidence_ns < core->nics[nic].hold_off_ns)
        verify_gather(core, now_ns, nic);
    verify_enter(core, now_ns, nic);
}

void verify_begin_for_service(struct core *core, nsec_t now_ns, uint32_t nic)
{
    core->nics[nic].for_service = true;
    core->nics[nic].by_operator = core->nics[nic].approved = core->nics[nic].moving = false;
    verify_gather(core, now_ns, nic);
    verify_enter(core, now_ns, nic);
}

void verify_begin_for_move(struct core *core, nsec_t now_ns, uint32_t nic)
{
    core->nics[nic].by_operator = core->nics[nic].for_service = core->nics[nic].stands = false;
    core->nics[nic].moving = true;
    core->nics[nic].approved = true; /* the takeover was: it only goes elsewhere */
    nic_restart(core, nic);
    verify_gather(core, now_ns, nic);
    verify_enter(core, now_ns, nic);
}

void verify_begin_for_operator(struct core *core, nsec_t now_ns, uint32_t nic, bool approved)
{
    struct core_nic *n = &core->nics[nic];

    n->for_service = false;
    n->by_operator = true;
    n->approved = approved;
    verify_gather(core, now_ns, nic);
    verify_enter(core, now_ns, nic);
}

void verify_begin_anew(struct core *core, nsec_t now_ns, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];

    if (n->by_operator) {
        verify_begin_for_operator(core, now_ns, nic, n->approved);
    } else if (n->moving) {
        verify_begin_for_move(core, now_ns, nic);
    } else {
        verify_gather(core, now_ns, nic);
        verify_enter(core, now_ns, nic);
    }
}

/* When to ask again, or to see what the last broadcast brought; before this ask some were missing, or a witness was. */
static nsec_t next_ask_ns(const struct core *core, nsec_t now_ns, const struct core_nic *n, bool missing, bool waiting)
{
    if (n->n_asked > 0)
        return n->next_ask_ns;
    if (waiting || asks_missing(core, n))
        return now_ns + spacing_ns(core, n);
    return missing ? now_ns + answer_ns(core, n) : NSEC_NEVER;
}

void verify_on_time(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    bool verifying = n->state == CORE_VERIFYING;

    if (n->next_ask_ns <= now_ns && n->n_asked > 0) {
        bool waiting = verifying && examine(core, n).waiting;

        verify_ask_part(core, now_ns, nic);
        /* The distance from one broadcast to the next is that of each address. */
        n->next_ask_ns = n->n_asked == 0 && !waiting && asks_missing(core, n)
                             ? nsec_max(now_ns + VERIFY_ASK_PACE_NS, n->ask_begun_ns + spacing_ns(core, n))
                             : next_ask_ns(core, now_ns, n, verifying, waiting);
        if (n->unasked && !verifying && n->n_asked == 0)
            n->next_ask_ns = NSEC_NEVER;
        nic_set_timer(core, nic);
    } else if (n->next_ask_ns <= now_ns) {
        struct findings f = examine(core, n);
        bool missing = asks_missing(core, n), waiting = verifying && f.waiting;
        /* Where no rounds go on asking by ARP or ND, what was asked long before a witness answered must be asked
         * again. */
        bool stale = waiting && (n->asked_apart || n->moving || n->by_operator) &&
                     now_ns + spacing_ns(core, n) <= n->verify_until_ns;

        verify_ask_witnesses(core, now_ns, nic);
        /* No intent from a host that may be the isolated one. Until the verdict the own address asks, because the probe
         * form would hinder a source that is in its own duplicate address detection. */
        if ((missing || stale) && (!waiting || f.claimable > 0))
            verify_ask(core, now_ns, nic, verifying && would_claim(core, n));
        n->next_ask_ns = next_ask_ns(core, now_ns, n, missing, waiting);
        nic_set_timer(core, nic);
    }
    if (verifying)
        verify_look(core, now_ns, nic);
}

static bool uses_target(const struct core *core, const struct core_nic *n, uint16_t target)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (fit_target(core, &core->addresses[i]) == target)
            return true;
    return false;
}

/*
 * A witness' first answer since the first miss shows that its own request had a way. What was asked before may have
 * been asked of nobody, by a host that was cut off, and has to be asked again.
 */
static void forget_earlier_asks(const struct core *core, struct core_nic *n, uint16_t target, nsec_t asked_ns)
{
    if ((n->asks == 0 && n->n_asked == 0 && !n->unasked) || n->ask_begun_ns >= asked_ns ||
        !uses_target(core, n, target))
        return;
    verify_forget_asks(n);
}

void core_on_witness(struct core *core, nsec_t now_ns, uint16_t target, nsec_t asked_ns)
{
    struct core_target *t = &core->targets[target];
    nsec_t before_ns = t->witness_asked_ns;

    if (asked_ns <= before_ns)
        return;
    t->witness_asked_ns = asked_ns;
    for (uint32_t i = 0; i < core->n_nics; i++) {
        struct core_nic *n = &core->nics[i];

        if (n->evidence_ns <= before_ns)
            continue;
        forget_earlier_asks(core, n, target, asked_ns);
        if (n->state != CORE_VERIFYING)
            continue;
        /* The broadcast that waited for it goes out now, at its distance from the one before. */
        if (n->n_asked == 0 && asks_missing(core, n) &&
            (n->asks == 0 || now_ns - n->last_ask_ns >= spacing_ns(core, n)))
            n->next_ask_ns = now_ns;
        verify_on_time(core, now_ns, i);
    }
}
