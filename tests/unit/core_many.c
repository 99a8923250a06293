/* SPDX-License-Identifier: Apache-2.0 */
/* Verify of a source NIC with more addresses than are asked for at once. */
#include <errno.h>

#include "tests/unit/core_fixture.h"

#define MANY 600
#define AT_ONCE 256
#define PACE_NS (100 * NSEC_PER_USEC)

/* One monitored address, and as many others as make MANY; `by_ping`: it is only pinged. */
static void world_many(struct world *w, bool by_ping)
{
    world_begin(w);
    add_source(w);
    add_nic(w);
    add_address(w, 0, CORE_NO_TARGET)->asked_by_link = !by_ping;
    for (uint32_t i = 1; i < MANY; i++)
        add_address(w, 0, CORE_NO_TARGET)->monitored = false;
    start(w, 1);
    round_answered(w, 0, 0);
    forget(w);
}

static uint32_t asks(const struct world *w, uint32_t address)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < w->n_actions; i++)
        count += w->actions[i].type == CORE_ASK && w->actions[i].address == address;
    return count;
}

/* The first miss, a witness' answer, and the second miss: the intent is on its way. */
static void until_the_intent(struct world *w)
{
    round_missed(w, 0, 0);
    witness(w, 0);
    round_missed(w, 0, 0);
}

static void the_intent_leaves_in_parts(void **state)
{
    struct world w;

    (void)state;
    world_many(&w, false);
    until_the_intent(&w);
    assert_int_equal(intents(&w), AT_ONCE);
    pass(&w, PACE_NS - 1);
    assert_int_equal(intents(&w), AT_ONCE);
    pass(&w, 1);
    assert_int_equal(intents(&w), 2 * AT_ONCE);
    pass(&w, PACE_NS);
    assert_int_equal(intents(&w), MANY);
    pass(&w, NSEC_PER_MSEC);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(asks(&w, i), 1);
    miss(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING); /* the last part has still to be answered */
    pass(&w, SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(emitted(&w, CORE_CLAIM), MANY);
}

/* The verdict falls between two parts: nothing is claimed that was not asked for. */
static void the_verdict_waits_for_the_rest(void **state)
{
    struct world w;
    nsec_t last_ns;

    (void)state;
    world_many(&w, false);
    until_the_intent(&w);
    miss(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    while (intents(&w) < MANY) {
        assert_int_equal(emitted(&w, CORE_CLAIM), 0);
        pass(&w, PACE_NS);
    }
    last_ns = w.now_ns;
    while (w.nics[0].state == CORE_VERIFYING)
        pass(&w, PACE_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(w.now_ns - last_ns, SPACING_NS);
}

static void an_answer_ends_the_rest(void **state)
{
    struct world w;

    (void)state;
    world_many(&w, false);
    until_the_intent(&w);
    answer(&w, 0);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(intents(&w), AT_ONCE);
    assert_state(&w, 0, CORE_UP);
}

/* What left before a witness was asked may have been asked of nobody. */
static void a_witness_has_it_begun_anew(void **state)
{
    struct world w;

    (void)state;
    world_many(&w, true);
    round_missed(&w, 0, 0);
    pass(&w, 0);
    assert_int_equal(asks(&w, 0), 1);
    pass(&w, PACE_NS / 2);
    witness(&w, 0);
    for (int i = 1; i < MISSES; i++)
        round_missed(&w, 0, 0);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_CLAIMING);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(asks(&w, i) >= ASKS);
    assert_int_equal(asks(&w, 0), asks(&w, MANY - 1) + 1);
}

/* However long it takes to send them: that is not time in which a witness was silent. */
static void sending_takes_no_time_from_verify(void **state)
{
    struct world w;

    (void)state;
    world_many(&w, true);
    round_missed(&w, 0, 0);
    witness(&w, 0);
    for (int i = 1; i < MISSES; i++)
        miss(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    /* Each turn comes as late as if a part took 30 ms to leave. */
    for (int i = 0; i < 40 && w.nics[0].state == CORE_VERIFYING; i++) {
        w.now_ns += 30 * NSEC_PER_MSEC;
        core_on_time(&w.core, w.now_ns);
        check(&w);
    }
    assert_state(&w, 0, CORE_CLAIMING);
}

/* The same, as the shell has it: no rounds ask for the others. */
static void world_one_monitored(struct world *w)
{
    world_many(w, false);
    for (uint32_t i = 1; i < MANY; i++)
        w->addresses[i].asked_by_link = false;
    w->nics[0].asked_apart = true;
    w->nics[0].n_by_link = 1;
}

/* Until the monitored address is claimed, and nothing else. */
static void until_the_first_part(struct world *w)
{
    round_missed(w, 0, 0);
    witness(w, 0);
    pass(w, 0);
    round_missed(w, 0, 0);
    miss(w, 0);
    for (int i = 0; i < 200 && emitted(w, CORE_CLAIM) == 0; i++)
        pass(w, PACE_NS);
    assert_state(w, 0, CORE_VERIFYING);
    assert_int_equal(emitted(w, CORE_CLAIM), 1);
}

/* What its own rounds found lost goes first; the rest when it was asked for as often as the file says. */
static void claims_in_two_parts(void **state)
{
    struct world w;

    (void)state;
    world_one_monitored(&w);
    until_the_first_part(&w);
    assert_int_equal(nth(&w, CORE_CLAIM, 0)->address, 0);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(asks(&w, i) >= 1);
    claimed(&w, 0, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    for (int i = 0; i < 2000 && w.nics[0].state == CORE_VERIFYING; i++)
        pass(&w, PACE_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(emitted(&w, CORE_CLAIM), MANY);
    for (uint32_t i = 1; i < MANY; i++)
        assert_true(asks(&w, i) >= ASKS);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.nics[0].n_held, MANY);
    assert_int_equal(w.sources[0].n_takeovers, 1);
}

/* The source answers for one of the rest: that is not claimed, nor any other of them. */
static void an_answer_between_the_parts(void **state)
{
    struct world w;

    (void)state;
    world_one_monitored(&w);
    until_the_first_part(&w);
    claimed(&w, 0, 0);
    hear(&w, MANY - 1, &source_mac);
    pass(&w, NSEC_PER_SEC);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

/* It does not wait for the kernel's word on the first part, and no stall leaves the rest behind. */
static void a_stall_between_the_parts(void **state)
{
    struct world w;

    (void)state;
    world_one_monitored(&w);
    until_the_first_part(&w);
    stall(&w, 0);
    assert_state(&w, 0, CORE_VERIFYING);
    forget(&w);
    witness(&w, 0);
    for (int i = 0; i < 2000 && w.nics[0].state == CORE_VERIFYING; i++)
        pass(&w, PACE_NS);
    for (uint32_t i = 1; i < MANY; i++)
        assert_true(asks(&w, i) >= ASKS);
    assert_int_equal(emitted(&w, CORE_CLAIM), MANY - 1);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(w.nics[0].n_held, MANY);
}

/* A failback takes off what came on, also where the kernel is still at it. */
static void a_failback_between_the_parts(void **state)
{
    struct world w;

    (void)state;
    world_one_monitored(&w);
    until_the_first_part(&w);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), 0);
    assert_state(&w, 0, CORE_RELEASING);
    claimed(&w, 0, 0);
    released(&w, 0, 0);
    assert_state(&w, 0, CORE_DISARMED);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1);
}

/* The kernel refuses the first part: it is tried again with the rest. */
static void a_refusal_between_the_parts(void **state)
{
    struct world w;

    (void)state;
    world_one_monitored(&w);
    until_the_first_part(&w);
    claimed(&w, 0, -EPERM);
    for (int i = 0; i < 2000 && w.nics[0].state == CORE_VERIFYING; i++)
        pass(&w, PACE_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_int_equal(emitted(&w, CORE_CLAIM), 1 + MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_intent_leaves_in_parts),        cmocka_unit_test(the_verdict_waits_for_the_rest),
        cmocka_unit_test(an_answer_ends_the_rest),           cmocka_unit_test(a_witness_has_it_begun_anew),
        cmocka_unit_test(sending_takes_no_time_from_verify), cmocka_unit_test(claims_in_two_parts),
        cmocka_unit_test(an_answer_between_the_parts),       cmocka_unit_test(a_stall_between_the_parts),
        cmocka_unit_test(a_failback_between_the_parts),      cmocka_unit_test(a_refusal_between_the_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
