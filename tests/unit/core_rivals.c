/* SPDX-License-Identifier: Apache-2.0 */
/* Two targets with the same ipmap that decide at once. */
#include "tests/unit/core_fixture.h"

/* Misses up to the round in which the intent goes out. */
static void come_near(struct world *w)
{
    round_missed(w, 0, 0);
    witness(w, 0);
    for (int i = 2; i < MISSES; i++)
        round_missed(w, 0, 0);
    pass(w, INTERVAL_NS / 2);
}

static void an_intent_before_ours_goes_first(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    rival(&w, 0, &higher_mac);
    assert_string_equal(path_of(&w, 0), "late blocked");
    assert_reason(&w, 0, CORE_REASON_RIVAL);
    assert_memory_equal(&w.nics[0].reason_mac, &higher_mac, sizeof higher_mac);
    assert_int_equal(emitted(&w, CORE_RESTART), 1);
    assert_int_equal(w.addresses[0].misses, 0);
    /* Its kernel takes its time: we neither claim nor say that we are about to. */
    forget(&w);
    while (w.now_ns < w.nics[0].hold_off_ns - INTERVAL_NS) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
    }
    assert_state(&w, 0, CORE_BLOCKED);
    assert_int_equal(intents(&w), 0);
    /* It has claimed, and is heard to announce: the address is in use. */
    forget(&w);
    pass(&w, INTERVAL_NS);
    for (int i = 0; i < 2 * MISSES; i++) {
        round_missed(&w, 0, 0);
        witness(&w, 0);
        pass(&w, 1);
        hear(&w, 0, &higher_mac);
    }
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
}

static void at_once_the_higher_mac_gives_way(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    come_near(&w);
    assert_int_equal(intents(&w), 1);
    rival(&w, 0, &higher_mac);
    assert_state(&w, 0, CORE_LATE);
    round_missed(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);

    world_plain(&w, 1);
    come_near(&w);
    rival(&w, 0, &lower_mac);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_RIVAL);
    round_missed(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

static void one_of_two_gives_way_and_never_both(void **state)
{
    struct world a, b;

    (void)state;
    world_plain(&a, 1);
    world_plain(&b, 1);
    for (int i = 0; i < 2; i++)
        b.targets[i].mac = higher_mac;
    come_near(&a);
    come_near(&b);
    rival(&a, 0, &b.targets[0].mac);
    rival(&b, 0, &a.targets[0].mac);
    round_missed(&a, 0, 0);
    round_missed(&b, 0, 0);
    assert_int_equal(emitted(&a, CORE_CLAIM) + emitted(&b, CORE_CLAIM), 1);
}

static void one_that_never_claims_is_obeyed_only_so_often(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    for (int i = 0; i < 2 * CORE_YIELDS_MAX; i++) {
        come_near(&w);
        rival(&w, 0, &lower_mac);
        pass(&w, i < CORE_YIELDS_MAX ? CORE_YIELD_NS : 0);
        assert_int_equal(w.nics[0].yields, i < CORE_YIELDS_MAX ? i + 1 : CORE_YIELDS_MAX);
    }
    round_missed(&w, 0, 0);
    pass(&w, 2 * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    settle(&w, 0);
    assert_int_equal(w.nics[0].yields, 0);
}

static void blocked_and_awaiting(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    rival(&w, 0, &lower_mac); /* nothing is in doubt here: somebody else's affair */
    assert_int_equal(w.n_actions, 0);
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    rival(&w, 0, &lower_mac);
    assert_state(&w, 0, CORE_BLOCKED);
    round_missed(&w, 0, 0);
    forget(&w);
    rival(&w, 0, &lower_mac); /* blocked, and on the way to the next verdict */
    assert_int_equal(emitted(&w, CORE_RESTART), 1);

    world_plain(&w, 1);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    lose(&w, 0, 0);
    assert_int_equal(intents(&w), 0); /* no intent: a person decides */
    rival(&w, 0, &lower_mac);
    assert_state(&w, 0, CORE_AWAITING);
    assert_reason(&w, 0, CORE_REASON_POLICY_MANUAL);
    core_approve(&w.core, w.now_ns, 0);
    rival(&w, 0, &lower_mac); /* nor does a person's order give way */
    assert_state(&w, 0, CORE_VERIFYING);
}

static void the_sources_own_probe_is_a_sign_of_life(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    come_near(&w);
    rival(&w, 0, &source_mac);
    assert_state(&w, 0, CORE_LATE);
    round_missed(&w, 0, 0);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    assert_memory_equal(&w.nics[0].reason_mac, &source_mac, sizeof source_mac);
    assert_int_equal(w.nics[0].yields, 0);
}

static void without_carrier_there_is_nothing_to_yield(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    link_is(&w, 0, false);
    link_is(&w, 1, false);
    round_missed(&w, 0, 0);
    rival(&w, 0, &lower_mac);
    assert_reason(&w, 0, CORE_REASON_NO_CARRIER);
    assert_int_equal(w.nics[0].yields, 0);
}

/* Who stands in asks for what he has now and then, and his guard when he has it no more: whether he answers is asked at
 * once. */
static void what_a_deputy_asks_is_looked_at_at_once(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac); /* some client */
    assert_int_equal(emitted(&w, CORE_HURRY), 0);
    core_on_answer(&w.core, w.now_ns, 0, &higher_mac);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac);
    check(&w);
    assert_int_equal(emitted(&w, CORE_HURRY), 1);
    round_missed(&w, 0, 0); /* also during a row */
    forget(&w);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac);
    assert_int_equal(emitted(&w, CORE_HURRY), 1);
    forget(&w);
    core_on_asked(&w.core, w.now_ns, 0, &lower_mac);
    assert_int_equal(emitted(&w, CORE_HURRY), 0);
    /* A ping is answered by nobody in particular. */
    core_on_answer(&w.core, w.now_ns, 0, NULL);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac);
    assert_int_equal(emitted(&w, CORE_HURRY), 1);
    /* The source has it again, and is given the time that the file says. */
    forget(&w);
    core_on_answer(&w.core, w.now_ns, 0, &source_mac);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac);
    assert_int_equal(emitted(&w, CORE_HURRY), 0);
}

/* A deputy that asks no more has no agent any more, and its kernel will drop the address. */
static void a_deputy_that_asks_no_more(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    core_on_answer(&w.core, w.now_ns, 0, &higher_mac);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac);
    forget(&w);
    pass(&w, 2 * NSEC_PER_SEC);
    round_missed(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_HURRY), 0);
    core_on_answer(&w.core, w.now_ns, 0, &higher_mac);
    pass(&w, NSEC_PER_SEC / 10);
    round_missed(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_HURRY), 1);
    /* It is the source again that answered last. */
    core_on_answer(&w.core, w.now_ns, 0, &source_mac);
    forget(&w);
    round_missed(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_HURRY), 0);
}

/* Where only pings are sent, who stands in is known by what it announces. */
static void a_deputy_that_only_announced(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    core_on_answer(&w.core, w.now_ns, 0, NULL);
    hear(&w, 0, &higher_mac);
    core_on_answer(&w.core, w.now_ns, 0, NULL);
    forget(&w);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac);
    check(&w);
    assert_int_equal(emitted(&w, CORE_HURRY), 1);
    assert_memory_equal(&w.addresses[0].mac, &source_mac, sizeof source_mac);
    hear(&w, 0, &source_mac);
    forget(&w);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac);
    assert_int_equal(emitted(&w, CORE_HURRY), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intent_before_ours_goes_first),
        cmocka_unit_test(at_once_the_higher_mac_gives_way),
        cmocka_unit_test(one_of_two_gives_way_and_never_both),
        cmocka_unit_test(one_that_never_claims_is_obeyed_only_so_often),
        cmocka_unit_test(blocked_and_awaiting),
        cmocka_unit_test(the_sources_own_probe_is_a_sign_of_life),
        cmocka_unit_test(without_carrier_there_is_nothing_to_yield),
        cmocka_unit_test(what_a_deputy_asks_is_looked_at_at_once),
        cmocka_unit_test(a_deputy_that_asks_no_more),
        cmocka_unit_test(a_deputy_that_only_announced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
