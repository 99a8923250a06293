/* SPDX-License-Identifier: Apache-2.0 */
/* A source that answers and serves nothing: what is done about it, and what never is. */
#include "tests/unit/core_fixture.h"

static struct core_refusal refusal;

static void services(struct world *w, bool failed)
{
    core_on_service(&w->core, w->now_ns, 0, failed);
    check(w);
}

static void prepared(struct world *w, enum core_reason reason)
{
    core_on_service_prepared(&w->core, w->now_ns, 0, reason);
    check(w);
}

#define assert_service(w, wanted) \
    assert_string_equal(core_service_name((w)->sources[0].service), core_service_name(wanted))
#define assert_service_reason(w, wanted) assert_int_equal((w)->sources[0].service_reason, wanted)

/* Two addresses, healthy; the services work. */
static void world_serving(struct world *w, enum core_policy policy)
{
    world_plain(w, 2);
    w->sources[0].on_service = policy;
    services(w, false);
    assert_service(w, CORE_SERVICE_PASSING);
    forget(w);
}

/* The same with a fence. */
static void world_fencing(struct world *w)
{
    world_serving(w, CORE_POLICY_AUTOMATIC);
    w->sources[0].gated = w->sources[0].has_fence = true;
}

static void a_failed_service_claims_nothing_by_itself(void **state)
{
    struct world w;

    (void)state;
    for (enum core_policy policy = CORE_POLICY_AUTOMATIC; policy <= CORE_POLICY_NOTIFY; policy++) {
        world_serving(&w, policy);
        for (int i = 0; i < 10; i++) {
            services(&w, true);
            round_answered(&w, 0, 1);
            pass(&w, 10 * NSEC_PER_SEC);
        }
        assert_int_equal(emitted(&w, CORE_CLAIM), 0);
        assert_int_equal(emitted(&w, CORE_PREPARE), 0);
        assert_state(&w, 0, CORE_UP);
    }
}

static void each_policy_says_what_it_waits_for(void **state)
{
    struct world w;

    (void)state;
    world_serving(&w, CORE_POLICY_AUTOMATIC);
    services(&w, true);
    assert_service(&w, CORE_SERVICE_FAILED);
    assert_service_reason(&w, CORE_REASON_NO_FENCE);
    world_serving(&w, CORE_POLICY_MANUAL);
    services(&w, true);
    assert_service(&w, CORE_SERVICE_AWAITING);
    services(&w, false);
    assert_service(&w, CORE_SERVICE_PASSING);
    world_serving(&w, CORE_POLICY_NOTIFY);
    services(&w, true);
    assert_service(&w, CORE_SERVICE_FAILED);
    assert_service_reason(&w, CORE_REASON_POLICY_NOTIFY);
}

static void what_never_worked_is_not_acted_upon(void **state)
{
    struct world w;

    (void)state;
    world_plain(&w, 2);
    w.sources[0].on_service = CORE_POLICY_AUTOMATIC;
    w.sources[0].gated = w.sources[0].has_fence = true;
    services(&w, true);
    assert_service(&w, CORE_SERVICE_FAILED);
    assert_service_reason(&w, CORE_REASON_SERVICE_UNSEEN);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
}

static void a_fenced_host_is_claimed_once_it_is_lost(void **state)
{
    struct world w;

    (void)state;
    world_fencing(&w);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_MANUAL;
    services(&w, true);
    assert_service(&w, CORE_SERVICE_PREPARING);
    assert_int_equal(nth(&w, CORE_PREPARE, 0)->nic, UINT32_MAX);
    assert_int_equal(emitted(&w, CORE_PREPARE), 1);
    round_answered(&w, 0, 1);
    prepared(&w, CORE_REASON_NONE);
    assert_service(&w, CORE_SERVICE_FENCED);
    round_answered(&w, 0, 1);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    lose(&w, 0, 1);
    pass(&w, SPACING_NS);
    assert_int_equal(emitted(&w, CORE_PREPARE), 1);
    assert_state(&w, 0, CORE_CLAIMING);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
}

static void a_fence_that_fails_leaves_the_host_alone(void **state)
{
    struct world w;

    (void)state;
    world_fencing(&w);
    services(&w, true);
    prepared(&w, CORE_REASON_NOT_FENCED);
    assert_service(&w, CORE_SERVICE_FAILED);
    assert_service_reason(&w, CORE_REASON_NOT_FENCED);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_PREPARE), 1);
    pass(&w, CORE_SERVICE_AGAIN_NS);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_PREPARE), 2);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
}

static void a_fence_that_did_nothing_is_told(void **state)
{
    struct world w;

    (void)state;
    world_fencing(&w);
    services(&w, true);
    prepared(&w, CORE_REASON_NONE);
    pass(&w, CORE_FENCED_NS);
    services(&w, true);
    assert_service(&w, CORE_SERVICE_FAILED);
    assert_service_reason(&w, CORE_REASON_NOT_FENCED);
    assert_false(w.nics[0].fenced);
}

static void a_service_that_works_again_calls_it_off(void **state)
{
    struct world w;

    (void)state;
    world_fencing(&w);
    services(&w, true);
    services(&w, false);
    assert_service(&w, CORE_SERVICE_PASSING);
    prepared(&w, CORE_REASON_NONE);
    assert_service(&w, CORE_SERVICE_PASSING);
    assert_false(w.nics[0].fenced);
}

static void force_claims_from_a_host_that_answers(void **state)
{
    struct world w;

    (void)state;
    world_serving(&w, CORE_POLICY_AUTOMATIC);
    w.sources[0].service_force = true;
    services(&w, true);
    assert_state(&w, 0, CORE_VERIFYING);
    round_answered(&w, 0, 1);
    witness(&w, 0);
    pass(&w, 2 * SPACING_NS);
    assert_state(&w, 0, CORE_CLAIMING);
    assert_reason(&w, 0, CORE_REASON_SERVICE);
    settle(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
}

static void force_needs_a_witness(void **state)
{
    struct world w;

    (void)state;
    world_serving(&w, CORE_POLICY_AUTOMATIC);
    w.sources[0].service_force = true;
    services(&w, true);
    pass(&w, NSEC_PER_SEC);
    assert_int_equal(emitted(&w, CORE_CLAIM), 0);
    round_answered(&w, 0, 1);
    assert_state(&w, 0, CORE_UP);
}

/* That it answers was known when it was taken over. */
static void what_was_forced_is_not_given_back_for_an_answer(void **state)
{
    struct world w;

    (void)state;
    world_serving(&w, CORE_POLICY_AUTOMATIC);
    w.sources[0].service_force = w.sources[0].failback_automatic = true;
    services(&w, true);
    witness(&w, 0);
    pass(&w, 2 * SPACING_NS);
    settle(&w, 0);
    prove_return(&w, 0);
    assert_state(&w, 0, CORE_HOLDING);
    assert_int_equal(core_failback(&w.core, w.now_ns, 0), 0);
    assert_state(&w, 0, CORE_RELEASING);
}

static void people_approve_and_deny(void **state)
{
    struct world w;

    (void)state;
    world_serving(&w, CORE_POLICY_MANUAL);
    w.sources[0].gated = w.sources[0].has_fence = true;
    services(&w, true);
    assert_int_equal(core_deny_service(&w.core, w.now_ns, 0), 0);
    services(&w, true);
    assert_service(&w, CORE_SERVICE_FAILED);
    assert_service_reason(&w, CORE_REASON_DENIED);
    services(&w, false);
    services(&w, true);
    assert_service(&w, CORE_SERVICE_AWAITING);
    assert_int_equal(core_approve_service(&w.core, w.now_ns, 0), 0);
    assert_service(&w, CORE_SERVICE_PREPARING);
    assert_int_equal(core_approve_service(&w.core, w.now_ns, 0), -EINVAL);
}

static void a_paused_source_is_left_alone(void **state)
{
    struct world w;

    (void)state;
    world_fencing(&w);
    core_pause(&w.core, w.now_ns, 0);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
    core_resume(&w.core, w.now_ns, 0);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_PREPARE), 1);
    core_pause(&w.core, w.now_ns, 0);
    prepared(&w, CORE_REASON_NONE);
    assert_service(&w, CORE_SERVICE_FAILED);
}

static void the_services_of_a_lost_host_are_no_cause_of_their_own(void **state)
{
    struct world w;

    (void)state;
    world_fencing(&w);
    w.sources[0].on_host = w.sources[0].on_nic = CORE_POLICY_NOTIFY;
    lose(&w, 0, 1);
    assert_state(&w, 0, CORE_LOST);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_PREPARE), 0);
}

/* A source without addresses: its name moves. */
static void world_named(struct world *w)
{
    world_begin(w);
    add_source(w);
    w->sources[0].on_service = CORE_POLICY_AUTOMATIC;
    w->sources[0].failback_automatic = true;
    w->sources[0].hold_down_ns = 10 * NSEC_PER_SEC;
    start(w, 1);
    services(w, false);
    forget(w);
}

static void world_named_held(struct world *w)
{
    world_named(w);
    services(w, true);
    assert_service(w, CORE_SERVICE_CLAIMING);
    assert_int_equal(emitted(w, CORE_CLAIM_NAME), 1);
    core_on_name_claimed(&w->core, w->now_ns, 0, 0);
    assert_service(w, CORE_SERVICE_HOLDING);
    forget(w);
}

static void a_name_moves_and_moves_back(void **state)
{
    struct world w;

    (void)state;
    world_named_held(&w);
    assert_true(w.core.lasting_changed);
    services(&w, true);
    services(&w, false);
    assert_int_equal(emitted(&w, CORE_RELEASE_NAME), 0);
    pass(&w, 10 * NSEC_PER_SEC);
    services(&w, false);
    assert_service(&w, CORE_SERVICE_RELEASING);
    assert_int_equal(emitted(&w, CORE_RELEASE_NAME), 1);
    core_on_name_released(&w.core, w.now_ns, 0, 0);
    assert_service(&w, CORE_SERVICE_PASSING);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_CLAIM_NAME), 1);
}

static void a_gap_begins_the_hold_down_anew(void **state)
{
    struct world w;

    (void)state;
    world_named_held(&w);
    services(&w, false);
    pass(&w, 9 * NSEC_PER_SEC);
    services(&w, true);
    services(&w, false);
    pass(&w, 9 * NSEC_PER_SEC);
    services(&w, false);
    assert_service(&w, CORE_SERVICE_HOLDING);
}

static void a_name_that_was_given_back_must_work_first(void **state)
{
    struct world w;

    (void)state;
    world_named_held(&w);
    assert_int_equal(core_failback_service(&w.core, w.now_ns, 0), 0);
    assert_int_equal(core_failback_service(&w.core, w.now_ns, 0), -EINPROGRESS);
    core_on_name_released(&w.core, w.now_ns, 0, 0);
    assert_service(&w, CORE_SERVICE_DISARMED);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_CLAIM_NAME), 0);
    services(&w, false);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_CLAIM_NAME), 1);
}

static void a_name_server_that_refuses_is_asked_again_later(void **state)
{
    struct world w;

    (void)state;
    world_named(&w);
    services(&w, true);
    core_on_name_claimed(&w.core, w.now_ns, 0, -ETIMEDOUT);
    assert_service(&w, CORE_SERVICE_FAILED);
    assert_service_reason(&w, CORE_REASON_NAME_FAILED);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_CLAIM_NAME), 1);
    pass(&w, CORE_SERVICE_AGAIN_NS);
    services(&w, true);
    assert_int_equal(emitted(&w, CORE_CLAIM_NAME), 2);
    core_on_name_claimed(&w.core, w.now_ns, 0, 0);
    core_failback_service(&w.core, w.now_ns, 0);
    core_on_name_released(&w.core, w.now_ns, 0, -ETIMEDOUT);
    assert_service(&w, CORE_SERVICE_HOLDING);
    assert_service_reason(&w, CORE_REASON_NAME_FAILED);
}

static void names_flap_no_more_often_than_allowed(void **state)
{
    struct world w;

    (void)state;
    world_named(&w);
    w.sources[0].max_takeovers = 1;
    w.sources[0].takeovers_within_ns = NSEC_PER_HOUR;
    services(&w, true);
    core_on_name_claimed(&w.core, w.now_ns, 0, 0);
    core_failback_service(&w.core, w.now_ns, 0);
    core_on_name_released(&w.core, w.now_ns, 0, 0);
    services(&w, false);
    services(&w, true);
    assert_service(&w, CORE_SERVICE_AWAITING);
    assert_service_reason(&w, CORE_REASON_DAMPED);
}

static void an_operator_moves_a_name(void **state)
{
    struct world w;

    (void)state;
    world_named(&w);
    assert_int_equal(core_failover_service(&w.core, w.now_ns, 0), 0);
    assert_int_equal(core_failover_service(&w.core, w.now_ns, 0), -EINPROGRESS);
    core_on_name_claimed(&w.core, w.now_ns, 0, 0);
    assert_service_reason(&w, CORE_REASON_OPERATOR);
    assert_int_equal(core_failover_service(&w.core, w.now_ns, 0), -EALREADY);
    w.sources[0].leaves_first = true;
    core_failback_service(&w.core, w.now_ns, 0);
    assert_int_equal(emitted(&w, CORE_LEAVE), 1);
    core_on_service_left(&w.core, w.now_ns, 0, CORE_REASON_STAYS);
    assert_service(&w, CORE_SERVICE_HOLDING);
    core_failback_service(&w.core, w.now_ns, 0);
    core_on_service_left(&w.core, w.now_ns, 0, CORE_REASON_NONE);
    assert_service(&w, CORE_SERVICE_RELEASING);
}

static void a_failover_of_addresses_is_no_business_of_services(void **state)
{
    struct world w;

    (void)state;
    world_fencing(&w);
    assert_int_equal(core_failover_service(&w.core, w.now_ns, 0), -EINVAL);
    assert_int_equal(core_failover(&w.core, w.now_ns, 0, false, &refusal), -EBUSY);
}

static void a_new_file_keeps_what_it_does_not_change(void **state)
{
    struct world w, to;

    (void)state;
    world_named_held(&w);
    world_named(&to);
    core_carry_service(&to.core, 0, &w.core, 0);
    assert_service(&to, CORE_SERVICE_HOLDING);
    world_serving(&w, CORE_POLICY_MANUAL);
    services(&w, true);
    world_serving(&to, CORE_POLICY_NOTIFY);
    core_carry_service(&to.core, 0, &w.core, 0);
    services(&to, true);
    assert_service(&to, CORE_SERVICE_FAILED);
    assert_service_reason(&to, CORE_REASON_POLICY_NOTIFY);
}

static void the_agent_before_had_the_name(void **state)
{
    struct world w;

    (void)state;
    world_named(&w);
    core_restore_services(&w.core, w.now_ns, 0, &(struct core_restored_services){.held = true});
    services(&w, true);
    assert_service(&w, CORE_SERVICE_HOLDING);
    assert_int_equal(emitted(&w, CORE_CLAIM_NAME), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_service_claims_nothing_by_itself),
        cmocka_unit_test(each_policy_says_what_it_waits_for),
        cmocka_unit_test(what_never_worked_is_not_acted_upon),
        cmocka_unit_test(a_fenced_host_is_claimed_once_it_is_lost),
        cmocka_unit_test(a_fence_that_fails_leaves_the_host_alone),
        cmocka_unit_test(a_fence_that_did_nothing_is_told),
        cmocka_unit_test(a_service_that_works_again_calls_it_off),
        cmocka_unit_test(force_claims_from_a_host_that_answers),
        cmocka_unit_test(force_needs_a_witness),
        cmocka_unit_test(what_was_forced_is_not_given_back_for_an_answer),
        cmocka_unit_test(people_approve_and_deny),
        cmocka_unit_test(a_paused_source_is_left_alone),
        cmocka_unit_test(the_services_of_a_lost_host_are_no_cause_of_their_own),
        cmocka_unit_test(a_name_moves_and_moves_back),
        cmocka_unit_test(a_gap_begins_the_hold_down_anew),
        cmocka_unit_test(a_name_that_was_given_back_must_work_first),
        cmocka_unit_test(a_name_server_that_refuses_is_asked_again_later),
        cmocka_unit_test(names_flap_no_more_often_than_allowed),
        cmocka_unit_test(an_operator_moves_a_name),
        cmocka_unit_test(a_failover_of_addresses_is_no_business_of_services),
        cmocka_unit_test(a_new_file_keeps_what_it_does_not_change),
        cmocka_unit_test(the_agent_before_had_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
