/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While we stand in: is the source back, and does anybody else hold what we hold?
 *
 * The source. Its own MAC is asked for its addresses all the time, by unicast. It is back when it answered
 * PROOF_ANSWERS questions in a row, some time apart, and not much more was answered than was asked: a frame that was
 * replayed answers one question at most, and who sends answers without pause gives himself away. What is only heard (an
 * announcement) merely makes us ask at once. A host that probes for the address before use (RFC 5227 section 2.1.1, RFC
 * 4862 section 5.4) cannot be asked, because it has no address yet. Where the file says `failback automatic`, its word
 * is taken, and the address claimed again if the source does not have it CORE_RETURN_NS later; after
 * CORE_FALSE_RETURNS_MAX such in a row it is not taken any more.
 *
 * Other holders. Everybody is asked for one of the addresses now and then. Whoever answers, and is not the source, is
 * sent a probe for the address that he has: nobody but another target does that. So two targets that hold the same
 * addresses, because they did not hear each other when they claimed them, each hear the other answer and probe; then
 * the one with the higher MAC gives way, as in rivals.c. With a third host nobody gives way: people are told, and what
 * we hold is announced against it once in CORE_DEFEND_NS at most (RFC 5227 section 2.4).
 */
#include "agent/core/internal.h"

/* From one look to the next, at least, for each NIC of the file. */
#define LOOK_EACH_NS (100 * NSEC_PER_USEC)
/* Addresses of a NIC that the source is asked for in one look. */
#define LOOK_AT_ONCE 16
/* Everybody is asked by broadcast once in so long, and so much longer for each NIC of the file. */
#define ASK_ALL_NS (1 * NSEC_PER_SEC)
#define ASK_ALL_EACH_NS (20 * NSEC_PER_MSEC)
/* An answer that comes later after its question is none. */
#define ANSWER_WITHIN_NS (1 * NSEC_PER_SEC)
/* Questions in a row that prove it, and how far apart. */
#define PROOF_ANSWERS 3
#define PROOF_SPACING_NS (30 * NSEC_PER_MSEC)
/* Somebody sends answers that nobody asked for: so long none counts. */
#define DISTRUST_NS (2 * NSEC_PER_SEC)
/* However much is heard of the source, it is asked no more often. */
#define ASK_AGAIN_NS (10 * NSEC_PER_MSEC)
/* From one probe for what is held to the next, and how close the two signs of another holder must be. */
#define CONTEST_NS (1 * NSEC_PER_SEC)
#define CONTEST_WITHIN_NS (3 * NSEC_PER_SEC)
/* A single answer of the source proves nothing, and counts for so long where nothing is lost by waiting. */
#define HINT_WITHIN_NS (3 * NSEC_PER_SEC)
/* Looks, and time, in which the source may be silent before it is gone again. */
#define SILENT_LOOKS 4
#define SILENT_NS (1 * NSEC_PER_SEC)

static nsec_t look_ns(const struct core *core, const struct core_nic *n)
{
    return nsec_max(core->sources[n->source].look_ns, core->n_nics * LOOK_EACH_NS);
}

static bool is_recent(nsec_t then_ns, nsec_t now_ns, nsec_t within_ns)
{
    return then_ns != NSEC_UNSET && now_ns - then_ns <= within_ns;
}

static bool is_source(const struct core_address *a, const struct mac_address *mac)
{
    return !mac_address_is_unset(&a->mac) && mac_address_equal(&a->mac, mac);
}

static bool gives_back_by_itself(const struct core *core, const struct core_nic *n)
{
    const struct core_source *s = &core->sources[n->source];

    return s->failback_automatic && !s->paused;
}

bool core_yields_to_source(const struct core *core, uint32_t address)
{
    const struct core_address *a = &core->addresses[address];
    const struct core_nic *n = &core->nics[a->nic];

    return a->claim == CORE_CLAIM_HELD && !mac_address_is_unset(&a->mac) && gives_back_by_itself(core, n) &&
           core->sources[n->source].hold_down_ns == 0 && n->false_returns < CORE_FALSE_RETURNS_MAX;
}

static void ask(struct core *core, uint32_t address, const struct mac_address *mac, bool intent)
{
    const struct core_address *a = &core->addresses[address];
    struct core_action action = {
        .type = CORE_ASK, .nic = a->nic, .address = address, .target = a->held_on, .intent = intent};

    if (mac)
        action.mac = *mac;
    if (core->targets[a->held_on].fit)
        emit(core, &action);
}

static void ask_source(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    if (mac_address_is_unset(&a->mac))
        return;
    a->source_asked_ns = now_ns;
    ask(core, address, &a->mac, false);
}

static void say_of(struct core *core, enum core_action_type type, uint32_t address, const struct mac_address *mac)
{
    const struct core_address *a = &core->addresses[address];

    emit(core,
         &(struct core_action){.type = type, .nic = a->nic, .address = address, .target = a->held_on, .mac = *mac});
}

static void defend(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    /* RFC 5227 section 2.4 (b): announced once, and not again within DEFEND_INTERVAL. */
    if (is_recent(a->defended_ns, now_ns, CORE_DEFEND_NS))
        return;
    a->defended_ns = now_ns;
    emit_for_address(core, CORE_DEFEND, address, a->held_on);
}

/* The source is proved to be there: since when without a gap, and is it long enough? */
static void judge_return(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    if (n->back_since_ns == NSEC_UNSET || n->state != CORE_HOLDING || !gives_back_by_itself(core, n) ||
        now_ns - n->back_since_ns < core->sources[n->source].hold_down_ns ||
        n->watched_ns == now_ns || /* until now it could not be asked whether it stays */
        now_ns < n->leave_again_ns || n->leaving)
        return;
    /* It was taken over although it answered, for a service that failed: that it answers says nothing. */
    if (n->reason == CORE_REASON_SERVICE)
        return;
    n->by_probe = false;
    gate_leave(core, now_ns, nic, CORE_REASON_RETURNED);
}

void return_end_proof(struct core *core, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    n->answers = n->extras = 0;
    n->question_ns = NSEC_NEVER;
    n->question_address = NO_ADDRESS;
    nic_set_timer(core, nic);
}

/* An answer to a question. */
static void count_answer(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    a->source_asked_ns = NSEC_UNSET;
    a->source_seen_ns = now_ns;
    if (n->back_since_ns != NSEC_UNSET || now_ns < n->distrust_ns || (n->answers > 0 && n->question_address != address))
        return;
    n->question_address = address;
    n->answers++;
    n->question_ns = now_ns + PROOF_SPACING_NS;
    if (n->answers == PROOF_ANSWERS) {
        return_end_proof(core, a->nic);
        n->back_since_ns = now_ns;
        say_of(core, CORE_RETURNED, address, &a->mac);
        judge_return(core, now_ns, a->nic);
        return;
    }
    nic_set_timer(core, a->nic);
}

/* An answer to no question, or to one that had its answer. A network that doubles frames brings as many of them, and
 * everybody may have been asked in the look that began the proof. */
static void count_extra(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_nic *n = &core->nics[core->addresses[address].nic];

    if (n->answers == 0 || n->question_address != address || ++n->extras <= n->answers + 1)
        return;
    n->distrust_ns = now_ns + DISTRUST_NS;
    return_end_proof(core, core->addresses[address].nic);
}

static void go_on_proving(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    const struct core_address *a;

    if (n->question_ns > now_ns)
        return;
    a = &core->addresses[n->question_address];
    if (a->source_asked_ns != NSEC_UNSET || a->claim != CORE_CLAIM_HELD) {
        return_end_proof(core, nic); /* the question before was not answered */
        return;
    }
    n->question_ns = now_ns + ANSWER_WITHIN_NS;
    ask_source(core, now_ns, n->question_address);
}

void return_on_unasked(struct core *core, uint32_t address)
{
    core->addresses[address].source_asked_ns = NSEC_UNSET;
    core->nics[core->addresses[address].nic].watched_ns = NSEC_UNSET;
}

/* Whether a proof about this address is under way, which asks in its own time. */
static bool is_questioned(const struct core_nic *n, uint32_t address)
{
    return n->answers > 0 && n->question_address == address;
}

/* A look that should have been is not over yet. */
static bool is_look_late(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    return now_ns - n->watch_next_ns >= look_ns(core, n);
}

bool return_is_watched(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    /* Answers come that are not believed: that is no silence. */
    if (now_ns < n->distrust_ns)
        return false;
    return n->watched_ns != NSEC_UNSET && now_ns - n->watched_ns >= core->sources[n->source].verify_spacing_ns &&
           !is_look_late(core, now_ns, n);
}

/* One address after the other has its turn; where there are many, not each look asks for all. */
static void look_for_source(struct core *core, nsec_t now_ns, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];
    uint32_t first = n->n_addresses <= LOOK_AT_ONCE ? 0 : n->watch_turns * LOOK_AT_ONCE % n->n_addresses;
    nsec_t newest_ns = NSEC_UNSET, silent_ns = nsec_max(SILENT_NS, SILENT_LOOKS * look_ns(core, n));

    for (uint32_t i = 0; i < n->n_addresses; i++) {
        uint32_t address = n->first_address + (first + i) % n->n_addresses;

        newest_ns = nsec_max(newest_ns, core->addresses[address].source_seen_ns);
        if (i < LOOK_AT_ONCE && core->addresses[address].claim == CORE_CLAIM_HELD && !is_questioned(n, address))
            ask_source(core, now_ns, address);
    }
    /* Where we stood still, or answers were lost, the source was not silent, but not asked or not heard. */
    if (now_ns - n->watched_ns >= silent_ns && !is_recent(newest_ns, now_ns, silent_ns))
        core->nics[nic].back_since_ns = NSEC_UNSET;
}

static nsec_t ask_all_ns(const struct core *core)
{
    return ASK_ALL_NS + core->n_nics * ASK_ALL_EACH_NS;
}

bool return_deputy_is_gone(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    return n->deputy_asked_ns != NSEC_UNSET && now_ns - n->deputy_asked_ns > 2 * ask_all_ns(core);
}

/*
 * Does anybody else have it? One address stands for all, since targets with one file hold the same. A target that stood
 * in before us is asked in each look, everybody now and then: these are broadcasts. The source would answer, too:
 * not where its answers are being counted.
 */
static void look_for_others(struct core *core, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];
    uint32_t each = (uint32_t)(ask_all_ns(core) / look_ns(core, n));

    for (uint32_t i = 0; i < n->n_addresses; i++) {
        uint32_t address = n->first_address + (n->watch_turns / each + i) % n->n_addresses;
        const struct core_address *a = &core->addresses[address];

        if (a->claim != CORE_CLAIM_HELD || is_questioned(n, address))
            continue;
        if (n->watch_turns % each == 0)
            ask(core, address, NULL, false);
        else if (!mac_address_is_unset(&a->deputy_mac))
            ask(core, address, &a->deputy_mac, false);
        return;
    }
}

void return_begin(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    n->watch_turns = 0;
    n->watch_next_ns = now_ns + look_ns(core, n);
    n->back_since_ns = n->other_ns = n->contest_ns = n->watched_ns = NSEC_UNSET;
    return_end_proof(core, nic);
}

void return_on_time(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    go_on_proving(core, now_ns, nic);
    if (n->watch_next_ns > now_ns)
        return;
    if (n->watched_ns == NSEC_UNSET || is_look_late(core, now_ns, n))
        n->watched_ns = now_ns;
    n->watch_next_ns = n->n_held > 0 ? now_ns + look_ns(core, n) : NSEC_NEVER;
    look_for_source(core, now_ns, nic);
    look_for_others(core, nic);
    n->watch_turns++;
    judge_return(core, now_ns, nic);
}

/* Both signs of another target that holds the same: who gives way? */
static void settle_contest(struct core *core, nsec_t now_ns, uint32_t address)
{
    const struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (n->state != CORE_HOLDING || !is_recent(n->other_ns, now_ns, CONTEST_WITHIN_NS) ||
        !is_recent(n->contest_ns, now_ns, CONTEST_WITHIN_NS) || !mac_address_equal(&n->other_mac, &n->contest_mac))
        return;
    if (mac_address_compare(&n->other_mac, &core->targets[a->held_on].mac) < 0) {
        nic_blame(n, address, &n->other_mac, 0);
        nic_release(core, now_ns, a->nic, CORE_REASON_RIVAL);
        return;
    }
    /* The other one gives way. Whoever believed it meanwhile has to be told. */
    if (is_recent(n->settled_ns, now_ns, CORE_DEFEND_NS))
        return;
    n->settled_ns = now_ns;
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (core->addresses[i].claim == CORE_CLAIM_HELD)
            emit_for_address(core, CORE_ANNOUNCE_AGAIN, i, core->addresses[i].held_on);
}

/* The probe that tells another target that we hold the address. */
static void contest(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_nic *n = &core->nics[core->addresses[address].nic];

    if (is_recent(n->contested_ns, now_ns, CONTEST_NS))
        return;
    n->contested_ns = now_ns;
    ask(core, address, NULL, true);
}

/* Somebody who is not the source answers for what we hold. */
static void on_other(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    struct core_nic *n = &core->nics[core->addresses[address].nic];

    n->other_mac = *mac;
    n->other_ns = now_ns;
    say_of(core, CORE_CONFLICT, address, mac);
    contest(core, now_ns, address);
    settle_contest(core, now_ns, address);
}

bool return_is_proved(const struct core *core, const struct core_address *a)
{
    return core->nics[a->nic].back_since_ns != NSEC_UNSET && a->source_seen_ns != NSEC_UNSET;
}

bool return_is_hinted(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        if (is_recent(core->addresses[i].source_seen_ns, now_ns, HINT_WITHIN_NS))
            return true;
    return false;
}

const struct mac_address *return_user(const struct core *core, nsec_t now_ns, uint32_t address)
{
    const struct core_address *a = &core->addresses[address];
    const struct core_nic *n = &core->nics[a->nic];

    if (return_is_proved(core, a))
        return &a->mac;
    return is_recent(n->other_ns, now_ns, CONTEST_WITHIN_NS) ? &n->other_mac : NULL;
}

bool return_is_seen(const struct core_address *a, nsec_t now_ns)
{
    return is_recent(a->source_seen_ns, now_ns, ANSWER_WITHIN_NS);
}

void return_on_deputy(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    a->source_asked_ns = a->source_seen_ns = NSEC_UNSET;
    core->nics[a->nic].back_since_ns = NSEC_UNSET;
    return_end_proof(core, a->nic);
    on_other(core, now_ns, address, &a->deputy_mac);
}

void return_on_answer(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    const struct core_address *a = &core->addresses[address];

    if (!is_source(a, mac))
        on_other(core, now_ns, address, mac);
    else if (is_recent(a->source_asked_ns, now_ns, ANSWER_WITHIN_NS))
        count_answer(core, now_ns, address);
    else
        count_extra(core, now_ns, address);
}

void return_on_heard(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    const struct core_address *a = &core->addresses[address];

    if (!is_source(a, mac)) {
        defend(core, now_ns, address);
        on_other(core, now_ns, address, mac);
        return;
    }
    if (!core_yields_to_source(core, address))
        defend(core, now_ns, address);
    if (!is_recent(a->source_asked_ns, now_ns, ASK_AGAIN_NS) && !is_questioned(&core->nics[a->nic], address))
        ask_source(core, now_ns, address);
}

void return_on_probe(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    const struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (is_source(a, mac)) {
        say_of(core, CORE_RETURN_PROBED, address, mac);
        if (n->state == CORE_HOLDING && core_yields_to_source(core, address)) {
            n->by_probe = true;
            nic_blame(n, address, mac, 0);
            nic_release(core, now_ns, a->nic, CORE_REASON_RETURNED);
        }
        return;
    }
    n->contest_mac = *mac;
    n->contest_ns = now_ns;
    /* Whoever is just about to use it is told by our kernel. Whoever uses it already answers, or has answered before:
     * he, too, needs both signs. */
    if (is_recent(n->other_ns, now_ns, CONTEST_WITHIN_NS) && mac_address_equal(&n->other_mac, mac)) {
        contest(core, now_ns, address);
    } else if (!is_recent(n->asked_all_ns, now_ns, CONTEST_NS)) {
        n->asked_all_ns = now_ns;
        ask(core, address, NULL, false);
    }
    settle_contest(core, now_ns, address);
}
