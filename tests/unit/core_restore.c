/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent before us knew: it is known again, and claims nothing by itself. */
#include "tests/unit/core_fixture.h"

static const struct mac_address no_mac;

/* A NIC with two addresses, of which nothing is known yet. */
static void world_new(struct world *w)
{
    world_begin(w);
    add_source(w);
    add_nic(w);
    for (int i = 0; i < 2; i++)
        add_address(w, 0, 1);
    start(w, 2);
}

static void restore(struct world *w, struct core_restored restored)
{
    if (restored.approval_until_ns == 0)
        restored.approval_until_ns = NSEC_NEVER;
    core_restore_nic(&w->core, w->now_ns, 0, &restored);
    check(w);
}

static void armed_it_is_taken_over_unseen(void **state)
{
    struct world w;

    (void)state;
    world_new(&w);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_UNSEEN);
    world_new(&w);
    restore(&w, (struct core_restored){.armed = true});
    assert_string_equal(path_of(&w, 0), "");
    lose(&w, 0, 1);
    assert_string_equal(path_of(&w, 0), "verifying claiming");
}

/* It is verified as ever: a host that is known by its MAC to be there keeps all of its addresses. */
static void armed_and_alive(void **state)
{
    struct world w;

    (void)state;
    world_new(&w);
    core_restore_address(&w.core, 0, &source_mac, true);
    restore(&w, (struct core_restored){.armed = true});
    round_missed(&w, 0, 1);
    round_missed(&w, 0, 1);
    hear(&w, 0, &source_mac);
    lose(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

static void with_trigger_any_each_address_is_armed_by_itself(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w);
    add_nic(&w)->trigger_any = true;
    for (int i = 0; i < 2; i++)
        add_address(&w, 0, 1);
    start(&w, 2);
    core_restore_address(&w.core, 0, &source_mac, true);
    core_restore_address(&w.core, 1, &no_mac, false);
    restore(&w, (struct core_restored){.armed = true});
    lose(&w, 1, 1);
    assert_state(&w, 0, CORE_UNSEEN);
    lose(&w, 0, 0);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void given_back_it_must_be_seen_alive(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    add_source(&w)->claim_unseen = true;
    add_nic(&w);
    for (int i = 0; i < 2; i++)
        add_address(&w, 0, 1);
    start(&w, 2);
    restore(&w, (struct core_restored){.disarmed = true});
    assert_state(&w, 0, CORE_DISARMED);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_DISARMED);
    round_answered(&w, 0, 1);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_CLAIMING);
}

static void a_question_still_stands(void **state)
{
    struct world w;

    (void)state;
    world_new(&w);
    restore(&w, (struct core_restored){.state = CORE_AWAITING,
                                       .reason = CORE_REASON_POLICY_MANUAL,
                                       .approval_until_ns = w.now_ns + NSEC_PER_MIN});
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    assert_state(&w, 0, CORE_AWAITING);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_AWAITING);
    pass(&w, NSEC_PER_MIN);
    assert_state(&w, 0, CORE_LOST);
    assert_reason(&w, 0, CORE_REASON_APPROVAL_EXPIRED);
}

static void a_question_whose_time_is_over(void **state)
{
    struct world w;

    (void)state;
    world_new(&w);
    restore(&w, (struct core_restored){.state = CORE_AWAITING,
                                       .reason = CORE_REASON_DAMPED,
                                       .approval_until_ns = w.now_ns - NSEC_PER_MIN});
    pass(&w, 0);
    assert_reason(&w, 0, CORE_REASON_APPROVAL_EXPIRED);
}

static void a_question_that_the_source_answers(void **state)
{
    struct world w;

    (void)state;
    world_new(&w);
    restore(&w, (struct core_restored){.state = CORE_AWAITING, .reason = CORE_REASON_DAMPED});
    round_answered(&w, 0, 1);
    assert_state(&w, 0, CORE_UP);
}

static void a_paused_question_waits_for_a_person(void **state)
{
    struct world w;

    (void)state;
    world_new(&w);
    w.sources[0].approval_timeout_ns = NSEC_PER_MIN;
    core_pause(&w.core, w.now_ns, 0);
    restore(&w, (struct core_restored){.state = CORE_AWAITING,
                                       .reason = CORE_REASON_POLICY_MANUAL,
                                       .approval_until_ns = w.now_ns + NSEC_PER_SEC});
    assert_int_equal(core_deadline(&w.core), NSEC_NEVER);
    core_resume(&w.core, w.now_ns, 0);
    check(&w);
    assert_true(w.nics[0].approval_until_ns == w.now_ns + NSEC_PER_MIN);
}

static void denied_it_is_left_alone(void **state)
{
    struct world w;

    (void)state;
    world_new(&w);
    restore(&w, (struct core_restored){.state = CORE_LOST, .reason = CORE_REASON_DENIED});
    lose(&w, 0, 1);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_LOST);
    round_answered(&w, 0, 1);
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_CLAIMING);
}

/* What the kernel has is held, whatever was known of the NIC. */
static void adoption_overrules(void **state)
{
    static const struct core_restored known[] = {
        {.armed = true, .approval_until_ns = NSEC_NEVER},
        {.disarmed = true, .approval_until_ns = NSEC_NEVER},
        {.state = CORE_AWAITING, .reason = CORE_REASON_DAMPED, .approval_until_ns = 2000 * NSEC_PER_SEC},
        {.state = CORE_LOST, .reason = CORE_REASON_DENIED, .approval_until_ns = NSEC_NEVER},
    };
    struct world w;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        world_new(&w);
        core_restore_address(&w.core, 0, &source_mac, known[i].armed);
        restore(&w, known[i]);
        for (uint32_t k = 0; k < 2; k++) {
            core_on_adopted(&w.core, w.now_ns, k, 0);
            check(&w);
        }
        core_restore_held(&w.core, 0, w.now_ns - NSEC_PER_HOUR);
        assert_state(&w, 0, CORE_HOLDING);
        assert_true(w.addresses[0].held_since_ns == w.now_ns - NSEC_PER_HOUR);
        assert_true(w.addresses[1].held_since_ns == w.now_ns);
        assert_memory_equal(&w.addresses[0].mac, &source_mac, sizeof source_mac);
        core_failback(&w.core, w.now_ns, 0);
        settle(&w, 0);
        assert_state(&w, 0, CORE_DISARMED);
        /* Not held, it is since never. */
        core_restore_held(&w.core, 0, 1);
        assert_true(w.addresses[0].held_since_ns != 1);
    }
}

/* Everything that a successor has to know is told of, and nothing that comes and goes. */
static void what_outlives_us_is_told_of(void **state)
{
    struct world w;

#define TELLS(deed)                          \
    do {                                     \
        w.core.lasting_changed = false;      \
        deed;                                \
        assert_true(w.core.lasting_changed); \
        w.core.lasting_changed = false;      \
    } while (0)
    (void)state;
    world_new(&w);
    TELLS(round_answered(&w, 0, 1));
    round_answered(&w, 0, 1);
    round_missed(&w, 0, 1);
    witness(&w, 0);
    round_answered(&w, 0, 1);
    assert_false(w.core.lasting_changed);
    TELLS(core_on_answer(&w.core, w.now_ns, 0, &higher_mac));
    TELLS(core_pause(&w.core, w.now_ns, 0));
    TELLS(core_resume(&w.core, w.now_ns, 0));
    TELLS(lose(&w, 0, 1));
    TELLS(settle(&w, 0));
    TELLS(core_failback(&w.core, w.now_ns, 0));
    TELLS(settle(&w, 0));
    TELLS(round_answered(&w, 0, 1));
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    TELLS(lose(&w, 0, 1));
    assert_state(&w, 0, CORE_AWAITING);
    TELLS(core_deny(&w.core, w.now_ns, 0));
    TELLS(round_answered(&w, 0, 1));
#undef TELLS
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(armed_it_is_taken_over_unseen),
        cmocka_unit_test(armed_and_alive),
        cmocka_unit_test(with_trigger_any_each_address_is_armed_by_itself),
        cmocka_unit_test(given_back_it_must_be_seen_alive),
        cmocka_unit_test(a_question_still_stands),
        cmocka_unit_test(a_question_whose_time_is_over),
        cmocka_unit_test(a_question_that_the_source_answers),
        cmocka_unit_test(a_paused_question_waits_for_a_person),
        cmocka_unit_test(denied_it_is_left_alone),
        cmocka_unit_test(adoption_overrules),
        cmocka_unit_test(what_outlives_us_is_told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
