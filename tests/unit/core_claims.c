/* SPDX-License-Identifier: Apache-2.0 */
/* Claiming, holding and releasing, and what the kernel may answer. */
#include "tests/unit/core_fixture.h"

static void each_is_announced_as_soon_as_it_is_on(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 3);
    lose(&w, 0, 2);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(nth(&w, CORE_CLAIM, i)->address, i);
        assert_state(&w, 0, CORE_CLAIMING);
        claimed(&w, i, 0);
        assert_int_equal(emitted(&w, CORE_ANNOUNCE), i + 1);
        assert_int_equal(nth(&w, CORE_ANNOUNCE, i)->address, i);
    }
    assert_state(&w, 0, CORE_HOLDING);
    claimed(&w, 0, -EINVAL); /* nobody asked */
    assert_int_equal(w.addresses[0].claim, CORE_CLAIM_HELD);
}

/* Answered, or heard on the LAN: somebody waits for those. Which was watched makes no difference. */
static void what_was_in_use_goes_first(void **state)
{
    static const uint32_t order[] = {1, 2, 3, 0};
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    for (uint32_t i = 0; i < 4; i++)
        add_address(&w, 0, CORE_NO_TARGET)->monitored = i % 2 == 1;
    start(&w, 1);
    answer(&w, 1);
    answer(&w, 3);
    hear(&w, 2, &source_mac);
    lose(&w, 0, 3);
    assert_int_equal(emitted(&w, CORE_CLAIM), 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(nth(&w, CORE_CLAIM, i)->address, order[i]);
}

static void a_refusal_of_the_kernel_tries_the_fallback(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    round_missed(&w, 0, 0);
    witness(&w, 1);
    lose(&w, 0, 0);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->target, 0);
    claimed(&w, 0, -ENODEV);
    assert_int_equal(nth(&w, CORE_CLAIM, 1)->target, 1);
    assert_int_equal(core_path(&w.core, 0), 1);
    /* A miss that was still to be judged does not unsettle the evidence. */
    miss(&w, 0);
    claimed(&w, 0, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.addresses[0].held_on, 1);
    assert_int_equal(emitted(&w, CORE_ANNOUNCE), 1);
}

static void the_fallback_needs_a_witness_of_its_own(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    round_missed(&w, 0, 0);
    round_missed(&w, 0, 0);
    claimed(&w, 0, -ENODEV);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_CLAIM_FAILED);
    assert_int_equal(w.nics[0].reason_error, -ENODEV);
    assert_int_equal(w.nics[0].reason_address, 0);
}

static void forced_the_fallback_needs_none(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    world_plain(&w, 1);
    core_failover(&w.core, w.now_ns, 0, true, &refusal);
    claimed(&w, 0, -ENODEV);
    assert_int_equal(nth(&w, CORE_CLAIM, 1)->target, 1);
}

static void all_refused_is_tried_again_after_fresh_misses(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    lose(&w, 0, 1);
    link_is(&w, 1, false);
    settle(&w, -EPERM);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_int_equal(w.addresses[0].error, -EPERM);
    forget(&w);
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    witness(&w, 0);
    round_missed(&w, 0, 1);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.addresses[0].error, 0);
}

static void what_was_left_behind_is_tried_again_at_the_same_pace(void **state)
{
    struct world w;
    uint32_t tries;

    (void)state;
    world_plain(&w, 2);
    lose(&w, 0, 1);
    link_is(&w, 1, false);
    claimed(&w, 0, 0);
    claimed(&w, 1, -EINVAL);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_LOST);
    assert_int_equal(w.addresses[1].claim, CORE_CLAIM_FAILED);
    forget(&w);
    for (int i = 0; i < 4 * MISSES; i++) {
        round_missed(&w, 1, 1);
        witness(&w, 0);
        settle(&w, -EINVAL);
    }
    tries = emitted(&w, CORE_CLAIM);
    assert_in_range(tries, 2, 4); /* not at each miss */
    assert_int_equal(w.nics[0].n_held, 1);
    for (int i = 0; i < 2 * MISSES; i++) {
        round_missed(&w, 1, 1);
        witness(&w, 0);
        settle(&w, 0);
    }
    assert_int_equal(w.nics[0].n_held, 2);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0);
}

/* A held address, and a second one that was refused as in use and is lost later. */
static void world_partly_held(struct world *w)
{
    world_plain(w, 2);
    round_missed(w, 0, 1);
    witness(w, 0);
    pass(w, 1);
    hear(w, 1, &higher_mac);
    round_missed(w, 0, 1);
    round_missed(w, 0, 1);
    settle(w, 0);
    assert_state(w, 0, CORE_HOLDING);
    assert_int_equal(w->nics[0].n_held, 1);
    forget(w);
}

static void the_rest_is_not_asked_about(void **state)
{
    struct world w;

    (void)state;
    for (int policy = CORE_POLICY_MANUAL; policy <= CORE_POLICY_NOTIFY; policy++) {
        world_partly_held(&w);
        w.sources[0].on_host = w.sources[0].on_nic = (enum core_policy)policy;
        for (int i = 0; i < 2; i++)
            lose(&w, 1, 1);
        assert_string_equal(path_of(&w, 0), ""); /* a person may say failover */
        /* The policy changes with another NIC's state while verify is on: the same. */
        w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_AUTOMATIC;
        round_missed(&w, 1, 1);
        for (int i = 0; i < MISSES && w.nics[0].state != CORE_VERIFYING; i++)
            round_missed(&w, 1, 1);
        w.sources[0].on_host = w.sources[0].on_nic = (enum core_policy)policy;
        witness(&w, 0);
        pass(&w, NSEC_PER_SEC);
        assert_state(&w, 0, CORE_HOLDING);
        assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    }
    world_partly_held(&w);
    w.targets[0].witness = CORE_WITNESS_MISSING;
    lose(&w, 1, 1);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_WITNESS_MISSING);
}

static void the_rest_answers_again_or_loses_its_way(void **state)
{
    struct world w;

    (void)state;
    for (int i = 0; i < 4; i++) {
        world_partly_held(&w);
        for (int k = 0; k < MISSES; k++)
            round_missed(&w, 1, 1);
        assert_state(&w, 0, CORE_VERIFYING);
        if (i == 0)
            answer(&w, 1);
        else if (i == 1)
            stall(&w, 0);
        else if (i == 2)
            core_pause(&w.core, w.now_ns, 0);
        else
            link_is(&w, 1, false);
        if (i == 3)
            link_is(&w, 0, false);
        check(&w);
        assert_state(&w, 0, CORE_HOLDING);
        assert_int_equal(w.nics[0].n_held, 1);
    }
}

static void the_rest_can_be_had_by_failover(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    world_partly_held(&w);
    assert_int_equal(core_failover(&w.core, w.now_ns, 0, false, &refusal), 0);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 1);
    for (uint32_t i = 0; i < ASKS; i++)
        assert_int_equal(nth(&w, CORE_ASK, i)->address, 1); /* what we hold is not verified */
    settle(&w, 0);
    assert_int_equal(w.nics[0].n_held, 2);
}

static void released_in_reverse_order(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 3);
    prove_return(&w, 1);
    w.sources[0].announce_source = true;
    core_failback(&w.core, w.now_ns, 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(nth(&w, CORE_RELEASE, i)->address, 2 - i);
    settle(&w, 0);
    /* The source was seen at one of them: neighbours are told its MAC. */
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 1);
    assert_int_equal(nth(&w, CORE_ANNOUNCE_SOURCE, 0)->address, 1);
    assert_int_equal(nth(&w, CORE_ANNOUNCE_SOURCE, 0)->target, 0);
    assert_memory_equal(&nth(&w, CORE_ANNOUNCE_SOURCE, 0)->mac, &source_mac, sizeof source_mac);
    assert_state(&w, 0, CORE_DISARMED);
    released(&w, 1, 0); /* nobody asked */
    assert_state(&w, 0, CORE_DISARMED);
}

static void gone_already_is_released(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    core_failback(&w.core, w.now_ns, 0);
    released(&w, 1, -EADDRNOTAVAIL);
    released(&w, 0, -ENODEV);
    assert_state(&w, 0, CORE_DISARMED);
    assert_int_equal(w.addresses[0].held_on, CORE_NO_TARGET);
}

/* Whoever took it off has done what was wanted: it is not put back. */
static void what_could_not_be_released_goes(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    core_failback(&w.core, w.now_ns, 0);
    released(&w, 1, 0);
    released(&w, 0, -ENOMEM);
    assert_reason(&w, 0, CORE_REASON_RELEASE_FAILED);
    forget(&w);
    core_on_gone(&w.core, w.now_ns, 0, false);
    check(&w);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_DISARMED);
}

static void what_cannot_be_released_stays_held(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    core_failback(&w.core, w.now_ns, 0);
    released(&w, 1, 0);
    released(&w, 0, -EPERM);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_RELEASE_FAILED);
    assert_int_equal(w.nics[0].reason_error, -EPERM);
    assert_int_equal(w.nics[0].reason_address, 0);
    /* What did come off was given back, and is not taken again. */
    for (int i = 0; i < 3; i++)
        lose(&w, 1, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    assert_state(&w, 0, CORE_DISARMED);
}

static void failback_while_claiming(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    lose(&w, 0, 1);
    claimed(&w, 0, 0);
    core_failback(&w.core, w.now_ns, 0);
    check(&w);
    assert_int_equal(emitted(&w, CORE_RELEASE), 1);
    claimed(&w, 1, 0); /* put on after all: off again, and never announced */
    assert_int_equal(emitted(&w, CORE_RELEASE), 2);
    assert_int_equal(emitted(&w, CORE_ANNOUNCE), 1);
    settle(&w, 0);
    assert_state(&w, 0, CORE_DISARMED);
}

static void failback_while_claiming_what_the_kernel_refuses(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    lose(&w, 0, 1);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, -EPERM);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2); /* and the fallback is not tried */
    assert_state(&w, 0, CORE_DISARMED);
}

static void failback_ends_an_order_for_the_rest(void **state)
{
    struct core_refusal refusal;
    struct world w;

    (void)state;
    world_partly_held(&w);
    core_failover(&w.core, w.now_ns, 0, false, &refusal);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), 0);
    check(&w);
    assert_int_equal(core_deadline(&w.core), w.nics[0].watch_next_ns); /* nothing is planned for the order */
    settle(&w, 0);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_DISARMED);
}

static void adopted_addresses_are_held_and_announced(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    for (int i = 0; i < 2; i++)
        add_address(&w, 0, 1);
    start(&w, 2);
    core_on_adopted(&w.core, w.now_ns, 0, 1);
    check(&w);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_ADOPTED);
    assert_int_equal(nth(&w, CORE_ANNOUNCE, 0)->target, 1);
    assert_int_equal(core_path(&w.core, 0), 1);
    /* The other one had not been claimed yet: it is lost like any other. */
    lose(&w, 1, 1);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 1);
    settle(&w, 0);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    assert_state(&w, 0, CORE_DISARMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_announced_as_soon_as_it_is_on),
        cmocka_unit_test(what_was_in_use_goes_first),
        cmocka_unit_test(a_refusal_of_the_kernel_tries_the_fallback),
        cmocka_unit_test(the_fallback_needs_a_witness_of_its_own),
        cmocka_unit_test(forced_the_fallback_needs_none),
        cmocka_unit_test(all_refused_is_tried_again_after_fresh_misses),
        cmocka_unit_test(what_was_left_behind_is_tried_again_at_the_same_pace),
        cmocka_unit_test(the_rest_is_not_asked_about),
        cmocka_unit_test(the_rest_answers_again_or_loses_its_way),
        cmocka_unit_test(the_rest_can_be_had_by_failover),
        cmocka_unit_test(released_in_reverse_order),
        cmocka_unit_test(gone_already_is_released),
        cmocka_unit_test(what_could_not_be_released_goes),
        cmocka_unit_test(what_cannot_be_released_stays_held),
        cmocka_unit_test(failback_while_claiming),
        cmocka_unit_test(failback_while_claiming_what_the_kernel_refuses),
        cmocka_unit_test(failback_ends_an_order_for_the_rest),
        cmocka_unit_test(adopted_addresses_are_held_and_announced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
