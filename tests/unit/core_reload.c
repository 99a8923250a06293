/* SPDX-License-Identifier: Apache-2.0 */
/* A new file: what is known is carried over to the new arrays, and what was under way comes to its end there. */
#include "tests/unit/core_fixture.h"

/* Loads the file of `from` into `to`; `alike`: as it was, else with settings that evidence rests on changed. */
static void reload_as(struct world *to, const struct world *from, bool alike)
{
    struct core_carried carried[8];

    world_begin(to);
    to->now_ns = from->now_ns;
    add_source(to)->on_host = from->sources[0].on_host;
    to->sources[0].on_nic = from->sources[0].on_nic;
    to->sources[0].claim_unseen = from->sources[0].claim_unseen;
    to->sources[0].approval_timeout_ns = from->sources[0].approval_timeout_ns;
    add_nic(to)->trigger_any = from->nics[0].trigger_any;
    for (uint32_t i = 0; i < from->core.n_addresses; i++)
        add_address(to, 0, 1);
    start_unfit(to, 2);
    for (uint32_t i = 0; i < from->core.n_addresses; i++)
        carried[i] = (struct core_carried){.address = i,
                                           .held_on = from->addresses[i].held_on,
                                           .given_on = from->addresses[i].given_on,
                                           .alike = alike};
    for (uint16_t i = 0; i < 2; i++)
        core_carry_target(&to->core, i, &from->core, i, alike);
    core_carry(&to->core, 0, &from->core, 0, carried, alike);
    check(to);
    for (uint16_t i = 0; i < 2; i++)
        link_is(to, i, from->targets[i].fit);
    assert_int_equal(to->nics[0].since_ns, from->nics[0].since_ns);
    assert_int_equal(to->n_actions, 0);
}

static void reload(struct world *to, const struct world *from)
{
    reload_as(to, from, true);
}

static void healthy_it_goes_on(void **state)
{
    struct world w, to;

    (void)state;
    world_plain(&w, 2);
    reload(&to, &w);
    assert_state(&to, 0, CORE_UP);
    assert_memory_equal(&to.addresses[1].mac, &source_mac, sizeof source_mac);
    lose(&to, 0, 1);
    assert_string_equal(path_of(&to, 0), "late verifying claiming");
}

/* The plain file loaded anew at every step of a loss makes no difference to it. */
static void in_doubt_it_goes_on(void **state)
{
    struct world worlds[2];
    uint32_t at = 0;

    (void)state;
    world_plain(&worlds[0], 2);
    for (uint32_t i = 0; i < MISSES; i++) {
        round_missed(&worlds[at], 0, 1);
        if (i == 0)
            witness(&worlds[at], 0);
        if (i + 1 == MISSES)
            break;
        assert_state(&worlds[at], 0, CORE_LATE);
        reload(&worlds[!at], &worlds[at]);
        at = !at;
        assert_state(&worlds[at], 0, CORE_LATE);
        assert_int_equal(worlds[at].addresses[0].misses, i + 1);
        assert_true(worlds[at].nics[0].suspected);
    }
    assert_int_equal(emitted(&worlds[at], CORE_CLAIM), 2);
}

static void a_verify_under_way_goes_on(void **state)
{
    struct world w, to;
    nsec_t until_ns;

    (void)state;
    world_plain(&w, 2);
    for (uint32_t i = 0; i < MISSES; i++)
        round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_VERIFYING); /* no witness has answered */
    until_ns = w.nics[0].verify_until_ns;
    reload(&to, &w);
    assert_state(&to, 0, CORE_VERIFYING);
    assert_int_equal(to.nics[0].verify_until_ns, until_ns);
    witness(&to, 0);
    pass(&to, SPACING_NS);
    assert_int_equal(emitted(&to, CORE_CLAIM), 2);
}

static void a_persons_order_goes_on(void **state)
{
    struct core_refusal refusal;
    struct world w, to;

    (void)state;
    world_plain(&w, 1);
    w.addresses[0].life = CORE_LIFE_UNKNOWN;
    w.nics[0].n_up = 0;
    pass(&w, INTERVAL_NS);
    assert_int_equal(core_failover(&w.core, w.now_ns, 0, false, &refusal), 0);
    reload(&to, &w);
    assert_true(to.nics[0].by_operator);
    witness(&to, 0);
    pass(&to, (ASKS + 1) * SPACING_NS);
    assert_int_equal(emitted(&to, CORE_CLAIM), 1);
}

static void where_the_pace_is_another_it_starts_over(void **state)
{
    struct world w, to;

    (void)state;
    world_plain(&w, 2);
    round_missed(&w, 0, 1);
    reload_as(&to, &w, false);
    assert_state(&to, 0, CORE_UP);
    assert_int_equal(to.nics[0].n_doubtful, 0);
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_VERIFYING);
    reload_as(&to, &w, false);
    assert_state(&to, 0, CORE_UP);
    lose(&to, 0, 1);
    assert_int_equal(emitted(&to, CORE_CLAIM), 2);
}

/* Rows of misses that more misses are wanted for are not lost any more; fewer show with the next one. */
static void another_number_of_misses(void **state)
{
    struct world w, to;

    (void)state;
    for (uint32_t wanted = 1; wanted <= MISSES + 2; wanted++) {
        struct core_carried carried = {.address = 0, .held_on = CORE_NO_TARGET, .alike = true};

        world_plain(&w, 1);
        w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_NOTIFY;
        lose(&w, 0, 0);
        world_begin(&to);
        to.now_ns = w.now_ns;
        add_source(&to)->misses = wanted;
        add_nic(&to);
        add_address(&to, 0, 1);
        start_unfit(&to, 2);
        core_carry_target(&to.core, 0, &w.core, 0, true);
        core_carry_target(&to.core, 1, &w.core, 1, true);
        core_carry(&to.core, 0, &w.core, 0, &carried, false);
        check(&to);
        /* The file says automatic now: what it was left for is decided anew. */
        assert_state(&to, 0, CORE_LATE);
        for (uint32_t i = MISSES; i < (wanted > MISSES ? wanted : MISSES + 1); i++) {
            assert_int_equal(emitted(&to, CORE_CLAIM), 0);
            round_missed(&to, 0, 0);
            witness(&to, 0);
        }
        pass(&to, 4 * SPACING_NS);
        assert_int_equal(emitted(&to, CORE_CLAIM), 1);
    }
}

/* Another policy: what a person was asked, or left alone, under the old one. */
static void a_question_under_another_policy(void **state)
{
    static const enum core_policy policies[] = {CORE_POLICY_MANUAL, CORE_POLICY_NOTIFY, CORE_POLICY_AUTOMATIC};
    static const enum core_state states[] = {CORE_AWAITING, CORE_LOST, CORE_CLAIMING};

    (void)state;
    for (size_t was = 0; was < 2; was++) {
        for (size_t is = 0; is < 3; is++) {
            struct core_carried carried = {.address = 0, .held_on = CORE_NO_TARGET, .alike = true};
            struct world w, to;

            world_plain(&w, 1);
            w.sources[0].on_host = w.sources[0].on_nic = policies[was];
            lose(&w, 0, 0);
            assert_state(&w, 0, states[was]);
            world_begin(&to);
            to.now_ns = w.now_ns;
            *add_source(&to) = w.sources[0];
            to.sources[0].n_nics = 0;
            to.sources[0].on_host = to.sources[0].on_nic = policies[is];
            add_nic(&to);
            add_address(&to, 0, 1);
            start_unfit(&to, 2);
            core_carry_target(&to.core, 0, &w.core, 0, true);
            core_carry_target(&to.core, 1, &w.core, 1, true);
            core_carry(&to.core, 0, &w.core, 0, &carried, true);
            check(&to);
            assert_state(&to, 0, was == is ? states[was] : CORE_LATE);
            round_missed(&to, 0, 0);
            witness(&to, 0);
            pass(&to, 4 * SPACING_NS);
            assert_state(&to, 0, states[is]);
        }
    }
}

/* What was held on a target NIC that the new file does not map it to goes to the one that it does. */
static void it_moves_where_the_file_says(void **state)
{
    struct core_carried carried = {.address = 0, .held_on = CORE_NO_TARGET, .alike = false};
    struct world w, to;

    (void)state;
    world_held(&w, 1);
    world_begin(&to);
    to.now_ns = w.now_ns;
    add_source(&to);
    add_nic(&to);
    add_address(&to, 1, CORE_NO_TARGET);
    start_unfit(&to, 2);
    core_carry_target(&to.core, 0, &w.core, 0, true);
    core_carry_target(&to.core, 1, &w.core, 1, true);
    core_carry(&to.core, 0, &w.core, 0, &carried, false);
    check(&to);
    core_move(&to.core, to.now_ns, 0);
    check(&to);
    assert_state(&to, 0, CORE_VERIFYING);
    witness(&to, 1);
    pass(&to, 4 * SPACING_NS);
    assert_int_equal(nth(&to, CORE_CLAIM, 0)->target, 1);
    settle(&to, 0);
    assert_state(&to, 0, CORE_HOLDING);
    core_failback(&to.core, to.now_ns, 0);
    settle(&to, 0);
    core_move(&to.core, to.now_ns, 0);
    assert_state(&to, 0, CORE_DISARMED);
}

static void what_is_held_stays_held(void **state)
{
    struct world w, to;

    (void)state;
    world_held(&w, 2);
    prove_return(&w, 0);
    reload(&to, &w);
    assert_state(&to, 0, CORE_HOLDING);
    assert_reason(&to, 0, CORE_REASON_LOST);
    assert_int_equal(to.addresses[0].held_since_ns, w.addresses[0].held_since_ns);
    assert_int_equal(to.addresses[0].source_seen_ns, w.now_ns);
    assert_int_equal(to.n_actions, 0);
    core_failback(&to.core, to.now_ns, 0);
    settle(&to, 0);
    assert_state(&to, 0, CORE_DISARMED);
}

static void claims_under_way_come_to_their_end(void **state)
{
    struct world w, to;

    (void)state;
    world_plain(&w, 2);
    lose(&w, 0, 1);
    claimed(&w, 0, 0);
    reload(&to, &w);
    assert_state(&to, 0, CORE_CLAIMING);
    claimed(&to, 1, -ENODEV);
    assert_int_equal(nth(&to, CORE_CLAIM, 0)->target, 1); /* by the evidence of before */
    claimed(&to, 1, 0);
    assert_state(&to, 0, CORE_HOLDING);
}

static void releases_under_way_come_to_their_end(void **state)
{
    struct world w, to;

    (void)state;
    world_held(&w, 2);
    core_failback(&w.core, w.now_ns, 0);
    released(&w, 1, 0);
    reload(&to, &w);
    assert_state(&to, 0, CORE_RELEASING);
    released(&to, 0, 0);
    assert_state(&to, 0, CORE_DISARMED);
}

static void a_failback_while_claiming_comes_to_its_end(void **state)
{
    struct world w, to;

    (void)state;
    world_plain(&w, 1);
    lose(&w, 0, 0);
    core_failback(&w.core, w.now_ns, 0);
    reload(&to, &w);
    assert_state(&to, 0, CORE_RELEASING);
    claimed(&to, 0, 0);
    assert_int_equal(emitted(&to, CORE_ANNOUNCE), 0);
    settle(&to, 0);
    assert_state(&to, 0, CORE_DISARMED);
}

static void questions_and_refusals_stay(void **state)
{
    struct world w, to;

    (void)state;
    world_plain(&w, 1);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    w.sources[0].approval_timeout_ns = NSEC_PER_MIN;
    lose(&w, 0, 0);
    reload(&to, &w);
    assert_state(&to, 0, CORE_AWAITING);
    assert_int_equal(to.nics[0].approval_until_ns, w.nics[0].approval_until_ns);
    core_deny(&to.core, to.now_ns, 0);
    reload(&w, &to);
    assert_state(&w, 0, CORE_LOST);
    assert_reason(&w, 0, CORE_REASON_DENIED);

    world_plain(&w, 2);
    round_missed(&w, 0, 1);
    pass(&w, 1);
    hear(&w, 1, &source_mac);
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_BLOCKED);
    reload(&to, &w);
    assert_state(&to, 0, CORE_BLOCKED);
    assert_reason(&to, 0, CORE_REASON_IN_USE);
    assert_int_equal(to.nics[0].reason_address, 1);
    assert_memory_equal(&to.nics[0].reason_mac, &source_mac, sizeof source_mac);
}

static void unseen_and_disarmed_stay_so(void **state)
{
    struct world w, to;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, 1);
    start(&w, 2);
    reload(&to, &w);
    assert_state(&to, 0, CORE_UNSEEN);
    lose(&to, 0, 0);
    assert_int_equal(to.n_actions, 0);

    world_held(&w, 1);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    reload(&to, &w);
    assert_state(&to, 0, CORE_DISARMED);
    lose(&to, 0, 0);
    assert_int_equal(emitted(&to, CORE_CLAIM), 0);
}

static void a_pause_stays(void **state)
{
    struct world w, to;

    (void)state;
    world_plain(&w, 1);
    core_pause(&w.core, w.now_ns, 0);
    reload(&to, &w);
    lose(&to, 0, 0);
    assert_int_equal(emitted(&to, CORE_CLAIM), 0);
}

static void under_any_what_was_given_back_stays_so(void **state)
{
    struct world w, to;

    (void)state;
    world_begin(&w);
    add_source(&w)->claim_unseen = true;
    add_nic(&w)->trigger_any = true;
    add_address(&w, 0, 1);
    add_address(&w, 0, 1);
    start(&w, 2);
    round_answered(&w, 0, 1);
    lose(&w, 0, 0);
    settle(&w, 0);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    answer(&w, 1);
    reload(&to, &w);
    assert_state(&to, 0, CORE_UP);
    lose(&to, 0, 0);
    assert_int_equal(emitted(&to, CORE_CLAIM), 0);
}

/* The new file has lost the first of two addresses, got a third, and lost target NIC 0. */
static void reload_changed(struct world *to, const struct world *from)
{
    struct core_carried carried[] = {
        {.address = 1, .held_on = from->addresses[1].held_on == 1 ? 0 : CORE_NO_TARGET, .alike = true},
        {.address = UINT32_MAX, .held_on = CORE_NO_TARGET},
    };

    world_begin(to);
    to->now_ns = from->now_ns;
    add_source(to);
    add_nic(to);
    add_address(to, 0, CORE_NO_TARGET);
    add_address(to, 0, CORE_NO_TARGET);
    start_unfit(to, 1);
    core_carry(&to->core, 0, &from->core, 0, carried, false);
    check(to);
    link_is(to, 0, true);
    forget(to);
}

static void what_left_the_file_is_ours_no_more(void **state)
{
    struct world w, to;

    (void)state;
    world_held(&w, 2);
    reload_changed(&to, &w);
    assert_int_equal(to.addresses[0].claim, CORE_CLAIM_FREE);
    assert_state(&to, 0, CORE_UP);
    /* The target that holds it has another number now. */
    world_plain(&w, 2);
    link_is(&w, 0, false);
    round_answered(&w, 0, 1);
    lose(&w, 0, 1);
    settle(&w, 0);
    reload_changed(&to, &w);
    assert_state(&to, 0, CORE_HOLDING);
    assert_int_equal(to.addresses[0].held_on, 0);
    /* The new one is watched and claimed along once it is lost. */
    lose(&to, 1, 1);
    assert_int_equal(nth(&to, CORE_CLAIM, 0)->address, 1);
}

static void a_failback_that_the_file_cuts_short_disarms(void **state)
{
    struct world w, to;

    (void)state;
    world_held(&w, 2);
    core_failback(&w.core, w.now_ns, 0);
    reload_changed(&to, &w);
    assert_state(&to, 0, CORE_DISARMED);
    lose(&to, 0, 1);
    assert_int_equal(emitted(&to, CORE_CLAIM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_it_goes_on),
        cmocka_unit_test(in_doubt_it_goes_on),
        cmocka_unit_test(a_verify_under_way_goes_on),
        cmocka_unit_test(a_persons_order_goes_on),
        cmocka_unit_test(where_the_pace_is_another_it_starts_over),
        cmocka_unit_test(another_number_of_misses),
        cmocka_unit_test(a_question_under_another_policy),
        cmocka_unit_test(it_moves_where_the_file_says),
        cmocka_unit_test(what_is_held_stays_held),
        cmocka_unit_test(claims_under_way_come_to_their_end),
        cmocka_unit_test(releases_under_way_come_to_their_end),
        cmocka_unit_test(a_failback_while_claiming_comes_to_its_end),
        cmocka_unit_test(questions_and_refusals_stay),
        cmocka_unit_test(unseen_and_disarmed_stay_so),
        cmocka_unit_test(a_pause_stays),
        cmocka_unit_test(under_any_what_was_given_back_stays_so),
        cmocka_unit_test(what_left_the_file_is_ours_no_more),
        cmocka_unit_test(a_failback_that_the_file_cuts_short_disarms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
