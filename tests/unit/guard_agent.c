/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard does when its agent dies, hangs, is slow, or has a successor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/guard_world.h"

/* Two addresses, one of each family, that an agent holds. */
struct two {
    struct guard_held held[2];
};

static struct two claim_two(struct world *world)
{
    struct two two = {{held_of(world, "192.0.2.10", 32), held_of(world, "2001:db8::10", 128)}};

    claim(world, two.held, 2);
    assert_int_equal(n_marked(), 2);
    return two;
}

static struct plan plan_of(const struct two *two)
{
    return (struct plan){.held = two->held, .n_held = 2};
}

static void assert_in_time(int elapsed_ms)
{
    assert_in_range(elapsed_ms, GUARD_PATIENCE_MS, 10 * GUARD_PATIENCE_MS);
}

static void test_agent_killed(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two);
    struct agent *agent = start_agent(world, &plan);
    nsec_t start_ns;

    assert_int_equal(pid_in_file(world, "pid"), agent->guard_pid);
    start_ns = clock_ns();
    kill_agent(agent);
    assert_in_time(await_marked(0, start_ns));
    await_end(agent);
    assert_true(was_said(world, "<1>released by the guard: 2001:db8::10/128 on v0, 192.0.2.10/32 on v0\n"
                                "<1>the agent died: 2 addresses released by the guard\n"));
    assert_int_equal(pid_in_file(world, "pid"), 0);
}

static void test_only_what_is_held_and_marked_is_removed(void **state)
{
    struct world *world = *state;
    struct guard_held marked[] = {held_of(world, "192.0.2.10", 32), held_of(world, "192.0.2.30", 32)};
    struct guard_held held[] = {marked[0], held_of(world, "192.0.2.20", 24), held_of(world, "192.0.2.40", 32)};
    struct plan plan = {.held = held, .n_held = 3};
    struct agent *agent;

    run("ip addr add 192.0.2.5/24 dev v0 && ip addr add 192.0.2.20/24 dev v0");
    claim(world, marked, 2);
    agent = start_agent(world, &plan);
    kill_agent(agent);
    await_end(agent);
    assert_false(on_nic("192.0.2.10/32"));
    assert_true(on_nic("192.0.2.5/24"));  /* the host's own, never told of */
    assert_true(on_nic("192.0.2.20/24")); /* told of, but without the mark */
    assert_true(on_nic("192.0.2.30/32")); /* marked, but never told of */
    assert_true(was_said(world, "1 address released"));
}

static void test_what_was_dropped_is_left_alone(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two);
    struct agent *agent = start_agent(world, &plan);

    assert_int_equal(command_held(agent, 'r', &two.held[0]), 0);
    kill_agent(agent);
    await_end(agent);
    assert_true(on_nic("192.0.2.10/32"));
    assert_int_equal(n_marked(), 1);
}

static void test_nothing_held_nothing_awaited(void **state)
{
    struct world *world = *state;
    struct plan plan = {};
    struct agent *agent = start_agent(world, &plan);

    kill_agent(agent);
    await_end(agent);
    assert_false(was_said(world, "the agent"));
    assert_int_equal(pid_in_file(world, "pid"), 0);
}

static void test_agent_hangs_and_comes_back(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two);
    struct agent *agent = start_agent(world, &plan);
    nsec_t start_ns;

    assert_int_equal(command_held(agent, 'n', NULL), 0);
    stop(agent->pid);
    await_marked(0, clock_ns());
    await_said(world, "<1>the agent hung: 2 addresses released by the guard\n");
    kill(agent->pid, SIGCONT);
    assert_int_equal(command_held(agent, 'n', NULL), 2);
    assert_int_equal(command_held(agent, 'n', NULL), 0);
    assert_true(is_guarding(agent));

    /* It forgot these, and guards what comes after. */
    claim(world, two.held, 2);
    assert_int_equal(command_held(agent, 'h', &two.held[1]), 0);
    start_ns = clock_ns();
    kill_agent(agent);
    assert_in_time(await_marked(1, start_ns));
    await_end(agent);
    assert_true(on_nic("192.0.2.10/32"));
}

static void test_agent_stopped_for_less_than_the_patience(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two);
    struct agent *agent = start_agent(world, &plan);

    stop(agent->pid);
    sleep_ms(GUARD_PATIENCE_MS / 5);
    kill(agent->pid, SIGCONT);
    sleep_ms(2 * GUARD_PATIENCE_MS);
    assert_int_equal(command_held(agent, 'n', NULL), 0);
    assert_int_equal(n_marked(), 2);
}

static void test_agent_that_beats_late_but_in_time(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = {.held = two.held, .n_held = 2, .beat_ms = GUARD_PATIENCE_MS / 3};
    struct agent *agent = start_agent(world, &plan);

    sleep_ms(5 * GUARD_PATIENCE_MS);
    assert_int_equal(command_held(agent, 'n', NULL), 0);
    assert_int_equal(n_marked(), 2);
    assert_true(is_guarding(agent));
}

static void test_successor_takes_charge(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two);
    struct agent *first = start_agent(world, &plan), *second;
    nsec_t start_ns;

    kill_agent(first);
    second = start_agent(world, &plan);
    await_end(first);
    assert_int_equal(pid_in_file(world, "pid"), second->guard_pid);
    sleep_ms(2 * GUARD_PATIENCE_MS);
    assert_int_equal(n_marked(), 2);
    assert_false(was_said(world, "released"));

    start_ns = clock_ns();
    kill_agent(second);
    assert_in_time(await_marked(0, start_ns));
    await_end(second);
    assert_true(was_said(world, "2 addresses released"));
}

/* The successor adopted nothing yet and dies: the first guard is still the one that knows. */
static void test_successor_dies_before_it_takes_charge(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two), later = {.held = two.held, .n_held = 1, .not_in_charge = true};
    struct agent *first = start_agent(world, &plan), *second;

    kill_agent(first);
    second = start_agent(world, &later);
    assert_int_equal(pid_in_file(world, "pid"), first->guard_pid);
    kill_agent(second);
    await_end(second);
    assert_int_equal(n_marked(), 2);
    await_end(first);
    assert_int_equal(n_marked(), 0);
}

static void test_successor_that_starts_is_awaited(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two), starting = {.starting = true};
    struct agent *first = start_agent(world, &plan), *second;
    nsec_t start_ns = clock_ns();
    int lasted_ms;

    kill_agent(first);
    second = start_agent(world, &starting);
    sleep_ms(2 * GUARD_PATIENCE_MS);
    assert_int_equal(n_marked(), 2);
    lasted_ms = since_ms(start_ns);
    kill_agent(second);
    assert_true(await_marked(0, start_ns) >= lasted_ms);
    assert_true(since_ms(start_ns) < 5 * GUARD_PATIENCE_MS);
    await_end(first);
    assert_true(was_said(world, "the agent died: 2 addresses released"));
}

static void test_successor_that_never_gets_on_is_not_awaited_for_ever(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two), starting = {.starting = true};
    struct agent *first = start_agent(world, &plan);
    nsec_t start_ns = clock_ns();

    kill_agent(first);
    start_agent(world, &starting);
    assert_in_range(await_marked(0, start_ns), 5 * GUARD_PATIENCE_MS, 20 * GUARD_PATIENCE_MS);
    await_end(first);
}

static void test_dismissed(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two);
    struct agent *agent = start_agent(world, &plan);

    assert_int_equal(command_held(agent, 'd', NULL), 0);
    await_end(agent);
    assert_int_equal(n_marked(), 2);
    assert_int_equal(pid_in_file(world, "pid"), 0);
    assert_false(was_said(world, "released"));
}

/* What the agent did not read makes the kernel report an error first, in the place of what the agent said last. */
static void test_dismissed_by_one_that_did_not_read_the_news(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plan = plan_of(&two);
    struct agent *agent = start_agent(world, &plan);

    stop(agent->pid);
    await_marked(0, clock_ns());
    await_said(world, "the agent hung");
    kill(agent->pid, SIGCONT);
    claim(world, two.held, 2);
    assert_int_equal(command_held(agent, 'h', &two.held[0]), 0);
    assert_int_equal(command_held(agent, 'h', &two.held[1]), 0);
    /* So that the guard finds all of that, and the end, at once. */
    stop(agent->guard_pid);
    assert_int_equal(command_held(agent, 'd', NULL), 0);
    kill(agent->guard_pid, SIGCONT);
    await_end(agent);
    assert_int_equal(n_marked(), 2);
}

static void test_guards_do_not_disturb_each_other(void **state)
{
    struct world *world = *state;
    struct two two = claim_two(world);
    struct plan plans[] = {
        {.pid_file = "pid-a", .lock_file = "lock-a", .held = &two.held[0], .n_held = 1},
        {.pid_file = "pid-b", .lock_file = "lock-b", .held = &two.held[1], .n_held = 1},
        {.pid_file = "pid-c", .lock_file = "lock-c"},
    };
    struct agent *agents[3];

    for (size_t i = 0; i < 3; i++)
        agents[i] = start_agent(world, &plans[i]);
    kill_agent(agents[0]);
    await_end(agents[0]);
    assert_false(on_nic("192.0.2.10/32"));
    assert_int_equal(n_marked(), 1);
    assert_true(is_guarding(agents[1]));
    assert_true(is_guarding(agents[2]));
    assert_int_equal(command_held(agents[1], 'n', NULL), 0);
    kill_agent(agents[1]);
    await_end(agents[1]);
    assert_int_equal(n_marked(), 0);
    assert_true(is_guarding(agents[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_agent_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_what_is_held_and_marked_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_dropped_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_held_nothing_awaited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_hangs_and_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_stopped_for_less_than_the_patience, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_that_beats_late_but_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_successor_takes_charge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_successor_dies_before_it_takes_charge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_successor_that_starts_is_awaited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_successor_that_never_gets_on_is_not_awaited_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dismissed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dismissed_by_one_that_did_not_read_the_news, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guards_do_not_disturb_each_other, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
