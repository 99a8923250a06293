/* SPDX-License-Identifier: Apache-2.0 */
/* A new file: what is known is carried over to the new arrays, and what was under way comes to its end there. */
#include "tests/unit/core_fixture.h"

static const uint16_t same_targets[] = {0, 1};

/* Reloads the file of `from`, unchanged, into `to`. */
static void reload(struct world *to, const struct world *from)
{
    static const uint32_t pairs[] = {0, 1, 2, 3, 4, 5, 6, 7};

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
    core_carry(&to->core, 0, &from->core, 0, pairs, same_targets);
    check(to);
    for (uint16_t i = 0; i < 2; i++)
        link_is(to, i, from->targets[i].fit);
    assert_int_equal(to->nics[0].since_ns, from->nics[0].since_ns);
    forget(to);
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

static void in_doubt_it_starts_over(void **state)
{
    struct world w, to;

    (void)state;
    world_plain(&w, 2);
    round_missed(&w, 0, 1);
    reload(&to, &w);
    assert_state(&to, 0, CORE_UP);
    assert_int_equal(to.nics[0].n_doubtful, 0);
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_VERIFYING);
    reload(&to, &w);
    assert_state(&to, 0, CORE_UP);
    lose(&to, 0, 1);
    assert_int_equal(emitted(&to, CORE_CLAIM), 2);
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
    assert_int_equal(emitted(&to, CORE_CLAIM), 0); /* no witness was heard on the fallback since */
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
    static const uint32_t pairs[] = {1, UINT32_MAX};
    static const uint16_t targets[] = {CORE_NO_TARGET, 0};

    world_begin(to);
    to->now_ns = from->now_ns;
    add_source(to);
    add_nic(to);
    add_address(to, 0, CORE_NO_TARGET);
    add_address(to, 0, CORE_NO_TARGET);
    start_unfit(to, 1);
    core_carry(&to->core, 0, &from->core, 0, pairs, targets);
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
        cmocka_unit_test(in_doubt_it_starts_over),
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
