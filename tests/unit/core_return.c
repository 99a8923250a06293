/* SPDX-License-Identifier: Apache-2.0 */
/* While we stand in: the source's return, and others who hold what we hold. */
#include "tests/unit/core_fixture.h"

static void held_automatic(struct world *w, uint32_t n, nsec_t hold_down_ns)
{
    world_held(w, n);
    w->sources[0].failback_automatic = true;
    w->sources[0].announce_source = true;
    w->sources[0].hold_down_ns = hold_down_ns;
}

/* In each look the source is asked by unicast; everybody is once a second, by broadcast. */
static void the_source_is_asked_for(void **state)
{
    struct world w;
    uint32_t unicast = 0, broadcast = 0;

    (void)state;
    world_held(&w, 1);
    pass(&w, 10 * NSEC_PER_SEC);
    for (uint32_t i = 0; i < w.n_actions; i++) {
        if (w.actions[i].type != CORE_ASK)
            continue;
        unicast += mac_address_equal(&w.actions[i].mac, &source_mac);
        broadcast += mac_address_is_unset(&w.actions[i].mac);
        assert_false(w.actions[i].intent);
    }
    assert_int_equal(unicast, 40);
    assert_in_range(broadcast, 9, 11);
    /* Nothing is asked on a NIC without carrier. */
    link_is(&w, 0, false);
    settle(&w, 0);
    link_is(&w, 1, false);
    forget(&w);
    pass(&w, 10 * NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_ASK), 0);
}

static void answers_in_a_row_prove_it(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 2, 0);
    pass(&w, LOOK_NS);
    for (int i = 0; i < 2; i++) {
        answer(&w, 1);
        assert_state(&w, 0, CORE_HOLDING);
        forget(&w);
        pass(&w, QUESTION_NS);
        assert_int_equal(emitted(&w, CORE_ASK), 1);
        assert_memory_equal(&nth(&w, CORE_ASK, 0)->mac, &source_mac, sizeof source_mac);
    }
    answer(&w, 1);
    assert_int_equal(emitted(&w, CORE_RETURNED), 1);
    assert_int_equal(emitted(&w, CORE_RELEASE), 2);
    settle(&w, 0);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_RETURNED);
    /* Of the address that it was seen to have, the LAN is told at once; of the other one when it answers. */
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 1);
    assert_int_equal(nth(&w, CORE_ANNOUNCE_SOURCE, 0)->address, 1);
    round_answered(&w, 0, 1);
    assert_state(&w, 0, CORE_UP);
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 2);
    for (int i = 0; i < 500; i++)
        round_answered(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 6);
}

static void what_lapsed_is_given_back_too(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 2, 0);
    forget(&w);
    core_on_gone(&w.core, w.now_ns, 0, true); /* this host hung, and its guard took it off */
    core_on_gone(&w.core, w.now_ns, 1, true);
    check(&w);
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 0);
    round_answered(&w, 0, 1);
    assert_state(&w, 0, CORE_UP);
    for (int i = 0; i < 500; i++)
        round_answered(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 6);
}

static void one_frame_proves_nothing(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 1, 0);
    for (int i = 0; i < 10; i++) {
        pass(&w, 20 * NSEC_PER_MSEC);
        forget(&w);
        hear(&w, 0, &source_mac); /* replayed: whoever sent it is not there to answer */
        assert_int_equal(emitted(&w, CORE_ASK), 1);
        assert_int_equal(emitted(&w, CORE_DEFEND), 0);
        pass(&w, 3 * NSEC_PER_SEC);
        answer(&w, 0); /* one answer, and none to the question that it brings */
        pass(&w, 3 * NSEC_PER_SEC);
    }
    core_on_answer(&w.core, w.now_ns, 0, NULL); /* our own kernel's */
    check(&w);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.nics[0].back_since_ns, NSEC_UNSET);
}

static void more_answers_than_questions_prove_nothing(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 1, 0);
    for (int i = 0; i < 5000; i++) {
        pass(&w, 8 * NSEC_PER_MSEC);
        answer(&w, 0);
        forget(&w);
    }
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.nics[0].back_since_ns, NSEC_UNSET);
    /* But a network may double each frame. */
    pass(&w, 3 * NSEC_PER_SEC);
    for (int i = 0; i < 3; i++) {
        answer(&w, 0);
        answer(&w, 0);
        pass(&w, QUESTION_NS);
    }
    assert_state(&w, 0, CORE_RELEASING);
}

/* At a fast pace looks for other holders, which the source answers too, come between the questions. */
static void fast_looks_do_not_spoil_the_proof(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 1, 0);
    w.sources[0].look_ns = 25 * NSEC_PER_MSEC;
    pass(&w, NSEC_PER_SEC);
    for (int i = 0; i < 200 && w.nics[0].state == CORE_HOLDING; i++) {
        forget(&w);
        pass(&w, NSEC_PER_MSEC);
        for (uint32_t k = emitted(&w, CORE_ASK); k > 0; k--)
            answer(&w, 0);
    }
    assert_state(&w, 0, CORE_RELEASING);
    assert_reason(&w, 0, CORE_REASON_RETURNED);
}

static void manual_failback_alarms_and_defends(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    for (int i = 0; i < 75; i++) {
        hear(&w, 0, &source_mac);
        prove_return(&w, 0);
    }
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0);
    assert_int_equal(emitted(&w, CORE_RETURNED), 1); /* said once, as long as it stays */
    assert_in_range(emitted(&w, CORE_DEFEND), 2, 3); /* in some 25 s: once in 10 s */
    /* Probes do not make it yield, nor do they for a source that is paused. */
    forget(&w);
    rival(&w, 0, &source_mac);
    assert_int_equal(emitted(&w, CORE_RETURN_PROBED), 1);
    assert_false(core_yields_to_source(&w.core, 0));
    w.sources[0].failback_automatic = true;
    core_pause(&w.core, w.now_ns, 0);
    rival(&w, 0, &source_mac);
    assert_state(&w, 0, CORE_HOLDING);
}

static void hold_down_wants_it_to_stay(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 1, 10 * NSEC_PER_SEC);
    assert_false(core_yields_to_source(&w.core, 0));
    rival(&w, 0, &source_mac);
    assert_state(&w, 0, CORE_HOLDING);
    for (int i = 0; i < 25; i++)
        prove_return(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    pass(&w, 3 * NSEC_PER_SEC); /* gone again: the time begins anew */
    for (int i = 0; i < 25; i++)
        prove_return(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    for (int i = 0; i < 10; i++)
        prove_return(&w, 0);
    assert_state(&w, 0, CORE_RELEASING);
}

/* RFC 5227 section 2.1.1: the source asks whether it may have its address, and must not be told that it may not. */
static void a_probe_is_let_in(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 2, 0);
    assert_true(core_yields_to_source(&w.core, 0));
    rival(&w, 1, &source_mac);
    assert_state(&w, 0, CORE_RELEASING);
    settle(&w, 0);
    assert_false(core_yields_to_source(&w.core, 0));
    /* Nobody may speak for the address while the source is at it. */
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 0);
    for (int i = 0; i < 300; i++) {
        round_missed(&w, 0, 1);
        assert_int_equal(emitted(&w, CORE_CLAIM), 0);
        forget(&w);
    }
    assert_state(&w, 0, CORE_BLOCKED);
    round_answered(&w, 0, 1);
    assert_state(&w, 0, CORE_UP);
    assert_int_equal(emitted(&w, CORE_ANNOUNCE_SOURCE), 2);
    assert_int_equal(w.nics[0].false_returns, 0);
    /* And it is taken over again as ever, without waiting. */
    lose(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
}

/* How many claims that brings. */
static uint32_t miss_for(struct world *w, nsec_t span_ns)
{
    uint32_t claims = 0;

    for (nsec_t end_ns = w->now_ns + span_ns; w->now_ns < end_ns; claims += emitted(w, CORE_CLAIM)) {
        forget(w);
        round_missed(w, 0, 0);
        witness(w, 0);
        pass(w, SPACING_NS);
    }
    return claims;
}

static void who_only_pretends_to_return_is_not_believed_for_ever(void **state)
{
    struct world w;

    (void)state;
    held_automatic(&w, 1, 0);
    for (uint32_t i = 0; i < CORE_FALSE_RETURNS_MAX; i++) {
        rival(&w, 0, &source_mac);
        settle(&w, 0);
        assert_int_equal(miss_for(&w, CORE_RETURN_NS - 100 * NSEC_PER_MSEC), 0);
        assert_int_equal(miss_for(&w, 300 * NSEC_PER_MSEC), 1); /* verified anew, and claimed again */
        settle(&w, 0);
        assert_state(&w, 0, CORE_HOLDING);
    }
    assert_false(core_yields_to_source(&w.core, 0));
    rival(&w, 0, &source_mac);
    assert_state(&w, 0, CORE_HOLDING);
    prove_return(&w, 0); /* what can be proved still counts */
    assert_state(&w, 0, CORE_RELEASING);
}

/* Both hold, each hears the other answer and probe: the higher MAC gives way, within the same moment. */
static void of_two_holders_the_higher_mac_gives_way(void **state)
{
    static const struct mac_address *const others[] = {&lower_mac, &higher_mac};

    (void)state;
    for (int k = 0; k < 4; k++) {
        const struct mac_address *other = others[k % 2];
        struct world w;

        world_held(&w, 2);
        if (k < 2) { /* in whatever order */
            core_on_answer(&w.core, w.now_ns, 1, other);
            check(&w);
            assert_int_equal(intents(&w), 1); /* we probe too: the other one has to know of us */
            assert_int_equal(emitted(&w, CORE_CONFLICT), 1);
            rival(&w, 0, other);
        } else {
            rival(&w, 0, other);
            assert_int_equal(emitted(&w, CORE_ASK), 1); /* does it have it, or only want it? */
            core_on_answer(&w.core, w.now_ns, 0, other);
            check(&w);
        }
        if (other == &lower_mac) {
            assert_state(&w, 0, CORE_RELEASING);
            assert_reason(&w, 0, CORE_REASON_RIVAL);
            settle(&w, 0);
            assert_state(&w, 0, CORE_BLOCKED);
            round_answered(&w, 0, 1); /* by the other */
            assert_state(&w, 0, CORE_UP);
            lose(&w, 0, 1); /* which dies */
            assert_int_equal(emitted(&w, CORE_CLAIM), 2);
        } else {
            assert_state(&w, 0, CORE_HOLDING);
            assert_int_equal(emitted(&w, CORE_ANNOUNCE_AGAIN), 2);
            /* However often it is heard, there is no war. */
            for (int i = 0; i < 50; i++) {
                pass(&w, 100 * NSEC_PER_MSEC);
                hear(&w, 0, other);
                rival(&w, 0, other);
            }
            assert_int_equal(emitted(&w, CORE_ANNOUNCE_AGAIN), 2);
            assert_in_range(intents(&w), 1, 6);
        }
    }
}

static void a_third_host_is_not_given_way_to(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 1);
    for (int i = 0; i < 250; i++) {
        pass(&w, 100 * NSEC_PER_MSEC);
        hear(&w, 0, &lower_mac);
    }
    assert_state(&w, 0, CORE_HOLDING);
    assert_in_range(emitted(&w, CORE_DEFEND), 2, 3);
    assert_in_range(intents(&w), 20, 26);
    /* Nor to one that only wants it: our kernel tells it. */
    world_held(&w, 1);
    for (int i = 0; i < 10; i++) {
        pass(&w, NSEC_PER_SEC);
        rival(&w, 0, &lower_mac);
    }
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(emitted(&w, CORE_CONFLICT), 0);
}

/* Another target stands in first, and then we do: the source is still known when it comes back. */
static void another_target_is_not_taken_for_the_source(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    w.sources[0].failback_automatic = true;
    core_on_answer(&w.core, w.now_ns, 0, &lower_mac);
    check(&w);
    assert_memory_equal(&w.addresses[0].mac, &lower_mac, sizeof lower_mac);
    core_on_asked(&w.core, w.now_ns, 0, &higher_mac); /* some client */
    assert_memory_equal(&w.addresses[0].mac, &lower_mac, sizeof lower_mac);
    core_on_asked(&w.core, w.now_ns, 0, &lower_mac); /* which answers for it, and asks for it */
    assert_memory_equal(&w.addresses[0].mac, &source_mac, sizeof source_mac);
    core_on_answer(&w.core, w.now_ns, 0, &lower_mac);
    check(&w);
    assert_memory_equal(&w.addresses[0].mac, &source_mac, sizeof source_mac);
    assert_memory_equal(&w.addresses[0].heard_mac, &lower_mac, sizeof lower_mac);
    lose(&w, 0, 0);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    core_on_asked(&w.core, w.now_ns, 0, &source_mac); /* a program on the source that looks for its old address */
    prove_return(&w, 0);
    assert_state(&w, 0, CORE_RELEASING);
}

static void from_the_fallback_nic_back_to_the_first(void **state)
{
    struct world w;

    (void)state;
    world_held(&w, 2);
    link_is(&w, 0, false);
    settle(&w, 0);
    witness(&w, 1);
    pass(&w, NSEC_PER_SEC);
    settle(&w, 0);
    assert_int_equal(w.addresses[0].held_on, 1);
    link_is(&w, 0, true);
    pass(&w, 5 * NSEC_PER_SEC);
    link_is(&w, 0, false);
    link_is(&w, 0, true);
    forget(&w);
    pass(&w, 9 * NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0); /* not yet, and not without a witness there */
    pass(&w, 2 * NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_RELEASE), 0);
    assert_int_equal(emitted(&w, CORE_ASK_WITNESSES), 1);
    witness(&w, 0);
    pass(&w, 10 * NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_RELEASE), 2);
    settle(&w, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2); /* at once: we had it until now */
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_reason(&w, 0, CORE_REASON_HOME);
    assert_int_equal(w.addresses[1].held_on, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_is_asked_for),
        cmocka_unit_test(answers_in_a_row_prove_it),
        cmocka_unit_test(more_answers_than_questions_prove_nothing),
        cmocka_unit_test(fast_looks_do_not_spoil_the_proof),
        cmocka_unit_test(what_lapsed_is_given_back_too),
        cmocka_unit_test(one_frame_proves_nothing),
        cmocka_unit_test(manual_failback_alarms_and_defends),
        cmocka_unit_test(hold_down_wants_it_to_stay),
        cmocka_unit_test(a_probe_is_let_in),
        cmocka_unit_test(who_only_pretends_to_return_is_not_believed_for_ever),
        cmocka_unit_test(of_two_holders_the_higher_mac_gives_way),
        cmocka_unit_test(a_third_host_is_not_given_way_to),
        cmocka_unit_test(another_target_is_not_taken_for_the_source),
        cmocka_unit_test(from_the_fallback_nic_back_to_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
