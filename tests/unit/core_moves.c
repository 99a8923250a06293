/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses on their way from one target NIC to another. The takeover was decided, and in these stories a person was
 * asked for it: whatever comes between, what is on its way arrives, or nobody serves it.
 */
#include "tests/unit/core_fixture.h"

/* Held on target NIC 0 after an approval; the file leaves takeovers to people. */
static void world_approved(struct world *w, uint32_t n)
{
    world_held(w, n);
    w->sources[0].on_host = w->sources[0].on_nic = CORE_POLICY_MANUAL;
}

/* The cable of target NIC 0 is out: verify begins on the other one. */
static void begin_move(struct world *w, uint32_t n)
{
    world_approved(w, n);
    pass(w, NSEC_PER_SEC);
    link_is(w, 0, false);
    assert_state(w, 0, CORE_RELEASING);
    settle(w, 0);
    assert_state(w, 0, CORE_VERIFYING);
    forget(w);
}

/* Verify finds the address free on `target`, and it is held there. */
static void arrive(struct world *w, uint16_t target)
{
    assert_state(w, 0, CORE_VERIFYING);
    witness(w, target);
    pass(w, 2 * SPACING_NS);
    assert_int_equal(nth(w, CORE_CLAIM, 0)->target, target);
    settle(w, 0);
    assert_state(w, 0, CORE_HOLDING);
    assert_int_equal(w->addresses[0].held_on, target);
    assert_null(strstr(path_of(w, 0), "awaiting"));
}

static void it_arrives(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 2);
    arrive(&w, 1);
}

static void a_stall_on_the_way(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    witness(&w, 1);
    pass(&w, NSEC_PER_MSEC);
    stall(&w, 0);
    pass(&w, 2 * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0); /* what was found before it does not count */
    arrive(&w, 1);
}

static void a_cable_on_the_way(void **state)
{
    struct world w;

    (void)state;
    /* The first one is back. */
    begin_move(&w, 1);
    link_is(&w, 0, true);
    arrive(&w, 0);
    /* The other one goes, too; then it comes back. */
    begin_move(&w, 1);
    link_is(&w, 1, false);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_NO_CARRIER);
    pass(&w, NSEC_PER_SEC);
    link_is(&w, 1, true);
    arrive(&w, 1);
    /* Both are out before the kernel has taken it off. */
    world_approved(&w, 1);
    link_is(&w, 0, false);
    link_is(&w, 1, false);
    settle(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    forget(&w);
    link_is(&w, 0, true);
    arrive(&w, 0);
}

/* The kernel is still at it: as soon as it is held, it goes on. */
static void a_cable_while_claiming(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    witness(&w, 1);
    pass(&w, 2 * SPACING_NS);
    link_is(&w, 0, true);
    link_is(&w, 1, false);
    assert_state(&w, 0, CORE_CLAIMING);
    settle(&w, 0);
    assert_state(&w, 0, CORE_RELEASING);
    settle(&w, 0);
    forget(&w);
    arrive(&w, 0);
    /* One that cannot be taken off is not tried for ever. */
    link_is(&w, 1, true);
    link_is(&w, 0, false);
    forget(&w);
    settle(&w, -EPERM);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0);
}

/* Nobody answers, or the kernel refuses: tried again after fresh misses, and nobody is asked. */
static void what_does_not_succeed_is_tried_again(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_WITNESS_SILENT);
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    witness(&w, 1);
    pass(&w, 2 * SPACING_NS);
    settle(&w, -EINVAL);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_CLAIM_FAILED);
    forget(&w);
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    arrive(&w, 1);
}

/* Another target is about to claim, and does not. */
static void it_gives_way_but_not_for_ever(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    w.nics[0].intended = false;
    rival(&w, 0, &lower_mac);
    assert_state(&w, 0, CORE_BLOCKED);
    pass(&w, 10 * NSEC_PER_SEC);
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    arrive(&w, 1);
}

/* The source is back: that takeover is over, and the next one is a question. */
static void the_source_is_back(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    pass(&w, NSEC_PER_MSEC);
    answer(&w, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    round_answered(&w, 0, 0);
    assert_state(&w, 0, CORE_UP);
    lose(&w, 0, 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_AWAITING);
}

static void a_pause_on_the_way(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    core_pause(&w.core, w.now_ns, 0);
    check(&w);
    arrive(&w, 1);
}

static void given_back_on_the_way(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    link_is(&w, 1, false);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), 0);
    check(&w);
    assert_state(&w, 0, CORE_DISARMED);
    link_is(&w, 1, true);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

/* With `trigger any` the other address lives, and answers all the time. */
static void others_answer_on_the_way(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    w.nics[0].trigger_any = true;
    for (int i = 0; i < MISSES; i++) {
        pass(&w, INTERVAL_NS);
        answer(&w, 1);
        miss(&w, 0);
        witness(&w, 0);
    }
    pass(&w, 2 * SPACING_NS);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.nics[0].n_held, 1);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    pass(&w, NSEC_PER_SEC);
    link_is(&w, 0, false);
    settle(&w, 0);
    forget(&w);
    pass(&w, NSEC_PER_MSEC);
    answer(&w, 1);
    arrive(&w, 1);
    assert_int_equal(w.nics[0].n_held, 1);
}

/* Back to the first choice, which goes again on the way. */
static void home_is_not_there_any_more(void **state)
{
    struct world w;

    (void)state;
    begin_move(&w, 1);
    arrive(&w, 1);
    link_is(&w, 0, true);
    witness(&w, 0);
    for (int i = 0; i < 200 && w.nics[0].state == CORE_HOLDING; i++)
        pass(&w, 100 * NSEC_PER_MSEC);
    assert_state(&w, 0, CORE_RELEASING);
    assert_reason(&w, 0, CORE_REASON_HOME);
    link_is(&w, 0, false);
    forget(&w);
    settle(&w, 0);
    arrive(&w, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_arrives),
        cmocka_unit_test(a_stall_on_the_way),
        cmocka_unit_test(a_cable_on_the_way),
        cmocka_unit_test(a_cable_while_claiming),
        cmocka_unit_test(what_does_not_succeed_is_tried_again),
        cmocka_unit_test(it_gives_way_but_not_for_ever),
        cmocka_unit_test(the_source_is_back),
        cmocka_unit_test(a_pause_on_the_way),
        cmocka_unit_test(given_back_on_the_way),
        cmocka_unit_test(others_answer_on_the_way),
        cmocka_unit_test(home_is_not_there_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
