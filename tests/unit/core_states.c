/* SPDX-License-Identifier: Apache-2.0 */
/* The way through the states, from unseen to held and back. */
#include "tests/unit/core_fixture.h"

static void a_source_is_seen_lost_held_and_given_back(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    assert_state(&w, 0, CORE_UNSEEN);
    answer(&w, 0);
    lose(&w, 0, 0);
    settle(&w, 0);
    assert_string_equal(path_of(&w, 0), "up late verifying claiming holding");
    assert_reason(&w, 0, CORE_REASON_LOST);
    assert_int_equal(w.addresses[0].held_on, 0);
    assert_int_equal(w.addresses[0].held_since_ns, w.now_ns);
    assert_int_equal(nth(&w, CORE_ANNOUNCE, 0)->target, 0);
    forget(&w);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), 0);
    settle(&w, 0);
    assert_string_equal(path_of(&w, 0), "releasing disarmed");
    answer(&w, 0);
    assert_state(&w, 0, CORE_UP);
}

static void the_verdict_itself_claims_where_rounds_asked_by_link(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_LATE);
    assert_int_equal(emitted(&w, CORE_ASK_CARRIER), 1);
    assert_int_equal(emitted(&w, CORE_ASK_WITNESSES), 2); /* of the fallback NIC too */
    witness(&w, 0);
    assert_int_equal(emitted(&w, CORE_ASK), 0);
    round_missed(&w, 0, 1);
    assert_int_equal(intents(&w), 2); /* one for each address */
    pass(&w, INTERVAL_NS);
    miss(&w, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0); /* the other may still answer */
    miss(&w, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
    assert_int_equal(emitted(&w, CORE_ASK), 2);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void the_number_of_misses_is_kept(void **state)
{
    static const uint32_t limits[] = {1, 2, 5};
    struct world w;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        world_begin(&w);
        add_source(&w)->misses = limits[i];
        add_nic(&w);
        add_address(&w, 0, CORE_NO_TARGET);
        start(&w, 1);
        answer(&w, 0);
        for (uint32_t round = 1; round < limits[i]; round++) {
            round_missed(&w, 0, 0);
            witness(&w, 0);
            assert_state(&w, 0, CORE_LATE);
            assert_int_equal(w.addresses[0].misses, round);
        }
        assert_int_equal(intents(&w), limits[i] > 1);
        round_missed(&w, 0, 0);
        if (limits[i] == 1) {
            /* The one miss is all there was: a broadcast and a witness are still wanted. */
            assert_state(&w, 0, CORE_VERIFYING);
            witness(&w, 0);
            assert_int_equal(intents(&w), 1);
            assert_int_equal(emitted(&w, CORE_CLAIM), 0);
            pass(&w, SPACING_NS);
        }
        assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    }
}

static void an_answer_ends_the_row(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    for (int i = 0; i < 3; i++) {
        round_missed(&w, 0, 0);
        round_missed(&w, 0, 0);
        answer(&w, 0);
        assert_state(&w, 0, CORE_UP);
        assert_int_equal(w.addresses[0].misses, 0);
    }
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_false(w.nics[0].suspected);
    assert_int_equal(core_deadline(&w.core), NSEC_NEVER);
}

static void what_was_never_seen_alive_is_left_alone(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    lose(&w, 0, 0);
    round_missed(&w, 0, 0);
    assert_int_equal(w.addresses[0].life, CORE_LIFE_LOST);
    assert_int_equal(w.n_actions, 0);
    assert_state(&w, 0, CORE_UNSEEN);
}

static void claim_unseen_takes_it_over_all_the_same(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w)->claim_unseen = true;
    add_nic(&w)->trigger_any = true;
    add_address(&w, 0, CORE_NO_TARGET);
    start(&w, 1);
    round_missed(&w, 0, 0);
    stall(&w, 0);
    assert_state(&w, 0, CORE_UNSEEN); /* and not up: it never answered */
    lose(&w, 0, 0);
    assert_string_equal(path_of(&w, 0), "verifying claiming");
    settle(&w, 0);
    /* Given back, it must be seen alive like any other. */
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    forget(&w);
    lose(&w, 0, 0);
    assert_int_equal(w.n_actions, 0);
    assert_state(&w, 0, CORE_DISARMED);
}

static void after_failback_nothing_is_taken_until_seen_alive(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    core_failback(&w.core, w.now_ns, 0);
    settle(&w, 0);
    forget(&w);
    for (int i = 0; i < 3; i++)
        lose(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_DISARMED);
    answer(&w, 1);
    assert_state(&w, 0, CORE_LATE); /* the other does not answer yet */
    answer(&w, 0);
    assert_state(&w, 0, CORE_UP);
    lose(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
}

static void alive_again_in_every_state_that_waits(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1); /* verifying: no witness answered */
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    answer(&w, 0);
    assert_state(&w, 0, CORE_UP);
    lose(&w, 0, 0); /* claiming: the answer comes too late to stop it */
    assert_state(&w, 0, CORE_CLAIMING);
    answer(&w, 0);
    assert_state(&w, 0, CORE_CLAIMING);
    claimed(&w, 0, 0);
    /* holding: it says that the source is there */
    prove_return(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.addresses[0].source_seen_ns, w.now_ns);
    core_failback(&w.core, w.now_ns, 0); /* releasing: it must be seen after it was given back */
    answer(&w, 0);
    assert_state(&w, 0, CORE_RELEASING);
    released(&w, 0, 0);
    assert_state(&w, 0, CORE_DISARMED);
    answer(&w, 0);
    assert_state(&w, 0, CORE_UP);
}

static void alive_again_when_left_alone_or_asked_about(void **state)
{
    static const enum core_policy policies[] = {CORE_POLICY_MANUAL, CORE_POLICY_NOTIFY};
    static const enum core_state states[] = {CORE_AWAITING, CORE_LOST};
    struct world w;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world_plain(&w, 2);
        w.sources[0].on_host = w.sources[0].on_nic = policies[i];
        lose(&w, 0, 1);
        assert_state(&w, 0, states[i]);
        answer(&w, 1);
        assert_state(&w, 0, CORE_LATE);
        answer(&w, 0);
        assert_state(&w, 0, CORE_UP);
    }
}

static void rounds_of_a_held_address_say_nothing(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    for (int i = 0; i < 2 * MISSES; i++)
        round_missed(&w, 0, 0);
    assert_int_equal(w.n_actions, 0);
    assert_int_equal(w.addresses[0].misses, 0);
}

static void states_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < CORE_STATES; i++) {
        assert_non_null(core_state_name((enum core_state)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(core_state_name((enum core_state)i), core_state_name((enum core_state)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_seen_lost_held_and_given_back),
        cmocka_unit_test(the_verdict_itself_claims_where_rounds_asked_by_link),
        cmocka_unit_test(the_number_of_misses_is_kept),
        cmocka_unit_test(an_answer_ends_the_row),
        cmocka_unit_test(what_was_never_seen_alive_is_left_alone),
        cmocka_unit_test(claim_unseen_takes_it_over_all_the_same),
        cmocka_unit_test(after_failback_nothing_is_taken_until_seen_alive),
        cmocka_unit_test(alive_again_in_every_state_that_waits),
        cmocka_unit_test(alive_again_when_left_alone_or_asked_about),
        cmocka_unit_test(rounds_of_a_held_address_say_nothing),
        cmocka_unit_test(states_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
