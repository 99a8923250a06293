/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's end of the runner: with the real one that is killed, stopped, absent or somebody else's, and with others
 * in its place. Deadlines that are far away are not awaited: the test says what the time is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/effects/jobs.h"

#define PATIENCE_NS (30 * NSEC_PER_SEC)
#define RUN(...) (&(struct job_run){.argv = {__VA_ARGS__}, .check = true, .timeout_ns = PATIENCE_NS})

struct heard {
    unsigned answers; /* last ones */
    unsigned starts;
    unsigned by_outcome[JOB_UNABLE + 1];
    int status;
    char text[JOB_TEXT_MAX + 1];
};

struct world {
    char folder[32];
    char runner[PATH_MAX];
    char path[PATH_MAX]; /* in the folder: a socket, or a program */
    struct jobs *jobs;
    struct heard heard;
    pid_t unit; /* a runner that systemd started; 0: none */
};

static nsec_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void open_jobs(struct world *world, const char *program, const char *path)
{
    struct jobs_options options = {.name = "runner", .socket = path, .program = program};

    assert_int_equal(jobs_open(&world->jobs, &options, clock_ns()), 0);
}

static void on_answer(void *userdata, const struct job_answer *answer)
{
    struct heard *heard = userdata;

    heard->by_outcome[answer->outcome]++;
    if (answer->outcome == JOB_STARTED) {
        heard->starts++;
        return;
    }
    heard->answers++;
    heard->status = answer->status;
    snprintf(heard->text, sizeof heard->text, "%s", answer->text);
}

static int try(struct world *world, const struct job_run *run, uint64_t *ret_id)
{
    struct job_request request = {.kind = JOB_RUN, .run = *run};

    return jobs_submit(world->jobs, clock_ns(), &request, on_answer, &world->heard, ret_id);
}

static uint64_t submit(struct world *world, const struct job_run *run)
{
    uint64_t id = 0;

    assert_int_equal(try(world, run, &id), 0);
    return id;
}

/* A turn of a loop: waits for at most 10 ms. */
static void turn(struct world *world)
{
    struct pollfd jobs = {.fd = jobs_fd(world->jobs), .events = POLLIN};

    if (poll(&jobs, 1, 10) == 1)
        jobs_on_readable(world->jobs, clock_ns());
    if (jobs_deadline(world->jobs) <= clock_ns())
        jobs_on_deadline(world->jobs, clock_ns());
}

static void await_answers(struct world *world, unsigned n)
{
    nsec_t start_ns = clock_ns();
    unsigned before = world->heard.answers;

    /* Since the last one. */
    while (world->heard.answers < n) {
        if (world->heard.answers != before)
            start_ns = clock_ns();
        before = world->heard.answers;
        if (clock_ns() - start_ns > PATIENCE_NS)
            fail_msg("%u answers of %u; %s", world->heard.answers, n, jobs_text(world->jobs));
        turn(world);
    }
    assert_int_equal(world->heard.answers, n);
}

/* The next answer to a new job is that of a runner that is well. */
static void assert_well(struct world *world)
{
    memset(&world->heard, 0, sizeof world->heard);
    submit(world, RUN("/bin/echo", "well"));
    await_answers(world, 1);
    if (world->heard.by_outcome[JOB_EXITED] != 1)
        fail_msg("not well: %s", world->heard.text);
    assert_string_equal(world->heard.text, "well");
    assert_true(jobs_is_there(world->jobs));
}

static void stop_runner(const struct world *world)
{
    siginfo_t info;

    kill(jobs_pid(world->jobs), SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)jobs_pid(world->jobs), &info, WSTOPPED | WNOWAIT), 0);
}

/* A program of the test, in the place of the runner. */
static void put_program(struct world *world, const char *text)
{
    int fd;

    snprintf(world->path, sizeof world->path, "%s/program", world->folder);
    fd = open(world->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void answers(void **state)
{
    struct world *world = *state;
    struct job_run run = *RUN("/bin/sh", "-c", "echo a; exit 3");
    char text[32];

    open_jobs(world, world->runner, NULL);
    snprintf(text, sizeof text, "pid %d", (int)jobs_pid(world->jobs));
    assert_string_equal(jobs_text(world->jobs), text);
    submit(world, &run);
    await_answers(world, 1);
    assert_int_equal(world->heard.starts, 0);
    assert_int_equal(world->heard.status, 3);
    assert_string_equal(world->heard.text, "a");
    run.check = false;
    submit(world, &run);
    await_answers(world, 2);
    assert_int_equal(world->heard.starts, 1);
    /* What is wrong in itself is told at once. */
    assert_int_equal(try(world, RUN("relative"), NULL), -EINVAL);
    assert_int_equal(jobs_deadline(world->jobs), NSEC_NEVER);
}

static void killed_and_forgotten(void **state)
{
    struct world *world = *state;
    uint64_t id;

    open_jobs(world, world->runner, NULL);
    id = submit(world, RUN("/bin/sleep", "60"));
    assert_int_equal(jobs_kill(world->jobs, id), 0);
    await_answers(world, 1);
    assert_int_equal(world->heard.by_outcome[JOB_SIGNALLED], 1);
    assert_int_equal(jobs_kill(world->jobs, id), 0);
    id = submit(world, RUN("/bin/true"));
    jobs_forget(world->jobs, id);
    jobs_forget(world->jobs, id + 1);
    submit(world, RUN("/bin/sleep", "0.1"));
    await_answers(world, 2);
    assert_well(world);
}

/* The process is killed: what it had in hand could not be tried, and the next one serves. */
static void a_death(void **state)
{
    struct world *world = *state;
    pid_t pid;

    open_jobs(world, world->runner, NULL);
    assert_well(world);
    memset(&world->heard, 0, sizeof world->heard);
    pid = jobs_pid(world->jobs);
    submit(world, RUN("/bin/sleep", "60"));
    submit(world, RUN("/bin/sleep", "60"));
    kill(pid, SIGKILL);
    await_answers(world, 2);
    assert_int_equal(world->heard.by_outcome[JOB_UNABLE], 2);
    assert_string_equal(world->heard.text, "the runner has ended");
    assert_false(jobs_is_there(world->jobs));
    /* At the first attempt, and what is submitted meanwhile waits for it. */
    assert_well(world);
    assert_int_not_equal(jobs_pid(world->jobs), pid);
    /* Reaped. */
    while (kill(pid, 0) == 0)
        turn(world);
}

/* It is stopped: at a job's limit and grace it is killed, and another one started. */
static void a_hang(void **state)
{
    struct world *world = *state;
    pid_t pid;

    open_jobs(world, world->runner, NULL);
    pid = jobs_pid(world->jobs);
    stop_runner(world);
    submit(world, RUN("/bin/true"));
    submit(world, RUN("/bin/true"));
    assert_true(jobs_deadline(world->jobs) >= clock_ns() + PATIENCE_NS);
    jobs_on_deadline(world->jobs, jobs_deadline(world->jobs) - 1);
    assert_int_equal(world->heard.answers, 0);
    jobs_on_deadline(world->jobs, jobs_deadline(world->jobs));
    /* With the first of them all are lost. */
    assert_int_equal(world->heard.by_outcome[JOB_UNABLE], 2);
    assert_string_equal(world->heard.text, "the runner does not answer, and is started anew");
    /* By the same clock: a start, or a look whether the old one can be reaped. */
    while (!jobs_is_there(world->jobs))
        jobs_on_deadline(world->jobs, jobs_deadline(world->jobs));
    assert_well(world);
    assert_int_not_equal(jobs_pid(world->jobs), pid);
}

/* Told late, we stood still ourselves: it gets its grace anew, but once. */
static void our_own_stall(void **state)
{
    struct world *world = *state;
    nsec_t due_ns;

    open_jobs(world, world->runner, NULL);
    stop_runner(world);
    submit(world, RUN("/bin/true"));
    submit(world, RUN("/bin/true"));
    due_ns = jobs_deadline(world->jobs);
    jobs_on_deadline(world->jobs, due_ns + 10 * NSEC_PER_SEC);
    assert_int_equal(world->heard.answers, 0);
    assert_int_equal(jobs_deadline(world->jobs), due_ns + 10 * NSEC_PER_SEC + JOBS_GRACE_NS);
    kill(jobs_pid(world->jobs), SIGCONT);
    await_answers(world, 2);
    assert_int_equal(world->heard.by_outcome[JOB_EXITED], 2);
    memset(&world->heard, 0, sizeof world->heard);
    stop_runner(world);
    submit(world, RUN("/bin/true"));
    due_ns = jobs_deadline(world->jobs) + 10 * NSEC_PER_SEC;
    jobs_on_deadline(world->jobs, due_ns);
    assert_int_equal(world->heard.answers, 0);
    jobs_on_deadline(world->jobs, due_ns + 2 * JOBS_GRACE_NS);
    assert_int_equal(world->heard.by_outcome[JOB_UNABLE], 1);
}

/* There is none: a short wait at first, an answer at once later, and attempts ever less often. */
static void absent(void **state)
{
    struct world *world = *state;
    nsec_t now_ns, wait_ns, expected_ns = JOBS_AGAIN_MIN_NS;

    snprintf(world->path, sizeof world->path, "%s/program", world->folder);
    open_jobs(world, world->path, NULL);
    assert_string_equal(jobs_text(world->jobs), "not there: No such file or directory");
    submit(world, RUN("/bin/true"));
    assert_int_equal(world->heard.answers, 0);
    for (int i = 0; i < 10; i++) {
        now_ns = jobs_deadline(world->jobs);
        jobs_on_deadline(world->jobs, now_ns);
        wait_ns = jobs_deadline(world->jobs) - now_ns;
        expected_ns = i == 0 ? expected_ns * 2 : nsec_min(expected_ns * 2, JOBS_AGAIN_MAX_NS);
        assert_int_equal(wait_ns, expected_ns);
        assert_int_equal(world->heard.by_outcome[JOB_UNABLE], 1);
        assert_int_equal(try(world, RUN("/bin/true"), NULL), -ENOTCONN);
    }
    assert_string_equal(world->heard.text, "not there: No such file or directory");
    assert_int_equal(symlink(world->runner, world->path), 0);
    jobs_on_deadline(world->jobs, jobs_deadline(world->jobs));
    assert_well(world);
}

/* One that ends at once, one that speaks nonsense, one that answers what was not asked. */
static void useless(void **state)
{
    static const char *const programs[] = {
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\nprintf junk >&3\nsleep 60\n",
        "#!/bin/sh\nsleep 0.05\nprintf '{\"id\":65536,\"pass\":true}' >&3\nsleep 60\n",
        "#!/bin/sh\nhead -c 70000 /dev/zero | dd bs=70000 iflag=fullblock status=none >&3\nsleep 60\n",
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        memset(&world->heard, 0, sizeof world->heard);
        put_program(world, programs[i]);
        open_jobs(world, world->path, NULL);
        submit(world, RUN("/bin/true"));
        await_answers(world, 1);
        assert_int_equal(world->heard.by_outcome[JOB_UNABLE], 1);
        assert_false(jobs_is_there(world->jobs));
        assert_true(jobs_deadline(world->jobs) > clock_ns() - PATIENCE_NS);
        jobs_close(world->jobs);
        world->jobs = NULL;
    }
}

/* More than the socket takes is kept, in order; more than there is room for is refused. */
static void many(void **state)
{
    struct world *world = *state;

    open_jobs(world, world->runner, NULL);
    stop_runner(world);
    for (int i = 0; i < JOBS_MAX; i++)
        submit(world, RUN("/nowhere"));
    assert_int_equal(try(world, RUN("/bin/true"), NULL), -ENOBUFS);
    kill(jobs_pid(world->jobs), SIGCONT);
    await_answers(world, JOBS_MAX);
    /* The runner takes so many at once, and says so of the others. */
    assert_true(world->heard.by_outcome[JOB_REFUSED] >= 200);
    assert_int_equal(world->heard.by_outcome[JOB_REFUSED] + world->heard.by_outcome[JOB_FAILED], JOBS_MAX);
    assert_well(world);
}

/* Those that were sent are lost with the process, those that were not go to the next one. */
static void a_death_with_a_queue(void **state)
{
    struct world *world = *state;

    open_jobs(world, world->runner, NULL);
    assert_well(world);
    memset(&world->heard, 0, sizeof world->heard);
    stop_runner(world);
    for (int i = 0; i < 1000; i++)
        submit(world, RUN("/bin/true"));
    kill(jobs_pid(world->jobs), SIGKILL);
    await_answers(world, 1000);
    assert_true(world->heard.by_outcome[JOB_UNABLE] > 10);
    assert_true(world->heard.by_outcome[JOB_UNABLE] < 990);
    assert_well(world);
}

/* Who answers submits the next one. */
static void on_answer_again(void *userdata, const struct job_answer *answer)
{
    struct world *world = userdata;

    on_answer(&world->heard, answer);
    if (world->heard.answers < 5) {
        struct job_request request = {.kind = JOB_RUN, .run = *RUN("/bin/true")};

        assert_int_equal(jobs_submit(world->jobs, clock_ns(), &request, on_answer_again, world, NULL), 0);
    }
}

static void submitted_by_answers(void **state)
{
    struct world *world = *state;
    struct job_request request = {.kind = JOB_RUN, .run = *RUN("/bin/sleep", "60")};

    open_jobs(world, world->runner, NULL);
    assert_int_equal(jobs_submit(world->jobs, clock_ns(), &request, on_answer_again, world, NULL), 0);
    kill(jobs_pid(world->jobs), SIGKILL);
    await_answers(world, 5);
    assert_int_equal(world->heard.by_outcome[JOB_UNABLE], 1);
    assert_int_equal(world->heard.by_outcome[JOB_EXITED], 4);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

/* As systemd does. */
static void start_unit(struct world *world, int listening)
{
    char pid[16];

    world->unit = fork();
    if (world->unit != 0)
        return;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    if (listening == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(listening, 3);
    execl(world->runner, world->runner, (char *)NULL);
    _exit(1);
}

/* Where a unit listens, that serves; it outlives its agents. */
static void at_a_socket(void **state)
{
    struct world *world = *state;
    char text[PATH_MAX + 8], done[PATH_MAX], command[3 * PATH_MAX];
    struct job_run fence;
    int listening;

    snprintf(world->path, sizeof world->path, "%s/socket", world->folder);
    snprintf(done, sizeof done, "%s/done", world->folder);
    snprintf(command, sizeof command, "touch %s.begun; sleep 0.5; touch %s", done, done);
    listening = listen_at(world->path);
    start_unit(world, listening);
    open_jobs(world, "/nowhere", world->path);
    snprintf(text, sizeof text, "at %s", world->path);
    assert_string_equal(jobs_text(world->jobs), text);
    assert_int_equal(jobs_pid(world->jobs), 0);
    assert_well(world);
    fence = *RUN("/bin/sh", "-c", command);
    fence.check = false;
    submit(world, &fence);
    while (world->heard.starts == 0)
        turn(world);
    /* Another agent comes. */
    jobs_close(world->jobs);
    open_jobs(world, "/nowhere", world->path);
    assert_well(world);
    for (nsec_t start_ns = clock_ns(); access(done, F_OK) < 0; turn(world))
        assert_true(clock_ns() - start_ns < PATIENCE_NS);
    /* The unit ends: until there is another, what comes waits. */
    kill(world->unit, SIGTERM);
    waitpid(world->unit, NULL, 0);
    start_unit(world, listening);
    while (jobs_is_there(world->jobs))
        turn(world);
    assert_well(world);
    close(listening);
}

/* A socket that nobody has any more. */
static void at_a_dead_socket(void **state)
{
    struct world *world = *state;

    snprintf(world->path, sizeof world->path, "%s/socket", world->folder);
    close(listen_at(world->path));
    open_jobs(world, world->runner, world->path);
    assert_true(jobs_pid(world->jobs) > 0);
    assert_well(world);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    ssize_t length = readlink("/proc/self/exe", world->runner, sizeof world->runner - 32);
    char *end;

    if (length <= 0)
        return -1;
    /* From BUILD/tests/unit/NAME. */
    for (int i = 0; i < 3; i++) {
        end = strrchr(world->runner, '/');
        if (!end)
            return -1;
        *end = '\0';
    }
    strcat(world->runner, "/standin-runner");
    strcpy(world->folder, "/tmp/jobs-test-XXXXXX");
    if (access(world->runner, X_OK) < 0 || !mkdtemp(world->folder))
        return -1;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    pid_t pid = world->jobs ? jobs_pid(world->jobs) : 0;
    char command[64];

    if (pid > 0)
        kill(pid, SIGCONT);
    jobs_close(world->jobs);
    /* Those of the test and those that jobs started: all end by themselves now, or are stuck. */
    if (pid > 0) {
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
    if (world->unit > 0) {
        kill(world->unit, SIGTERM);
        waitpid(world->unit, NULL, 0);
    }
    snprintf(command, sizeof command, "rm -r %s", world->folder);
    free(world);
    return system(command) == 0 ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers),
        TEST(killed_and_forgotten),
        TEST(a_death),
        TEST(a_hang),
        TEST(our_own_stall),
        TEST(absent),
        TEST(useless),
        TEST(many),
        TEST(a_death_with_a_queue),
        TEST(submitted_by_answers),
        TEST(at_a_socket),
        TEST(at_a_dead_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
