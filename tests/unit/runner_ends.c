/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that do not end by themselves, or leave something behind; and agents that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/effects/job.h"
#include "tests/unit/runner_world.h"

#define SHORT_NS (200 * NSEC_PER_MSEC)

/* A shell command that gets the test's folder as $D. */
static struct job_run shell_in(const struct world *world, const char *text)
{
    static char variable[128];

    snprintf(variable, sizeof variable, "D=%s", world->folder);
    return (struct job_run){.argv = {text}, .shell = true, .env = {variable}};
}

static void hangs(void **state)
{
    struct world *world = *state;
    struct job_run run = shell_in(world, "echo $$ > $D/pid; echo before; exec sleep 60");
    struct job_answer answer;
    nsec_t start_ns = clock_ns();

    run.timeout_ns = SHORT_NS;
    answer = run_check(world, &run);
    assert_answer(&answer, JOB_TIMED_OUT, 0, "before");
    assert_true(answer.took_ns >= SHORT_NS);
    assert_true(clock_ns() - start_ns >= SHORT_NS);
    assert_false(runs(await_pid(world, "pid")));
}

/* SIGTERM first, for who wants to tidy up; then SIGKILL, for the whole group. */
static void ends_by_force(void **state)
{
    struct world *world = *state;
    struct job_run run = shell_in(world, "trap 'echo tidy; exit 0' TERM; sleep 60 & echo $! > $D/child; wait");
    struct job_answer answer;

    run.timeout_ns = SHORT_NS;
    answer = run_check(world, &run);
    assert_answer(&answer, JOB_TIMED_OUT, 0, "tidy");
    await_gone(await_pid(world, "child"));
    unlink(path_in(world, "child"));
    run = shell_in(world, "trap '' TERM; sleep 60 & echo $! > $D/child; while :; do sleep 0.1; done");
    run.timeout_ns = SHORT_NS;
    answer = run_check(world, &run);
    assert_answer(&answer, JOB_TIMED_OUT, 0, "");
    assert_true(answer.took_ns >= SHORT_NS + NSEC_PER_SEC);
    await_gone(await_pid(world, "child"));
    /* A stopped one gets it, too. */
    run = shell_in(world, "kill -STOP $$");
    run.timeout_ns = SHORT_NS;
    answer = run_check(world, &run);
    assert_answer(&answer, JOB_TIMED_OUT, 0, "");
}

/* Whatever is left in its group when the main process has ended goes with it. */
static void leaves_a_child(void **state)
{
    struct world *world = *state;
    struct job_run run = shell_in(world, "sleep 60 & echo $! > $D/child; echo main; exit 4");
    struct job_answer answer = run_check(world, &run);

    assert_answer(&answer, JOB_EXITED, 4, "main");
    assert_true(answer.took_ns < 30 * NSEC_PER_SEC);
    await_gone(await_pid(world, "child"));
    unlink(path_in(world, "child"));
    submit(world, &run);
    assert_int_equal(next_answer(world).outcome, JOB_STARTED);
    answer = next_answer(world);
    assert_answer(&answer, JOB_EXITED, 4, "main");
    await_gone(await_pid(world, "child"));
}

/* One that leaves the group keeps the pipe, but not the answer; it is let be, and reaped by us when it ends. */
static void forks_away(void **state)
{
    struct world *world = *state;
    struct job_run run = shell_in(world, "setsid sh -c 'echo $$ > $D/away; exec sleep 60' & "
                                         "while ! [ -s $D/away ]; do sleep 0.01; done; echo main");
    struct job_answer answer = run_check(world, &run);
    char path[64];
    pid_t away = await_pid(world, "away");

    assert_answer(&answer, JOB_EXITED, 0, "main");
    assert_true(answer.took_ns < 30 * NSEC_PER_SEC);
    assert_true(runs(away));
    kill(away, SIGKILL);
    snprintf(path, sizeof path, "/proc/%d", (int)away);
    for (int waited = 0; access(path, F_OK) == 0; waited += 2) {
        if (waited > PATIENCE_MS)
            fail_msg("process %d is not reaped", (int)away);
        sleep_ms(2);
    }
}

static void killed_when_told(void **state)
{
    struct world *world = *state;
    struct job_run run = shell_in(world, "echo $$ > $D/pid; sleep 60");
    uint64_t id = submit(world, &run);
    struct job_answer answer = next_answer(world);
    char text[64];

    assert_int_equal(answer.outcome, JOB_STARTED);
    await_pid(world, "pid");
    snprintf(text, sizeof text, "{\"id\":%d,\"kill\":true}", (int)id);
    send_text(world, text);
    send_text(world, text);
    answer = next_answer(world);
    assert_int_equal(answer.id, id);
    assert_answer(&answer, JOB_SIGNALLED, SIGTERM, "");
    /* Of one that has ended: nothing. */
    send_text(world, text);
    answer = run_shell(world, "exit 1");
    assert_answer(&answer, JOB_EXITED, 1, "");
}

/* One more than may run is refused, and says nothing of the command. */
static void too_many(void **state)
{
    struct world *world = *state;
    struct job_answer answer;

    for (int i = 0; i < RUNNER_TASKS_MAX; i++)
        submit(world, &(struct job_run){.argv = {"/bin/sleep", "60"}, .check = true});
    submit(world, &(struct job_run){.argv = {"/bin/true"}, .check = true});
    answer = next_answer(world);
    assert_int_equal(answer.id, RUNNER_TASKS_MAX + 1);
    assert_answer(&answer, JOB_FAILED, 0, "too many commands at once (256)");
    send_text(world, "{\"id\":1,\"kill\":true}");
    answer = next_answer(world);
    assert_int_equal(answer.id, 1);
    answer = run_shell(world, "exit 5");
    assert_answer(&answer, JOB_EXITED, 5, "");
}

/* An agent that does not read for a while keeps no command waiting, and gets every answer later. */
static void a_slow_agent(void **state)
{
    enum { TOGETHER = 150 };
    struct world *world = *state;
    bool seen[TOGETHER + 1] = {false};

    for (int i = 0; i < TOGETHER; i++)
        submit(world, &(struct job_run){.argv = {"head -c 4096 /dev/zero; touch $D/$$"},
                                        .shell = true,
                                        .check = true,
                                        .env = {shell_in(world, "").env[0]}});
    sleep_ms(300);
    for (int i = 0; i < TOGETHER; i++) {
        struct job_answer answer = next_answer(world);

        assert_int_equal(answer.outcome, JOB_EXITED);
        assert_int_equal(strlen(answer.text), JOB_OUTPUT_MAX);
        assert_false(seen[answer.id]);
        seen[answer.id] = true;
    }
}

/* The agent goes: checks are of no use to anybody, anything else goes on to its end; then the runner ends. */
static void without_an_agent(void **state)
{
    struct world *world = *state;
    struct job_run check = shell_in(world, "echo $$ > $D/check; exec sleep 60"),
                   fence =
                       shell_in(world, "echo $$ > $D/fence; while ! [ -e $D/go ]; do sleep 0.01; done; touch $D/done"),
                   hung = shell_in(world, "echo $$ > $D/hung; exec sleep 60");
    pid_t pid;

    check.check = true;
    hung.timeout_ns = 500 * NSEC_PER_MSEC;
    submit(world, &check);
    submit(world, &fence);
    submit(world, &hung);
    pid = await_pid(world, "check");
    await_pid(world, "fence");
    close(world->agent);
    world->agent = -EBADF;
    await_gone(pid);
    await_gone(await_pid(world, "hung"));
    assert_int_equal(kill(world->runner, 0), 0);
    assert_true(runs(await_pid(world, "fence")));
    put(world, "go", "", 0644);
    await_file(world, "done");
    await_runner(world);
}

/* A runner that is killed takes its checks with it. A fence is not cut in half. */
static void without_a_runner(void **state)
{
    struct world *world = *state;
    struct job_run check = shell_in(world, "echo $$ > $D/check; exec sleep 60"),
                   fence =
                       shell_in(world, "echo $$ > $D/fence; while ! [ -e $D/go ]; do sleep 0.01; done; touch $D/done");
    pid_t pid;

    check.check = true;
    submit(world, &check);
    submit(world, &fence);
    pid = await_pid(world, "check");
    await_pid(world, "fence");
    kill(world->runner, SIGKILL);
    waitpid(world->runner, NULL, 0);
    world->runner = 0;
    await_gone(pid);
    put(world, "go", "", 0644);
    await_file(world, "done");
}

/* Told to end, it kills all. */
static void told_to_end(void **state)
{
    struct world *world = *state;
    struct job_run fence = shell_in(world, "echo $$ > $D/fence; exec sleep 60");
    pid_t pid;

    submit(world, &fence);
    pid = await_pid(world, "fence");
    kill(world->runner, SIGTERM);
    await_runner(world);
    await_gone(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hangs),    TEST(ends_by_force), TEST(leaves_a_child),   TEST(forks_away),       TEST(killed_when_told),
        TEST(too_many), TEST(a_slow_agent),  TEST(without_an_agent), TEST(without_a_runner), TEST(told_to_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
