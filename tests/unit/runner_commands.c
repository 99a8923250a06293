/* SPDX-License-Identifier: Apache-2.0 */
/* What a command is given, how it ends, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/effects/job.h"
#include "tests/unit/runner_world.h"

static void ends(void **state)
{
    struct world *world = *state;
    struct job_answer answer = run_check(world, &(struct job_run){.argv = {"/bin/true"}});

    assert_answer(&answer, JOB_EXITED, 0, "");
    answer = run_shell(world, "echo out; echo err >&2; exit 3");
    assert_answer(&answer, JOB_EXITED, 3, "out\nerr");
    answer = run_shell(world, "kill -KILL $$");
    assert_answer(&answer, JOB_SIGNALLED, SIGKILL, "");
}

/* What is no check says when it was let go. */
static void says_that_it_started(void **state)
{
    struct world *world = *state;
    uint64_t id = submit(world, &(struct job_run){.argv = {"/bin/echo", "a"}});
    struct job_answer answer = next_answer(world);

    assert_int_equal(answer.id, id);
    assert_answer(&answer, JOB_STARTED, 0, "");
    answer = next_answer(world);
    assert_int_equal(answer.id, id);
    assert_answer(&answer, JOB_EXITED, 0, "a");
    submit(world, &(struct job_run){.argv = {"/nowhere"}});
    answer = next_answer(world);
    assert_answer(&answer, JOB_REFUSED, 0, "nowhere in /: No such file or directory");
}

/* No shell unless it is asked for. */
static void words(void **state)
{
    struct world *world = *state;
    struct job_answer answer = run_check(world, &(struct job_run){.argv = {"/bin/echo", "$PATH; exit 1", "", "*"}});

    assert_answer(&answer, JOB_EXITED, 0, "$PATH; exit 1  *");
    answer = run_shell(world, "echo $0 $LANG | cat");
    assert_answer(&answer, JOB_EXITED, 0, "/bin/sh C");
}

static void scripts(void **state)
{
    struct world *world = *state;
    const char *script = put(world, "script", "#!/bin/sh\necho $0 $1\n", 0755);
    struct job_answer answer = run_check(world, &(struct job_run){.argv = {script, "a"}});
    char expected[PATH_MAX];

    snprintf(expected, sizeof expected, "%s a", script);
    assert_answer(&answer, JOB_EXITED, 0, expected);
    /* Also as somebody who may read it. */
    answer = run_check(world, &(struct job_run){.argv = {script, "b"}, .user = "nobody"});
    expected[strlen(expected) - 1] = 'b';
    assert_answer(&answer, JOB_EXITED, 0, expected);
    script = put(world, "lost", "#!/etc/no-interpreter\n", 0755);
    answer = run_check(world, &(struct job_run){.argv = {script}});
    snprintf(expected, sizeof expected, "cannot execute %s: No such file or directory", script);
    assert_answer(&answer, JOB_REFUSED, 0, expected);
    script = put(world, "none", "echo a\n", 0755);
    answer = run_check(world, &(struct job_run){.argv = {script}});
    snprintf(expected, sizeof expected, "cannot execute %s: Exec format error", script);
    assert_answer(&answer, JOB_REFUSED, 0, expected);
}

static void surroundings(void **state)
{
    struct world *world = *state;
    struct job_answer answer;

    setenv("SECRET", "of the agent", 1);
    answer = run_check(world, &(struct job_run){.argv = {"/usr/bin/env"}, .env = {"A=b c", "STANDIN_SOURCE=web1"}});
    assert_answer(&answer, JOB_EXITED, 0, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\nA=b c\nSTANDIN_SOURCE=web1");
    answer = run_check(world, &(struct job_run){.argv = {"/usr/bin/env"}, .env = {"LANG=C.UTF-8", "PATH=/bin"}});
    assert_answer(&answer, JOB_EXITED, 0, "LANG=C.UTF-8\nPATH=/bin");
    answer = run_shell(world, "pwd; umask; nice; ls /proc/self/fd | wc -l");
    /* The three, and ls's own. */
    assert_answer(&answer, JOB_EXITED, 0, "/\n0022\n0\n4");
    /* Every signal at its default, none held back, alone in its session and its group. Signals 32 and 33 are glibc's
     * own, which nobody else can set: under make they come in ignored. */
    answer = run_shell(world, "grep SigBlk /proc/self/status; set -- $(grep SigIgn /proc/self/status); "
                              "echo ignored $((0x$2 & ~0x180000000)); set -- $(cat /proc/$$/stat); "
                              "test $1 = $5 && test $1 = $6 && echo leads");
    assert_answer(&answer, JOB_EXITED, 0, "SigBlk:\t0000000000000000\nignored 0\nleads");
}

static void users(void **state)
{
    struct world *world = *state;
    struct job_answer answer = run_check(world, &(struct job_run){.argv = {"/usr/bin/id"}, .user = "nobody"});

    assert_answer(&answer, JOB_EXITED, 0, "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)");
    answer = run_check(world, &(struct job_run){.argv = {"/usr/bin/id", "-u"}});
    assert_answer(&answer, JOB_EXITED, 0, "0");
    answer = run_check(world, &(struct job_run){.argv = {"/bin/true"}, .user = "no-such-user"});
    assert_answer(&answer, JOB_REFUSED, 0, "there is no user no-such-user");
}

static void input(void **state)
{
    static char text[JOB_STDIN_MAX + 1];
    struct world *world = *state;
    struct job_answer answer;
    char expected[32];

    answer = run_check(world, &(struct job_run){.argv = {"/bin/cat"}, .input = "{\"a\": 1}\n"});
    assert_answer(&answer, JOB_EXITED, 0, "{\"a\": 1}");
    /* Without one there is nothing to read, and the end is at once. */
    answer = run_check(world, &(struct job_run){.argv = {"/bin/cat"}});
    assert_answer(&answer, JOB_EXITED, 0, "");
    memset(text, 'x', JOB_STDIN_MAX);
    answer = run_check(world, &(struct job_run){.argv = {"/usr/bin/wc", "-c"}, .input = text});
    snprintf(expected, sizeof expected, "%d", JOB_STDIN_MAX);
    assert_answer(&answer, JOB_EXITED, 0, expected);
    /* Who does not read it ends all the same. */
    answer = run_check(world, &(struct job_run){.argv = {"/bin/true"}, .input = text});
    assert_answer(&answer, JOB_EXITED, 0, "");
    answer = run_check(world, &(struct job_run){.argv = {"exec <&-; sleep 0.2; echo a"}, .shell = true, .input = text});
    assert_answer(&answer, JOB_EXITED, 0, "a");
}

/* The beginning is kept; whatever a terminal or JSON would choke on is replaced. */
static void written(void **state)
{
    struct world *world = *state;
    struct job_answer answer = run_shell(world, "printf 'a\\033[31mb\\0c\\377\\303\\244\\302\\205\\n\\n'");

    assert_answer(&answer, JOB_EXITED, 0, "a?[31mb?c?\xc3\xa4??");
    answer = run_shell(world, "head -c 100000 /dev/zero | tr '\\0' x");
    assert_int_equal(answer.outcome, JOB_EXITED);
    assert_int_equal(strlen(answer.text), JOB_OUTPUT_MAX);
}

/* A flood is read and thrown away, at its time limit it ends, and others are served meanwhile. */
static void floods(void **state)
{
    struct world *world = *state;
    uint64_t flood =
        submit(world, &(struct job_run){.argv = {"/usr/bin/yes"}, .check = true, .timeout_ns = 700 * NSEC_PER_MSEC});
    uint64_t other = submit(world, &(struct job_run){.argv = {"/bin/true"}, .check = true});
    struct job_answer answer = next_answer(world);

    assert_int_equal(answer.id, other);
    answer = next_answer(world);
    assert_int_equal(answer.id, flood);
    assert_int_equal(answer.outcome, JOB_TIMED_OUT);
    assert_memory_equal(answer.text, "y\ny\n", 4);
    assert_int_equal(strlen(answer.text), JOB_OUTPUT_MAX - 1);
}

/* What is no check goes to the journal, a line at a time, up to a limit. */
static void lines(void **state)
{
    struct world *world = *state;
    const char *said, *at;
    unsigned n = 0;

    submit(world, &(struct job_run){.argv = {"printf 'one\\033\\ntwo'"}, .shell = true, .name = "web1 hook"});
    said = await_said(world, "two");
    assert_string_equal(said, "web1 hook: one?\nweb1 hook: two\n");
    submit(world, &(struct job_run){.argv = {"seq 1 5000"}, .shell = true, .name = "counts"});
    said = await_said(world, "counts: 4900 more lines were left out\n");
    for (at = said; (at = strstr(at, "counts: ")); at++)
        n++;
    assert_int_equal(n, 101);
    /* A check says nothing there. */
    for (n = 0; n < 4; n++)
        next_answer(world);
    run_check(world, &(struct job_run){.argv = {"echo silent"}, .shell = true});
    submit(world, &(struct job_run){.argv = {"echo loud"}, .shell = true, .name = "last"});
    assert_null(strstr(await_said(world, "last: loud"), "silent"));
}

static void not_understood(void **state)
{
    struct world *world = *state;
    struct job_answer answer;
    uint64_t id;

    send_text(world, "junk");
    send_text(world, "{\"id\":900,\"kill\":true}");
    send_text(world, "{\"id\":901,\"fly\":true}");
    answer = next_answer(world);
    assert_int_equal(answer.id, 901);
    assert_int_equal(answer.outcome, JOB_REFUSED);
    send_text(world, "{\"id\":902,\"url\":{\"url\":\"http://a/\",\"timeout_ms\":1}}");
    answer = next_answer(world);
    assert_answer(&answer, JOB_REFUSED, 0, "this is not for the runner");
    id = submit(world, &(struct job_run){.argv = {"/bin/sleep", "60"}, .check = true});
    world->id--;
    submit(world, &(struct job_run){.argv = {"/bin/true"}, .check = true});
    answer = next_answer(world);
    assert_int_equal(answer.id, id);
    assert_answer(&answer, JOB_REFUSED, 0, "a command of this id runs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ends),           TEST(says_that_it_started),
        TEST(words),          TEST(scripts),
        TEST(surroundings),   TEST(users),
        TEST(input),          TEST(written),
        TEST(floods),         TEST(lines),
        TEST(not_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
