/* SPDX-License-Identifier: Apache-2.0 */
/* Verify: witnesses, broadcasts that must stay unanswered, and who is found to answer them. */
#include "tests/unit/core_fixture.h"

static void miss_until_lost(struct world *w, uint32_t last)
{
    for (int i = 0; i < MISSES; i++)
        round_missed(w, 0, last);
}

static void without_a_witness_nothing_is_claimed(void **state)
{
    struct world w;
    uint32_t before;

    (void)state;
    world_plain(&w, 1);
    miss_until_lost(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    before = emitted(&w, CORE_ASK_WITNESSES);
    pass(&w, NSEC_PER_SEC);
    assert_string_equal(path_of(&w, 0), "late verifying blocked");
    assert_reason(&w, 0, CORE_REASON_WITNESS_SILENT);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_true(emitted(&w, CORE_ASK_WITNESSES) >=
                before + 4); /* an answer may get lost: on two NICs, twice at least */
    assert_int_equal(emitted(&w, CORE_RESTART), 1);
    /* Isolated for long: it is tried again and again, and never claimed. No intent is sent that others would obey. */
    forget(&w);
    for (int i = 0; i < 5; i++) {
        miss_until_lost(&w, 0);
        pass(&w, NSEC_PER_SEC);
    }
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_int_equal(intents(&w), 0);
    assert_state(&w, 0, CORE_BLOCKED);
    /* The cable is back, and the source did die meanwhile. */
    miss_until_lost(&w, 0);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    witness(&w, 0);
    pass(&w, SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void a_late_witness_ends_the_wait(void **state)
{
    struct world w;
    nsec_t asked_ns;

    (void)state;
    world_plain(&w, 1);
    miss_until_lost(&w, 0);
    asked_ns = w.now_ns;
    pass(&w, SPACING_NS / 2);
    core_on_witness(&w.core, w.now_ns, 0, asked_ns);
    check(&w);
    /* The intent left before it was asked, perhaps to nobody: once more, and its answer awaited. */
    assert_state(&w, 0, CORE_VERIFYING);
    pass(&w, SPACING_NS);
    pass(&w, SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void a_witness_may_be_slower_than_the_rounds(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    w.sources[0].verify_spacing_ns = 100 * NSEC_PER_USEC;
    for (int i = 0; i < MISSES; i++) {
        pass(&w, 100 * NSEC_PER_USEC);
        miss(&w, 0);
    }
    pass(&w, 20 * NSEC_PER_MSEC);
    core_on_witness(&w.core, w.now_ns, 0, w.now_ns - 15 * NSEC_PER_MSEC);
    check(&w);
    pass(&w, 200 * NSEC_PER_USEC);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void an_answer_to_an_old_request_does_not_count(void **state)
{
    struct world w;
    nsec_t before_ns;

    (void)state;
    world_plain(&w, 1);
    before_ns = w.now_ns;
    miss_until_lost(&w, 0);
    core_on_witness(&w.core, w.now_ns, 0, before_ns);
    check(&w);
    assert_state(&w, 0, CORE_VERIFYING);
    core_on_witness(&w.core, w.now_ns, 0, w.now_ns);
    core_on_witness(&w.core, w.now_ns, 0, before_ns); /* nor does it take away what a newer one said */
    check(&w);
    pass(&w, 2 * SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_true(w.targets[0].witness_asked_ns > before_ns);
}

static void the_witness_of_another_nic_does_not_count(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    miss_until_lost(&w, 0);
    witness(&w, 1);
    assert_state(&w, 0, CORE_VERIFYING);
    pass(&w, NSEC_PER_SEC);
    assert_reason(&w, 0, CORE_REASON_WITNESS_SILENT);
}

static void two_target_nics_are_judged_each_for_itself(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    for (uint16_t i = 0; i < 4; i++)
        add_address(&w, i % 2, CORE_NO_TARGET);
    start(&w, 2);
    round_answered(&w, 0, 3);
    forget(&w);
    round_missed(&w, 0, 3);
    assert_int_equal(emitted(&w, CORE_ASK_CARRIER), 2); /* each is asked once a turn, however the addresses alternate */
    assert_int_equal(emitted(&w, CORE_ASK_WITNESSES), 2);
    witness(&w, 0);
    miss_until_lost(&w, 3);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
    assert_int_equal(w.addresses[1].refusal, CORE_REASON_WITNESS_SILENT);
    settle(&w, 0);
    assert_int_equal(w.nics[0].n_held, 2);
    /* The rest is tried again after fresh misses, and claimed once the witness there answers. */
    miss_until_lost(&w, 3);
    witness(&w, 1);
    pass(&w, SPACING_NS);
    settle(&w, 0);
    assert_int_equal(w.nics[0].n_held, 4);
}

static void a_dead_witness_elsewhere_holds_nothing_up_for_ever(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w)->misses = 1; /* so that broadcasts are still to be sent after the verdict */
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET)->asked_by_link = false;
    add_address(&w, 1, CORE_NO_TARGET)->asked_by_link = false;
    start(&w, 2);
    round_answered(&w, 0, 1);
    round_missed(&w, 0, 1);
    witness(&w, 1);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 1);
}

static void with_no_witness_to_ask_a_person_must_say_so(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    w.targets[0].witness = w.targets[1].witness = CORE_WITNESS_MISSING;
    miss_until_lost(&w, 0);
    assert_state(&w, 0, CORE_AWAITING);
    assert_reason(&w, 0, CORE_REASON_WITNESS_MISSING);
    assert_int_equal(emitted(&w, CORE_ASK_WITNESSES), 0);
    assert_int_equal(core_approve(&w.core, w.now_ns, 0), 0);
    pass(&w, 4 * ASKS * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

static void the_file_may_do_without(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    w.targets[0].witness = w.targets[1].witness = CORE_WITNESS_NONE;
    miss_until_lost(&w, 0);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(emitted(&w, CORE_ASK_WITNESSES), 0);
}

static void the_sources_own_mac_is_proof_of_life(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    w.addresses[1].monitored = true;
    round_missed(&w, 0, 1);
    witness(&w, 0);
    round_missed(&w, 0, 1);
    pass(&w, INTERVAL_NS / 2);
    hear(&w, 0, &higher_mac);
    hear(&w, 1, &source_mac);
    round_missed(&w, 0, 1);
    assert_string_equal(path_of(&w, 0), "late verifying blocked");
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    assert_int_equal(w.nics[0].reason_address, 1); /* it, and not the stranger, is why */
    assert_memory_equal(&w.nics[0].reason_mac, &source_mac, sizeof source_mac);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    assert_int_equal(emitted(&w, CORE_RESTART), 1);
}

static void it_ends_verify_as_soon_as_it_is_heard(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    miss_until_lost(&w, 0);
    pass(&w, 1);
    hear(&w, 0, &source_mac);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
}

static void a_strangers_mac_refuses_its_address_alone(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 3);
    round_missed(&w, 0, 2);
    witness(&w, 0);
    pass(&w, INTERVAL_NS / 2);
    hear(&w, 1, &higher_mac);
    miss_until_lost(&w, 2);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
    assert_int_equal(w.addresses[1].claim, CORE_CLAIM_REFUSED);
    assert_int_equal(w.addresses[1].refusal, CORE_REASON_IN_USE);
    assert_memory_equal(&w.addresses[1].heard_mac, &higher_mac, sizeof higher_mac);
}

static void strangers_everywhere_block_the_nic(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    round_missed(&w, 0, 1);
    witness(&w, 0);
    pass(&w, 1);
    hear(&w, 0, &higher_mac);
    hear(&w, 1, &lower_mac);
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
    assert_int_equal(w.nics[0].reason_address, 0);
    assert_memory_equal(&w.nics[0].reason_mac, &higher_mac, sizeof higher_mac);
}

static void under_any_the_sources_mac_refuses_its_address_alone(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    w.nics[0].trigger_any = true;
    round_missed(&w, 0, 1);
    witness(&w, 0);
    pass(&w, 1);
    hear(&w, 1, &source_mac);
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 0);
}

static void what_was_heard_before_the_first_miss_does_not_count(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    hear(&w, 0, &source_mac);
    lose(&w, 0, 0);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void a_pinged_source_is_asked_by_broadcast_from_the_first_miss(void **state)
{
    struct world w;

    (void)state;
    world_pinged(&w);
    assert_int_equal(emitted(&w, CORE_ASK), 0);
    miss(&w, 0);
    pass(&w, 0);
    assert_int_equal(emitted(&w, CORE_ASK), 1);
    assert_false(nth(&w, CORE_ASK, 0)->intent); /* from our own address: the source may be in its own detection */
    pass(&w, SPACING_NS - 1);
    assert_int_equal(emitted(&w, CORE_ASK), 1);
    pass(&w, 1);
    assert_int_equal(emitted(&w, CORE_ASK), 2);
    pass(&w, 10 * SPACING_NS);
    assert_int_equal(emitted(&w, CORE_ASK), ASKS);
    assert_int_equal(core_deadline(&w.core), NSEC_NEVER);
}

/* Slower answers, not missing ones: the wait that was measured tells nothing of them, the file's does. */
static void one_miss_alone_is_given_the_time_of_the_file(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 1);
    w.sources[0].misses = 1;
    pass(&w, INTERVAL_NS);
    core_on_miss(&w.core, w.now_ns, 0, 1, SPACING_NS / 10);
    check(&w);
    witness(&w, 0);
    pass(&w, SPACING_NS - 1);
    assert_state(&w, 0, CORE_VERIFYING);
    assert_int_equal(intents(&w), 1);
    answer(&w, 0);
    assert_state(&w, 0, CORE_UP);
    pass(&w, INTERVAL_NS);
    core_on_miss(&w.core, w.now_ns, 0, 1, SPACING_NS / 10);
    check(&w);
    witness(&w, 0);
    pass(&w, SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void a_pinged_source_waits_for_its_broadcasts(void **state)
{
    struct world w;
    nsec_t verdict_ns;

    (void)state;
    world_pinged(&w);
    w.sources[0].misses = 2;
    miss(&w, 0);
    witness(&w, 0);
    pass(&w, SPACING_NS / 2);
    miss(&w, 0);
    verdict_ns = w.now_ns;
    assert_state(&w, 0, CORE_VERIFYING);
    pass(&w, NSEC_PER_SEC);
    assert_string_equal(path_of(&w, 0), "late verifying claiming");
    assert_int_equal(emitted(&w, CORE_ASK), ASKS);
    assert_in_range(w.nics[0].since_ns - verdict_ns, SPACING_NS, ASKS * SPACING_NS);
    assert_true(intents(&w) >= 1);
}

static void broadcasts_that_cannot_be_finished_are_no_evidence(void **state)
{
    struct world w;

    (void)state;
    world_pinged(&w);
    for (int i = 0; i < MISSES; i++)
        miss(&w, 0); /* all at once, as after a pause: nothing was asked yet */
    pass(&w, 2 * (ASKS + 1) * SPACING_NS - 1);
    assert_state(&w, 0, CORE_VERIFYING);
    witness(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_BLOCKED);
    assert_reason(&w, 0, CORE_REASON_NOT_ASKED);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

/* No rounds ask for it: as many broadcasts have to go unanswered as for what is only pinged. */
static void an_address_that_is_not_monitored_is_asked_for_by_verify(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w);
    add_address(&w, 0, CORE_NO_TARGET);
    *add_address(&w, 0, CORE_NO_TARGET) = (struct core_address){.target = {0, CORE_NO_TARGET}};
    start(&w, 1);
    round_answered(&w, 0, 0);
    forget(&w);
    lose(&w, 0, 0);
    assert_int_equal(emitted(&w, CORE_ASK), 2 * ASKS);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_ASK), 2 * ASKS);
    assert_int_equal(emitted(&w, CORE_CLAIM), 2);
}

/* Whatever was asked has to be asked again, in each kind of verify, and so often as answers are lost. */
static void what_was_asked_while_answers_got_lost_does_not_count(void **state)
{
    struct core_refusal refusal;

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct world w;

        world_pinged(&w);
        if (kind == 0) {
            for (int i = 0; i < MISSES; i++)
                round_missed(&w, 0, 0);
        } else {
            round_missed(&w, 0, 0);
            assert_int_equal(core_failover(&w.core, w.now_ns, 0, false, &refusal), 0);
        }
        if (kind == 2) {
            witness(&w, 0);
            pass(&w, 2 * ASKS * SPACING_NS);
            settle(&w, 0);
            core_on_gone_with_nic(&w.core, w.now_ns, 0);
        }
        for (int i = 0; i < 10; i++) {
            assert_state(&w, 0, CORE_VERIFYING);
            forget(&w);
            core_on_unheard(&w.core, w.now_ns);
            check(&w);
            witness(&w, 0);
            pass(&w, ASKS * SPACING_NS - 1);
            assert_int_equal(emitted(&w, CORE_ASK), ASKS);
        }
        assert_int_equal(emitted(&w, CORE_CLAIM), 0);
        pass(&w, SPACING_NS);
        assert_int_equal(emitted(&w, CORE_CLAIM), 1);
    }
}

static void a_ping_that_is_answered_while_verifying_ends_it(void **state)
{
    struct world w;

    (void)state;
    world_pinged(&w);
    miss_until_lost(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    pass(&w, 1);
    core_on_answer(&w.core, w.now_ns, 0, NULL);
    check(&w);
    assert_state(&w, 0, CORE_UP);
    assert_int_equal(core_deadline(&w.core), NSEC_NEVER);
}

static void a_pinged_source_shows_its_mac_when_it_is_asked(void **state)
{
    struct world w;

    (void)state;
    world_pinged(&w);
    hear(&w, 0, &source_mac);
    hear(&w, 0, &higher_mac); /* known is known: who else speaks for it is a stranger */
    assert_memory_equal(&w.addresses[0].mac, &source_mac, sizeof source_mac);
    pass(&w, INTERVAL_NS);
    for (int i = 0; i < MISSES; i++)
        round_missed(&w, 0, 0);
    hear(&w, 0, &source_mac);
    assert_reason(&w, 0, CORE_REASON_IN_USE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_witness_nothing_is_claimed),
        cmocka_unit_test(a_late_witness_ends_the_wait),
        cmocka_unit_test(a_witness_may_be_slower_than_the_rounds),
        cmocka_unit_test(an_answer_to_an_old_request_does_not_count),
        cmocka_unit_test(the_witness_of_another_nic_does_not_count),
        cmocka_unit_test(two_target_nics_are_judged_each_for_itself),
        cmocka_unit_test(a_dead_witness_elsewhere_holds_nothing_up_for_ever),
        cmocka_unit_test(with_no_witness_to_ask_a_person_must_say_so),
        cmocka_unit_test(the_file_may_do_without),
        cmocka_unit_test(the_sources_own_mac_is_proof_of_life),
        cmocka_unit_test(it_ends_verify_as_soon_as_it_is_heard),
        cmocka_unit_test(a_strangers_mac_refuses_its_address_alone),
        cmocka_unit_test(strangers_everywhere_block_the_nic),
        cmocka_unit_test(under_any_the_sources_mac_refuses_its_address_alone),
        cmocka_unit_test(what_was_heard_before_the_first_miss_does_not_count),
        cmocka_unit_test(a_pinged_source_is_asked_by_broadcast_from_the_first_miss),
        cmocka_unit_test(one_miss_alone_is_given_the_time_of_the_file),
        cmocka_unit_test(a_pinged_source_waits_for_its_broadcasts),
        cmocka_unit_test(broadcasts_that_cannot_be_finished_are_no_evidence),
        cmocka_unit_test(a_pinged_source_shows_its_mac_when_it_is_asked),
        cmocka_unit_test(an_address_that_is_not_monitored_is_asked_for_by_verify),
        cmocka_unit_test(what_was_asked_while_answers_got_lost_does_not_count),
        cmocka_unit_test(a_ping_that_is_answered_while_verifying_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
