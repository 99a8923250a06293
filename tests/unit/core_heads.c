/* SPDX-License-Identifier: Apache-2.0 */
/* While we stand in, nothing is put over the head of the source, or of whoever else answers. */
#include "tests/unit/core_fixture.h"

static void who_stood_still_does_not_forget_it(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    pass(&w, LOOK_NS);
    prove_return(&w, 0);
    w.now_ns += 100 * LOOK_NS;
    core_on_time(&w.core, w.now_ns);
    check(&w);
    assert_int_not_equal(w.nics[0].back_since_ns, NSEC_UNSET);
    pass(&w, 10 * LOOK_NS);
    assert_int_equal(w.nics[0].back_since_ns, NSEC_UNSET);
}

/* The source was dead when we started, and another target stood in, and did not ask for it. Both hold it now. */
static void who_was_taken_for_the_source_may_be_another_target(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    core_on_answer(&w.core, w.now_ns, 0, &lower_mac);
    lose(&w, 0, 0);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    pass(&w, LOOK_NS);
    core_on_answer(&w.core, w.now_ns, 0, &lower_mac);
    check(&w);
    forget(&w);
    core_on_asked(&w.core, w.now_ns, 0, &lower_mac);
    check(&w);
    assert_memory_equal(&w.addresses[0].mac, &source_mac, sizeof source_mac);
    assert_int_equal(w.addresses[0].source_seen_ns, NSEC_UNSET);
    assert_int_equal(emitted(&w, CORE_CONFLICT), 1);
    assert_int_equal(intents(&w), 1);
    rival(&w, 0, &lower_mac);
    assert_reason(&w, 0, CORE_REASON_RIVAL);
}

static void nothing_moves_over_the_head_of_the_source(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    prove_return(&w, 0);
    forget(&w);
    link_is(&w, 0, false);
    settle(&w, 0);
    witness(&w, 1);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
}

/* Somebody answers who is neither the source, as far as we know, nor another target. */
static void nothing_is_put_back_over_whoever_answers(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    pass(&w, LOOK_NS);
    core_on_answer(&w.core, w.now_ns, 0, &lower_mac);
    forget(&w);
    core_on_gone(&w.core, w.now_ns, 0, false);
    check(&w);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    assert_memory_equal(&w.nics[0].reason_mac, &lower_mac, sizeof lower_mac);
}

static void nothing_goes_home_over_whoever_answers(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    link_is(&w, 0, false);
    settle(&w, 0);
    witness(&w, 1);
    pass(&w, NSEC_PER_SEC);
    settle(&w, 0);
    link_is(&w, 0, true);
    witness(&w, 0);
    for (int i = 0; i < 60; i++) {
        pass(&w, LOOK_NS);
        core_on_answer(&w.core, w.now_ns, 0, &lower_mac);
    }
    assert_int_equal(w.addresses[0].held_on, 1);
    assert_state(&w, 0, CORE_HOLDING);
}

static void nothing_goes_home_over_the_head_of_the_source(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    link_is(&w, 0, false);
    settle(&w, 0);
    witness(&w, 1);
    pass(&w, NSEC_PER_SEC);
    settle(&w, 0);
    link_is(&w, 0, true);
    witness(&w, 0);
    for (int i = 0; i < 100; i++)
        prove_return(&w, 0);
    assert_int_equal(emitted(&w, CORE_RELEASE), 1); /* the way there */
    assert_int_equal(w.addresses[0].held_on, 1);
    pass(&w, 30 * NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_RELEASE), 2);
}

static void many_addresses_take_turns(void **state)
{
    struct world w;
    bool asked[32] = {0};

    (void)state;
    world_held(&w, 32);
    pass(&w, LOOK_NS);
    assert_in_range(emitted(&w, CORE_ASK), 16, 17);
    pass(&w, LOOK_NS);
    for (uint32_t i = 0; i < w.n_actions; i++)
        if (w.actions[i].type == CORE_ASK)
            asked[w.actions[i].address] = true;
    for (int i = 0; i < 32; i++)
        assert_true(asked[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_stood_still_does_not_forget_it),
        cmocka_unit_test(who_was_taken_for_the_source_may_be_another_target),
        cmocka_unit_test(nothing_moves_over_the_head_of_the_source),
        cmocka_unit_test(nothing_is_put_back_over_whoever_answers),
        cmocka_unit_test(nothing_goes_home_over_whoever_answers),
        cmocka_unit_test(nothing_goes_home_over_the_head_of_the_source),
        cmocka_unit_test(many_addresses_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
