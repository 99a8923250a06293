/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random events at random cores. After each event the core's bookkeeping is counted again, and each claim is judged
 * against a model that saw the same events. At the end of each world all is healed: then what answers must be up, and
 * what is lost must be held. SEED in the environment repeats a run.
 */
#include <stdlib.h>
#include <time.h>

#include "tests/unit/core_fixture.h"

#define STEPS 2000000
#define STEPS_PER_WORLD 600

/* What the events themselves say of an address. */
struct fact {
    uint32_t row;       /* misses since it last answered, or since evidence was voided */
    bool up;            /* its newest round was answered */
    nsec_t answered_ns; /* when it last answered; 0 */
    uint32_t asks;      /* broadcasts for it since the last answer, void or order */
};

struct chaos {
    struct world w; /* first: the fixture hands out only this */
    struct fact facts[32];
    bool ready[8];  /* NICs for which all that must come before a claim succeeded, and which were silent since */
    bool fenced[4]; /* sources that were fenced for a failed service */
    bool dead[8];   /* NICs whose rounds are mostly missed just now */
    bool begun[8];  /* NICs whose first part is claimed, while verify goes on for the rest */
    bool in_result; /* the kernel's answer is being handled: a claim now is a second try on the fallback NIC */
};

static uint32_t below(uint32_t limit)
{
    return (uint32_t)random() % limit;
}

static bool once_in(uint32_t times)
{
    return below(times) == 0;
}

static void evidence_begins_anew(struct chaos *c, uint32_t nic, bool rows)
{
    const struct core_nic *n = &c->w.nics[nic];

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        c->facts[i] = (struct fact){
            .row = rows ? 0 : c->facts[i].row, .up = c->facts[i].up, .answered_ns = c->facts[i].answered_ns};
}

/* What answered while it was still being released is not what counts. */
static void given_back(struct chaos *c, uint32_t nic)
{
    const struct core_nic *n = &c->w.nics[nic];

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++)
        c->facts[i] = (struct fact){0};
}

/* A claim by the core itself, because the NIC is lost. */
static void judge_verdict(const struct chaos *c, const struct core_action *action)
{
    const struct world *w = &c->w;
    const struct core_nic *n = &w->nics[action->nic];
    const struct core_source *s = &w->sources[n->source];
    const struct core_target *t = &w->targets[action->target];
    uint32_t lost = 0, watched = 0;
    nsec_t answered_ns = 0;

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        const struct core_address *a = &w->addresses[i];

        if (!counts_for_trigger(w, a))
            continue;
        watched++;
        lost += c->facts[i].row >= s->misses;
        answered_ns = c->facts[i].answered_ns > answered_ns ? c->facts[i].answered_ns : answered_ns;
    }
    assert_true(n->armed);
    if (!c->fenced[n->source])
        assert_int_equal(core_source_is_lost(&w->core, n->source) ? s->on_host : s->on_nic, CORE_POLICY_AUTOMATIC);
    if (n->state == CORE_VERIFYING) { /* the first part */
        assert_true(c->facts[action->address].row >= s->misses && c->facts[action->address].asks >= 1);
    } else {
        assert_true(c->facts[action->address].asks >= (n->asked_apart ? s->verify_asks : 1));
    }
    /* A takeover that has begun is ended by no pause; and what its own row of misses was is gone with a stall. */
    if (!c->begun[action->nic])
        assert_true(!s->paused && (n->trigger_any ? lost > 0 : lost == watched));
    assert_int_not_equal(t->witness, CORE_WITNESS_MISSING);
    assert_true(n->trigger_any || t->witness != CORE_WITNESS_EXPECTED || t->witness_asked_ns >= answered_ns);
}

static void judge_claim(struct chaos *c, const struct core_action *action)
{
    const struct world *w = &c->w;
    const struct core_nic *n = &w->nics[action->nic];
    const struct core_address *a = &w->addresses[action->address];
    const struct core_target *t = &w->targets[action->target];

    assert_true(n->state == CORE_CLAIMING || (n->state == CORE_VERIFYING && a->asked_by_link));
    assert_int_equal(a->claim, CORE_CLAIM_CLAIMING);
    assert_true(action->target == a->target[0] || action->target == a->target[1]);
    if (n->reason == CORE_REASON_FORCED || n->reason == CORE_REASON_HOME)
        return;
    if (n->reason == CORE_REASON_SERVICE) {
        assert_true(w->sources[n->source].service_force && t->witness != CORE_WITNESS_MISSING);
        assert_true(t->witness != CORE_WITNESS_EXPECTED || t->witness_asked_ns >= n->evidence_ns);
        return;
    }
    if (w->sources[n->source].gated && n->n_held == 0 && !n->moving && !c->in_result)
        assert_true(c->ready[action->nic] || c->fenced[n->source]);
    assert_true(a->heard_ns < n->evidence_ns);
    /* Disarmed: its answers were on a path that was lost since, with nobody to tell whose fault that was. */
    assert_false(c->facts[action->address].up && a->armed);
    assert_true(t->witness != CORE_WITNESS_EXPECTED || t->witness_asked_ns >= n->evidence_ns);
    if (c->in_result)
        return;
    if (n->moving)
        assert_true(c->facts[action->address].asks >= 1);
    else if (n->reason == CORE_REASON_OPERATOR)
        assert_true(c->facts[action->address].asks >= w->sources[n->source].verify_asks);
    else
        judge_verdict(c, action);
    c->begun[action->nic] = c->begun[action->nic] || n->state == CORE_VERIFYING;
}

static void on_action(struct world *w, const struct core_action *action)
{
    struct chaos *c = (struct chaos *)w;

    switch (action->type) {
    case CORE_ASK:
        assert_true(w->targets[action->target].fit);
        if (w->addresses[action->address].claim == CORE_CLAIM_HELD)
            break; /* looking for the source, and for others */
        c->facts[action->address].asks++;
        break;
    case CORE_CLAIM:
        judge_claim(c, action);
        break;
    case CORE_HURRY:
        assert_true(w->addresses[action->address].monitored);
        assert_int_not_equal(w->addresses[action->address].claim, CORE_CLAIM_HELD);
        break;
    case CORE_RESTART:
        evidence_begins_anew(c, action->nic, true);
        break;
    case CORE_ANNOUNCE:
        assert_int_equal(w->addresses[action->address].claim, CORE_CLAIM_HELD);
        break;
    case CORE_CHANGED:
        if (w->nics[action->nic].state == CORE_VERIFYING && w->nics[action->nic].by_operator)
            evidence_begins_anew(c, action->nic, false); /* a reload may end it, and the row of misses goes on */
        if (w->nics[action->nic].state != CORE_VERIFYING && w->nics[action->nic].state != CORE_CLAIMING)
            c->begun[action->nic] = false;
        if (action->was == CORE_RELEASING)
            given_back(c, action->nic);
        break;
    case CORE_ANNOUNCE_AGAIN:
    case CORE_DEFEND:
    case CORE_RETURNED:
    case CORE_RETURN_PROBED:
    case CORE_CONFLICT:
        assert_int_equal(w->addresses[action->address].claim, CORE_CLAIM_HELD);
        break;
    case CORE_PREPARE:
        assert_true(w->sources[action->source].gated);
        break;
    case CORE_LEAVE:
        assert_true(w->sources[action->source].leaves_first && w->nics[action->nic].n_held > 0);
        break;
    case CORE_CLAIM_NAME:
    case CORE_RELEASE_NAME:
        fail_msg("no source here has a name");
        break;
    case CORE_ASK_WITNESSES:
    case CORE_ASK_CARRIER:
    case CORE_RELEASE:
    case CORE_ANNOUNCE_SOURCE:
    case CORE_SERVICE_CHANGED:
        break;
    }
}

static void build(struct chaos *c)
{
    struct world *w = &c->w;
    uint16_t n_targets = (uint16_t)(1 + below(4));

    *c = (struct chaos){0};
    world_begin(w);
    w->watch = on_action;
    for (uint32_t i = 1 + below(2); i > 0; i--) {
        struct core_source *s = add_source(w);

        s->misses = 1 + below(4);
        s->on_host = once_in(3) ? (enum core_policy)below(3) : CORE_POLICY_AUTOMATIC;
        s->on_nic = once_in(3) ? (enum core_policy)below(3) : s->on_host;
        s->claim_unseen = once_in(8);
        s->announce_source = once_in(2);
        s->failback_automatic = once_in(2);
        s->hold_down_ns = once_in(2) ? 0 : 100 * NSEC_PER_MSEC;
        s->verify_asks = 1 + below(3);
        s->approval_timeout_ns = once_in(2) ? NSEC_NEVER : 100 * NSEC_PER_MSEC;
        s->approval_default_approve = once_in(2);
        s->has_fence = once_in(4);
        s->gated = s->has_fence || once_in(4);
        s->leaves_first = once_in(4);
        s->service_force = once_in(4);
        s->on_service = (enum core_policy)below(3);
        for (uint32_t nics = 1 + below(3); nics > 0; nics--) {
            bool apart = once_in(3);

            add_nic(w)->trigger_any = once_in(3);
            for (uint32_t n = 1 + below(4), k = 0; k < n; k++) {
                struct core_address *a = add_address(w, (uint16_t)below(n_targets), CORE_NO_TARGET);

                if (once_in(2))
                    a->target[1] = (uint16_t)below(n_targets);
                a->monitored = k == 0 || !once_in(4);
                a->asked_by_link = a->monitored && !apart;
            }
        }
    }
    start_unfit(w, n_targets);
    for (uint16_t i = 0; i < n_targets; i++) {
        w->targets[i].witness = once_in(6) ? (enum core_witness)below(3) : CORE_WITNESS_EXPECTED;
        link_is(w, i, !once_in(5));
    }
}

static bool is_lost(const struct chaos *c, uint32_t nic)
{
    const struct core_nic *n = &c->w.nics[nic];
    uint32_t lost = 0, watched = 0;

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        bool counts = counts_for_trigger(&c->w, &c->w.addresses[i]);

        watched += counts;
        lost += counts && c->facts[i].row >= c->w.sources[n->source].misses;
    }
    return n->trigger_any ? lost > 0 : lost == watched;
}

static void lived(struct chaos *c, uint32_t address)
{
    struct world *w = &c->w;
    uint32_t nic = w->addresses[address].nic;

    if (w->addresses[address].claim != CORE_CLAIM_HELD) {
        c->facts[address] = (struct fact){.up = true, .answered_ns = w->now_ns};
        c->ready[nic] = c->ready[nic] && is_lost(c, nic);
    }
    core_on_answer(&w->core, w->now_ns, address, once_in(3) ? NULL : &source_mac);
}

static void missed(struct chaos *c, uint32_t address)
{
    struct world *w = &c->w;

    if (w->addresses[address].claim != CORE_CLAIM_HELD) {
        c->facts[address].row++;
        c->facts[address].up = false;
    }
    core_on_miss(&w->core, w->now_ns, address, w->addresses[address].misses + 1, 1 + below((uint32_t)(2 * SPACING_NS)));
}

static void random_round(struct chaos *c)
{
    uint32_t address = below(c->w.core.n_addresses);

    if (!c->w.addresses[address].monitored)
        return;
    if (once_in(20) != c->dead[c->w.addresses[address].nic])
        missed(c, address);
    else
        lived(c, address);
}

static void random_speaker(struct chaos *c)
{
    static const struct mac_address *const macs[] = {&source_mac, &lower_mac, &higher_mac};
    struct world *w = &c->w;
    uint32_t address = below(w->core.n_addresses);

    if (once_in(2))
        core_on_rival(&w->core, w->now_ns, address, macs[below(3)]);
    else if (once_in(4))
        core_on_heard(&w->core, w->now_ns, address, macs[below(3)]);
    else if (once_in(2) && c->facts[address].asks > 0 && !w->addresses[address].unasked) {
        c->facts[address].asks--;
        core_on_unasked(&w->core, w->now_ns, address);
    } else
        core_on_asked(&w->core, w->now_ns, address, &source_mac);
}

static void random_result(struct chaos *c)
{
    static const int errors[] = {0, 0, 0, 0, -EPERM, -ENODEV, -EADDRNOTAVAIL};
    struct world *w = &c->w;
    uint32_t address = below(w->core.n_addresses);
    int error = errors[below(7)];

    c->in_result = true;
    if (once_in(2))
        core_on_claimed(&w->core, w->now_ns, address, error);
    else
        core_on_released(&w->core, w->now_ns, address, error);
    c->in_result = false;
}

static void random_command(struct chaos *c)
{
    struct world *w = &c->w;
    uint32_t nic = below(w->core.n_nics), source = w->nics[nic].source;
    struct core_refusal refusal;
    int r;

    switch (below(8)) {
    case 0:
        r = core_failover(&w->core, w->now_ns, nic, once_in(8), &refusal);
        assert_true(r == 0 || r == -EBUSY || r == -EALREADY || r == -EINPROGRESS || r == -ENETDOWN);
        break;
    case 1:
        r = core_failback(&w->core, w->now_ns, nic);
        if (r == 0 || r == -EINPROGRESS)
            assert_true(w->nics[nic].state == CORE_RELEASING || w->nics[nic].leaving ||
                        (r == 0 && w->nics[nic].state == CORE_DISARMED));
        else
            assert_int_not_equal(w->nics[nic].state, CORE_RELEASING);
        break;
    case 2:
        core_approve(&w->core, w->now_ns, nic);
        break;
    case 3:
        if (once_in(3))
            core_deny(&w->core, w->now_ns, nic);
        break;
    case 4:
        if (once_in(3))
            core_pause(&w->core, w->now_ns, source);
        break;
    case 5:
        core_resume(&w->core, w->now_ns, source);
        break;
    case 6:
        for (uint32_t i = w->sources[source].first_nic; i < w->sources[source].first_nic + w->sources[source].n_nics;
             i++)
            evidence_begins_anew(c, i, true);
        core_on_void(&w->core, w->now_ns, source);
        break;
    case 7:
        c->dead[nic] = !c->dead[nic];
        break;
    }
}

/* Hooks, fences and checks end one way or another. */
static void random_service(struct chaos *c)
{
    static const enum core_reason reasons[] = {CORE_REASON_NONE, CORE_REASON_NONE, CORE_REASON_VETOED,
                                               CORE_REASON_NOT_FENCED};
    struct world *w = &c->w;
    uint32_t nic = below(w->core.n_nics), source = w->nics[nic].source;
    enum core_reason reason = reasons[below(4)];
    bool failed = once_in(2);

    switch (below(6)) {
    case 0:
        c->ready[nic] = w->nics[nic].preparing ? reason == CORE_REASON_NONE : c->ready[nic];
        core_on_prepared(&w->core, w->now_ns, nic, reason);
        break;
    case 1:
        core_on_left(&w->core, w->now_ns, nic, once_in(2) ? CORE_REASON_NONE : CORE_REASON_STAYS);
        break;
    case 2:
        c->fenced[source] = c->fenced[source] && failed;
        core_on_service(&w->core, w->now_ns, source, failed);
        break;
    case 3:
        if (w->sources[source].service == CORE_SERVICE_PREPARING && w->sources[source].has_fence)
            c->fenced[source] = c->fenced[source] || reason == CORE_REASON_NONE;
        core_on_service_prepared(&w->core, w->now_ns, source, reason);
        break;
    case 4:
        core_approve_service(&w->core, w->now_ns, source);
        break;
    case 5:
        core_deny_service(&w->core, w->now_ns, source);
        break;
    }
}

/* A NIC of a file that is loaded anew. Where nothing was changed, everything that the core knows is as it was. */
static void carry_nic(struct chaos *c, uint32_t nic, const struct world *old)
{
    struct core_carried carried[32];
    struct world *w = &c->w;
    const struct core_nic *n = &w->nics[nic];
    bool alike = !once_in(3);

    for (uint32_t i = 0; i < n->n_addresses; i++) {
        uint32_t address = n->first_address + i;

        carried[i] = (struct core_carried){.address = address,
                                           .held_on = old->addresses[address].held_on,
                                           .given_on = old->addresses[address].given_on,
                                           .alike = alike || once_in(2)};
        if (!carried[i].alike)
            c->facts[address].row = 0;
        if (!alike)
            c->facts[address].asks = 0;
    }
    core_carry(&w->core, nic, &old->core, nic, carried, alike);
    assert_int_equal(n->n_held, old->nics[nic].n_held);
    if (!alike)
        return;
    assert_memory_equal(n, &old->nics[nic], sizeof *n);
    assert_memory_equal(&w->addresses[n->first_address], &old->addresses[n->first_address],
                        n->n_addresses * sizeof *w->addresses);
}

/* The same file again: everything that the core keeps goes through core_carry. */
static void reload(struct chaos *c)
{
    static struct world old;
    struct world *w = &c->w;

    old = *w;
    old.core.sources = old.sources;
    old.core.nics = old.nics;
    old.core.addresses = old.addresses;
    old.core.targets = old.targets;
    memset(w->positions, 0, sizeof w->positions);
    heap_init(&w->core.timers, w->entries, w->positions, 8);
    for (uint32_t i = 0; i < w->core.n_sources; i++)
        w->sources[i].paused = false;
    for (uint32_t i = 0; i < w->core.n_nics; i++) {
        const struct core_nic *n = &old.nics[i];

        w->nics[i] = (struct core_nic){.source = n->source,
                                       .first_address = n->first_address,
                                       .n_addresses = n->n_addresses,
                                       .trigger_any = n->trigger_any};
    }
    for (uint32_t i = 0; i < w->core.n_addresses; i++) {
        const struct core_address *a = &old.addresses[i];

        w->addresses[i] = (struct core_address){.nic = a->nic,
                                                .target = {a->target[0], a->target[1]},
                                                .monitored = a->monitored,
                                                .asked_by_link = a->asked_by_link};
    }
    for (uint16_t i = 0; i < w->core.n_targets; i++)
        w->targets[i] = (struct core_target){.witness = old.targets[i].witness, .mac = old.targets[i].mac};
    core_init(&w->core, w->now_ns);
    for (uint16_t i = 0; i < w->core.n_targets; i++)
        core_carry_target(&w->core, i, &old.core, i, true);
    for (uint32_t i = 0; i < w->core.n_nics; i++)
        carry_nic(c, i, &old);
    for (uint32_t i = 0; i < w->core.n_sources; i++)
        core_carry_service(&w->core, i, &old.core, i);
    check(w);
}

/* What an agent before us left: known at the start, before anything is claimed. */
static void adopt(struct chaos *c)
{
    for (uint32_t i = 0; i < c->w.core.n_addresses; i++)
        if (once_in(8))
            core_on_adopted(&c->w.core, c->w.now_ns, i, c->w.addresses[i].target[0]);
    check(&c->w);
}

static void random_event(struct chaos *c)
{
    struct world *w = &c->w;
    uint16_t target = (uint16_t)below(w->core.n_targets);
    uint32_t dice = below(100);

    forget(w);
    if (dice < 50)
        random_round(c);
    else if (dice < 65)
        random_result(c);
    else if (dice < 80)
        core_on_witness(&w->core, w->now_ns, target, w->now_ns - (nsec_t)below(4) * INTERVAL_NS / 2);
    else if (dice < 84)
        random_speaker(c);
    else if (dice < 85)
        core_on_link(&w->core, w->now_ns, target, !w->targets[target].fit || once_in(2));
    else if (dice < 88)
        random_command(c);
    else if (dice == 88 && once_in(10))
        reload(c);
    else if (dice > 88 && dice < 94)
        random_service(c);
    check(w);
    /* Restart, change and a few actions for each address: an event cannot set off a storm. */
    assert_true(w->n_actions <= 5 * w->core.n_addresses + 4 * w->core.n_nics + 2 * w->core.n_sources);
    forget(w);
    pass(w, (nsec_t)below(3) * NSEC_PER_MSEC);
}

static void finish(struct chaos *c)
{
    forget(&c->w);
    c->in_result = true;
    for (int i = 0; i < 3; i++) /* a claim in a release, a claim, a release */
        settle(&c->w, 0);
    c->in_result = false;
}

static void heal(struct chaos *c)
{
    struct world *w = &c->w;

    finish(c);
    for (uint16_t i = 0; i < w->core.n_targets; i++) {
        w->targets[i].witness = CORE_WITNESS_EXPECTED;
        link_is(w, i, true);
    }
    for (uint32_t i = 0; i < w->core.n_nics; i++) {
        core_on_prepared(&w->core, w->now_ns, i, CORE_REASON_VETOED);
        core_on_left(&w->core, w->now_ns, i, CORE_REASON_STAYS);
    }
    for (uint32_t i = 0; i < w->core.n_sources; i++) {
        core_on_service(&w->core, w->now_ns, i, false);
        c->fenced[i] = w->sources[i].gated = w->sources[i].has_fence = w->sources[i].leaves_first = false;
        w->sources[i].on_host = w->sources[i].on_nic = CORE_POLICY_AUTOMATIC;
        core_resume(&w->core, w->now_ns, i);
    }
    for (int i = 0; i < 12; i++) {
        forget(w);
        pass(w, CORE_GATE_AGAIN_NS / 10);
    }
    for (uint32_t i = 0; i < w->core.n_nics; i++)
        core_failback(&w->core, w->now_ns, i);
    finish(c);
}

static void all_answer_then_none(struct chaos *c)
{
    struct world *w = &c->w;

    heal(c);
    pass(w, INTERVAL_NS);
    for (uint32_t i = 0; i < w->core.n_addresses; i++)
        if (w->addresses[i].monitored)
            lived(c, i);
    check(w);
    for (uint32_t i = 0; i < w->core.n_nics; i++)
        assert_state(w, i, CORE_UP);
    pass(w, INTERVAL_NS);
    for (int round = 0; round < 6; round++) {
        pass(w, INTERVAL_NS);
        forget(w);
        for (uint32_t i = 0; i < w->core.n_addresses; i++)
            if (w->addresses[i].monitored)
                missed(c, i);
        for (uint16_t i = 0; i < w->core.n_targets; i++)
            witness(w, i);
    }
    pass(w, NSEC_PER_SEC);
    settle(w, 0);
    for (uint32_t i = 0; i < w->core.n_nics; i++) {
        assert_state(w, i, CORE_HOLDING);
        assert_int_equal(w->nics[i].n_held, w->nics[i].n_addresses);
    }
}

static void begin(struct chaos *c)
{
    build(c);
    if (once_in(4))
        adopt(c);
}

static void random_events_at_random_cores(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given && *given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    static struct chaos c;

    (void)state;
    printf("# SEED=%u\n", seed);
    fflush(stdout);
    srandom(seed);
    for (int step = 0; step < STEPS; step++) {
        if (step % STEPS_PER_WORLD == 0)
            begin(&c);
        random_event(&c);
        if ((step + 1) % STEPS_PER_WORLD == 0)
            all_answer_then_none(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events_at_random_cores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
