/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for the core's tests: a few sources, NICs, addresses and target NICs, virtual time, and every action that the
 * core emitted, in order. After each event the core's own bookkeeping is counted again.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/core/core.h"

/* While something is held: from one look for the source to the next, as long as there are not many NICs. */
#define LOOK_NS (250 * NSEC_PER_MSEC)
#define QUESTION_NS (30 * NSEC_PER_MSEC)
#define INTERVAL_NS (10 * NSEC_PER_MSEC)
#define SPACING_NS (10 * NSEC_PER_MSEC)
#define MISSES 3
#define ASKS 3
#define ACTIONS_MAX 8192

struct world {
    struct core core;
    struct core_source sources[4];
    struct core_nic nics[8];
    struct core_address addresses[640];
    struct core_target targets[4];
    struct heap_entry entries[8];
    uint32_t positions[8];
    nsec_t now_ns;
    struct core_action actions[ACTIONS_MAX]; /* since the last forget() */
    enum core_state became[ACTIONS_MAX];     /* of a CORE_CHANGED: the new state */
    uint32_t n_actions;
    void (*watch)(struct world *w, const struct core_action *action); /* called with each action; may be NULL */
};

static const struct mac_address source_mac = {{2, 0, 0, 0, 0, 1}};
static const struct mac_address own_mac = {{2, 0, 0, 0, 0, 5}};
static const struct mac_address lower_mac = {{2, 0, 0, 0, 0, 4}};
static const struct mac_address higher_mac = {{2, 0, 0, 0, 0, 6}};

static inline void record(void *userdata, const struct core_action *action)
{
    struct world *w = userdata;

    assert_true(w->n_actions < ACTIONS_MAX);
    w->became[w->n_actions] = action->nic == UINT32_MAX ? CORE_STATES : w->nics[action->nic].state;
    w->actions[w->n_actions++] = *action;
    if (action->type == CORE_CLAIM)
        assert_true(w->targets[action->target].fit);
    if (action->type == CORE_RELEASE)
        assert_int_equal(w->addresses[action->address].claim, CORE_CLAIM_RELEASING);
    if (w->watch)
        w->watch(w, action);
}

/* An empty world; sources, NICs, addresses and targets are added in this order, then it is started. */
static inline void world_begin(struct world *w)
{
    *w = (struct world){.now_ns = 1000 * NSEC_PER_SEC};
    w->core = (struct core){.sources = w->sources,
                            .nics = w->nics,
                            .addresses = w->addresses,
                            .targets = w->targets,
                            .act = record,
                            .userdata = w};
    heap_init(&w->core.timers, w->entries, w->positions, 8);
}

static inline struct core_source *add_source(struct world *w)
{
    w->sources[w->core.n_sources] = (struct core_source){.first_nic = w->core.n_nics,
                                                         .misses = MISSES,
                                                         .verify_asks = ASKS,
                                                         .look_ns = LOOK_NS,
                                                         .verify_spacing_ns = SPACING_NS,
                                                         .approval_timeout_ns = NSEC_NEVER};
    return &w->sources[w->core.n_sources++];
}

static inline struct core_nic *add_nic(struct world *w)
{
    uint32_t source = w->core.n_sources - 1;

    w->sources[source].n_nics++;
    w->nics[w->core.n_nics] = (struct core_nic){.source = source, .first_address = w->core.n_addresses};
    return &w->nics[w->core.n_nics++];
}

static inline struct core_address *add_address(struct world *w, uint16_t target, uint16_t fallback)
{
    uint32_t nic = w->core.n_nics - 1;

    w->nics[nic].n_addresses++;
    w->addresses[w->core.n_addresses] =
        (struct core_address){.nic = nic, .target = {target, fallback}, .monitored = true, .asked_by_link = true};
    return &w->addresses[w->core.n_addresses++];
}

static inline void start_unfit(struct world *w, uint16_t n_targets)
{
    w->core.n_targets = n_targets;
    for (uint16_t i = 0; i < n_targets; i++)
        w->targets[i].mac = own_mac;
    core_init(&w->core, w->now_ns);
}

static inline void forget(struct world *w)
{
    w->n_actions = 0;
}

static inline bool counts_for_trigger(const struct world *w, const struct core_address *a)
{
    return a->monitored && a->claim != CORE_CLAIM_HELD && (!w->nics[a->nic].trigger_any || a->armed);
}

static inline void check_counts(const struct world *w, const struct core_nic *n)
{
    uint32_t limit = w->sources[n->source].misses;
    struct core_nic c = {0};

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        const struct core_address *a = &w->addresses[i];
        bool watched = counts_for_trigger(w, a), ours = a->held_on != CORE_NO_TARGET;

        c.n_monitored += a->monitored;
        c.n_held += a->claim == CORE_CLAIM_HELD;
        c.n_claiming += a->claim == CORE_CLAIM_CLAIMING;
        c.n_releasing += a->claim == CORE_CLAIM_RELEASING;
        c.n_watched += watched;
        c.n_up += watched && a->life == CORE_LIFE_UP;
        c.n_doubtful += watched && a->misses > 0;
        c.n_near += watched && a->misses > 0 && a->misses + 1 >= limit;
        c.n_lost += watched && a->life == CORE_LIFE_LOST;
        assert_true(a->life != CORE_LIFE_LOST || a->misses >= limit);
        assert_true(a->life != CORE_LIFE_UP || a->misses == 0);
        assert_int_equal(ours, a->claim == CORE_CLAIM_CLAIMING || a->claim == CORE_CLAIM_HELD ||
                                   a->claim == CORE_CLAIM_RELEASING);
    }
    assert_int_equal(n->n_monitored, c.n_monitored);
    assert_int_equal(n->n_held, c.n_held);
    assert_int_equal(n->n_claiming, c.n_claiming);
    assert_int_equal(n->n_releasing, c.n_releasing);
    assert_int_equal(n->n_watched, c.n_watched);
    assert_int_equal(n->n_up, c.n_up);
    assert_int_equal(n->n_doubtful, c.n_doubtful);
    assert_int_equal(n->n_near, c.n_near);
    assert_int_equal(n->n_lost, c.n_lost);
}

static inline void check_state(const struct world *w, uint32_t nic)
{
    const struct core_nic *n = &w->nics[nic];
    nsec_t due_ns = n->next_ask_ns;
    bool busy = n->n_claiming + n->n_releasing > 0;
    /* What somebody took off us, or the first part while verify goes on for the rest. */
    bool puts_back = (n->state == CORE_HOLDING || n->state == CORE_VERIFYING) && n->n_claiming > 0;

    assert_true(n->state < CORE_STATES && n->reason < CORE_REASONS);
    assert_int_equal(busy && !puts_back, n->state == CORE_CLAIMING || n->state == CORE_RELEASING);
    assert_true(n->state != CORE_CLAIMING || n->n_claiming > 0);
    assert_true(!n->in_parts || n->state == CORE_VERIFYING);
    assert_true(n->n_releasing == 0 || n->state == CORE_RELEASING);
    assert_true(n->state != CORE_HOLDING || n->n_held > 0 || puts_back);
    assert_true(n->n_held == 0 || busy || n->state == CORE_HOLDING || n->state == CORE_VERIFYING);
    assert_true(n->state != CORE_UP || n->seen);
    assert_true(n->state != CORE_DISARMED || (n->disarmed && !n->armed));
    assert_true((n->state != CORE_BLOCKED && n->state != CORE_AWAITING && n->state != CORE_LOST) || n->armed ||
                n->reason == CORE_REASON_NO_CARRIER || n->reason == CORE_REASON_CUT_OFF);
    assert_true(!n->disarmed || !n->armed);
    assert_int_equal(n->verify_until_ns != NSEC_NEVER, n->state == CORE_VERIFYING);
    assert_true(n->approval_until_ns == NSEC_NEVER || n->state == CORE_AWAITING);
    assert_true(n->suspected ||
                (n->next_ask_ns == NSEC_NEVER && n->state != CORE_VERIFYING && n->asks == 0 && n->n_asked == 0));
    assert_true(!n->by_operator || n->state == CORE_VERIFYING || n->state == CORE_PREPARING);
    assert_true(n->state != CORE_PREPARING || (n->preparing && w->sources[n->source].gated));
    assert_true(n->yields <= CORE_YIELDS_MAX);
    due_ns = n->verify_until_ns < due_ns ? n->verify_until_ns : due_ns;
    due_ns = n->approval_until_ns < due_ns ? n->approval_until_ns : due_ns;
    due_ns = n->watch_next_ns < due_ns ? n->watch_next_ns : due_ns;
    due_ns = n->question_ns < due_ns ? n->question_ns : due_ns;
    due_ns = n->home_ns < due_ns ? n->home_ns : due_ns;
    assert_true(n->n_held == 0 || n->watch_next_ns != NSEC_NEVER);
    assert_int_equal(heap_due(&w->core.timers, nic), due_ns);
}

static inline void check(const struct world *w)
{
    uint32_t verifying = 0;

    for (uint32_t i = 0; i < w->core.n_nics; i++) {
        check_counts(w, &w->nics[i]);
        check_state(w, i);
        verifying += w->nics[i].state == CORE_VERIFYING;
    }
    assert_int_equal(w->core.n_verifying, verifying);
}

/* Lets time pass; what falls due is served at its time, and must then be over or later. */
static inline void pass(struct world *w, nsec_t span_ns)
{
    nsec_t end_ns = w->now_ns + span_ns, due_ns;

    while ((due_ns = core_deadline(&w->core)) <= end_ns) {
        if (due_ns > w->now_ns)
            w->now_ns = due_ns;
        core_on_time(&w->core, w->now_ns);
        assert_true(core_deadline(&w->core) > w->now_ns);
        check(w);
    }
    w->now_ns = end_ns;
}

static inline void answer(struct world *w, uint32_t address)
{
    core_on_answer(&w->core, w->now_ns, address, &source_mac);
    check(w);
}

static inline void miss(struct world *w, uint32_t address)
{
    core_on_miss(&w->core, w->now_ns, address, w->addresses[address].misses + 1, SPACING_NS);
    check(w);
}

static inline void link_is(struct world *w, uint16_t target, bool fit)
{
    core_on_link(&w->core, w->now_ns, target, fit);
    check(w);
}

/* A witness answers a request that leaves now. */
static inline void witness(struct world *w, uint16_t target)
{
    core_on_witness(&w->core, w->now_ns, target, w->now_ns);
    check(w);
}

static inline void hear(struct world *w, uint32_t address, const struct mac_address *mac)
{
    core_on_heard(&w->core, w->now_ns, address, mac);
    check(w);
}

/* The question that was asked for it did not leave. */
static inline void unasked(struct world *w, uint32_t address)
{
    core_on_unasked(&w->core, w->now_ns, address);
    check(w);
}

static inline void rival(struct world *w, uint32_t address, const struct mac_address *mac)
{
    core_on_rival(&w->core, w->now_ns, address, mac);
    check(w);
}

static inline void stall(struct world *w, uint32_t source)
{
    core_on_void(&w->core, w->now_ns, source);
    check(w);
}

static inline void claimed(struct world *w, uint32_t address, int error)
{
    core_on_claimed(&w->core, w->now_ns, address, error);
    check(w);
}

static inline void released(struct world *w, uint32_t address, int error)
{
    core_on_released(&w->core, w->now_ns, address, error);
    check(w);
}

/* The source answers a look, and the questions that this brings, for an address that is held. */
static inline void prove_return(struct world *w, uint32_t address)
{
    for (int i = 0; i < 3; i++) {
        pass(w, i == 0 ? LOOK_NS : QUESTION_NS);
        answer(w, address);
    }
}

/* A round of every address in [first, last]: an interval goes by, then all are answered, or all are missed. */
static inline void round_answered(struct world *w, uint32_t first, uint32_t last)
{
    pass(w, INTERVAL_NS);
    for (uint32_t i = first; i <= last; i++)
        answer(w, i);
}

static inline void round_missed(struct world *w, uint32_t first, uint32_t last)
{
    pass(w, INTERVAL_NS);
    for (uint32_t i = first; i <= last; i++)
        if (w->addresses[i].monitored)
            miss(w, i);
}

/* As many missed rounds as make addresses [first, last] lost; a witness answers right after the first of them. */
static inline void lose(struct world *w, uint32_t first, uint32_t last)
{
    uint32_t rounds = w->sources[w->nics[w->addresses[first].nic].source].misses;

    for (uint32_t i = 0; i < rounds; i++) {
        round_missed(w, first, last);
        for (uint16_t t = 0; i == 0 && t < w->core.n_targets; t++)
            witness(w, t);
    }
}

/* The kernel's answer to every claim or release under way. */
static inline void settle(struct world *w, int error)
{
    for (uint32_t i = 0; i < w->core.n_addresses; i++) {
        if (w->addresses[i].claim == CORE_CLAIM_CLAIMING)
            claimed(w, i, error);
        else if (w->addresses[i].claim == CORE_CLAIM_RELEASING)
            released(w, i, error);
    }
}

static inline void start(struct world *w, uint16_t n_targets)
{
    start_unfit(w, n_targets);
    for (uint16_t i = 0; i < n_targets; i++)
        link_is(w, i, true);
    forget(w);
}

/* One source with one NIC and `n` addresses, all healthy, all mapped to target NIC 0 with 1 to fall back to. */
static inline void world_plain(struct world *w, uint32_t n)
{
    world_begin(w);
    add_source(w);
    add_nic(w);
    for (uint32_t i = 0; i < n; i++)
        add_address(w, 0, 1);
    start(w, 2);
    round_answered(w, 0, n - 1);
    forget(w);
}

/* The same, lost and held. */
static inline void world_held(struct world *w, uint32_t n)
{
    world_plain(w, n);
    lose(w, 0, n - 1);
    settle(w, 0);
    assert_int_equal(w->nics[0].state, CORE_HOLDING);
    forget(w);
}

/* One source that is only pinged. */
static inline void world_pinged(struct world *w)
{
    world_begin(w);
    add_source(w);
    add_nic(w);
    add_address(w, 0, CORE_NO_TARGET)->asked_by_link = false;
    start(w, 1);
    core_on_answer(&w->core, w->now_ns, 0, NULL);
    pass(w, INTERVAL_NS);
    forget(w);
}

static inline uint32_t emitted(const struct world *w, enum core_action_type type)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < w->n_actions; i++)
        count += w->actions[i].type == type;
    return count;
}

/* How many of these broadcasts were in the probe form. */
static inline uint32_t intents(const struct world *w)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < w->n_actions; i++)
        count += w->actions[i].type == CORE_ASK && w->actions[i].intent;
    return count;
}

static inline const struct core_action *nth(const struct world *w, enum core_action_type type, uint32_t number)
{
    for (uint32_t i = 0; i < w->n_actions; i++)
        if (w->actions[i].type == type && number-- == 0)
            return &w->actions[i];
    fail_msg("that action was not emitted");
    return NULL;
}

/* The states that the NIC went through, as text: "late verifying". */
static inline const char *path_of(const struct world *w, uint32_t nic)
{
    static char text[256];
    size_t length = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < w->n_actions; i++) {
        if (w->actions[i].type != CORE_CHANGED || w->actions[i].nic != nic || w->actions[i].was == w->became[i])
            continue;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? " " : "",
                                   core_state_name(w->became[i]));
    }
    return text;
}

#define assert_state(w, nic, wanted) assert_string_equal(core_state_name((w)->nics[nic].state), core_state_name(wanted))
#define assert_reason(w, nic, wanted) assert_int_equal((w)->nics[nic].reason, wanted)
