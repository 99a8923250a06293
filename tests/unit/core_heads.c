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

/* He has heard our answers, but our probe came when he could not take it for a sign. */
static void another_holder_who_probes_is_told_again(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    core_on_answer(&w.core, w.now_ns, 0, &higher_mac);
    assert_int_equal(intents(&w), 1);
    for (int i = 0; i < 2; i++) { /* at most once a second */
        pass(&w, 600 * NSEC_PER_MSEC);
        forget(&w);
        rival(&w, 0, &higher_mac);
        assert_int_equal(intents(&w), i);
    }
    assert_state(&w, 0, CORE_HOLDING);
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

/* It answers for one of its addresses. The other one may be at a MAC that we do not ask, and waits for fresh misses. */
static void nothing_is_put_back_at_once_when_the_source_is_back(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    pass(&w, LOOK_NS);
    prove_return(&w, 0);
    forget(&w);
    core_on_gone(&w.core, w.now_ns, 1, false);
    check(&w);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    lose(&w, 1, 1);
    pass(&w, 2 * ASKS * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

/* The ways not to know whether the source is still silent. */
enum blindness {
    UNHEARD,  /* answers were lost */
    LATE,     /* we stood still */
    JUST_NOW, /* the first look was too short ago to be answered */
};

static void be_blind(struct world *w, enum blindness how)
{
    switch (how) {
    case UNHEARD:
        core_on_unheard(&w->core, w->now_ns);
        pass(w, SPACING_NS / 2);
        break;
    case LATE:
        w->now_ns += 2 * LOOK_NS;
        break;
    case JUST_NOW:
        core_on_unheard(&w->core, w->now_ns);
        pass(w, LOOK_NS);
        break;
    }
}

static void it_is_put_back_at_once_where_the_source_is_known_to_be_silent(void **state)
{
    (void)state;
    for (int how = -1; how <= JUST_NOW; how++) {
        struct world w;

        world_held(&w, 2);
        w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL; /* it was approved */
        pass(&w, 2 * LOOK_NS);
        if (how >= 0)
            be_blind(&w, (enum blindness)how);
        forget(&w);
        for (uint32_t i = 0; i < 2; i++) {
            core_on_gone(&w.core, w.now_ns, i, false);
            check(&w);
        }
        assert_int_equal(emitted(&w, CORE_CLAIM), how < 0 ? 2 : 0);
        if (how < 0)
            continue;
        assert_state(&w, 0, CORE_VERIFYING);
        witness(&w, 0);
        pass(&w, 2 * ASKS * SPACING_NS);
        assert_int_equal(emitted(&w, CORE_CLAIM), 2);
        settle(&w, 0);
        assert_state(&w, 0, CORE_HOLDING);
        /* This time the source has come back meanwhile. */
        pass(&w, 2 * LOOK_NS);
        be_blind(&w, (enum blindness)how);
        forget(&w);
        core_on_gone(&w.core, w.now_ns, 1, false);
        check(&w);
        answer(&w, 1);
        witness(&w, 0);
        pass(&w, NSEC_PER_SEC);
        assert_int_equal(emitted(&w, CORE_CLAIM), 0);
        assert_state(&w, 0, CORE_HOLDING);
    }
}

/* As long as its answers may be lost, a source that is back is not taken for gone. */
static void who_hears_nothing_does_not_forget_it(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    pass(&w, LOOK_NS);
    prove_return(&w, 0);
    for (int i = 0; i < 20; i++) {
        pass(&w, LOOK_NS);
        core_on_unheard(&w.core, w.now_ns);
        check(&w);
    }
    assert_int_not_equal(w.nics[0].back_since_ns, NSEC_UNSET);
    pass(&w, 10 * LOOK_NS);
    assert_int_equal(w.nics[0].back_since_ns, NSEC_UNSET);
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

/* Much may get lost on the NIC that it is held on: a single answer proves nothing, but there is no hurry to go home. */
static void nothing_goes_home_where_the_source_may_be_back(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    link_is(&w, 0, false);
    settle(&w, 0);
    witness(&w, 1);
    pass(&w, NSEC_PER_SEC);
    settle(&w, 0);
    link_is(&w, 0, true);
    witness(&w, 0);
    forget(&w);
    for (int i = 0; i < 30; i++) {
        pass(&w, 2 * NSEC_PER_SEC);
        answer(&w, (uint32_t)i % 2);
    }
    assert_int_equal(emitted(&w, CORE_RETURNED), 0);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0);
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

/* Late answers of a source that was merely slow come in one upon the other: none counts, and yet it is not silent. */
static void what_is_not_believed_is_no_silence(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    pass(&w, 4 * LOOK_NS);
    for (int i = 0; i < 6; i++)
        answer(&w, 0);
    assert_true(w.nics[0].distrust_ns > w.now_ns);
    pass(&w, LOOK_NS);
    forget(&w);
    core_on_gone(&w.core, w.now_ns, 0, false);
    check(&w);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_state(&w, 0, CORE_VERIFYING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_believed_is_no_silence),
        cmocka_unit_test(who_stood_still_does_not_forget_it),
        cmocka_unit_test(who_was_taken_for_the_source_may_be_another_target),
        cmocka_unit_test(another_holder_who_probes_is_told_again),
        cmocka_unit_test(nothing_moves_over_the_head_of_the_source),
        cmocka_unit_test(nothing_is_put_back_over_whoever_answers),
        cmocka_unit_test(nothing_is_put_back_at_once_when_the_source_is_back),
        cmocka_unit_test(it_is_put_back_at_once_where_the_source_is_known_to_be_silent),
        cmocka_unit_test(who_hears_nothing_does_not_forget_it),
        cmocka_unit_test(nothing_goes_home_over_whoever_answers),
        cmocka_unit_test(nothing_goes_home_over_the_head_of_the_source),
        cmocka_unit_test(nothing_goes_home_where_the_source_may_be_back),
        cmocka_unit_test(many_addresses_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
