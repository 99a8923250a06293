/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of agent/runner share: a folder that is root's alone, as no sticky one is, a runner in a process of
 * its own, and its agent, which is the test. Comes after cmocka.h and what that needs.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/runner/runner.h"

/* Long enough that only what hangs exceeds it. */
#define PATIENCE_MS 30000
#define LONG_NS (60 * NSEC_PER_SEC)

struct world {
    char folder[64];
    pid_t runner; /* 0: waited for */
    int agent;
    int said[2];      /* a pipe from the runner's stderr */
    char text[65536]; /* what came out of it */
    size_t n_text;
    uint64_t id; /* of the last request */
    char output[JOB_OUTPUT_MAX + 1];
};

__attribute__((unused)) static nsec_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

__attribute__((unused)) static void sleep_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* A path in the test's folder; the last eight of them are valid. */
static const char *path_in(const struct world *world, const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_MAX, "%s/%s", world->folder, name);
    return path;
}

/* A file in the folder: a script where the text begins with #!. Returns its path. */
__attribute__((unused)) static const char *put(const struct world *world, const char *name, const char *text,
                                               mode_t mode)
{
    const char *path = path_in(world, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

__attribute__((unused)) static bool is_there(const struct world *world, const char *name)
{
    return access(path_in(world, name), F_OK) == 0;
}

__attribute__((unused)) static void await_file(const struct world *world, const char *name)
{
    for (int waited = 0; !is_there(world, name); waited += 2) {
        if (waited > PATIENCE_MS)
            fail_msg("%s does not come", name);
        sleep_ms(2);
    }
}

/* The number in a file that a command wrote, once it is there. */
__attribute__((unused)) static pid_t await_pid(const struct world *world, const char *name)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 2) {
        FILE *file = fopen(path_in(world, name), "re");
        int pid = 0, n = file ? fscanf(file, "%d\n", &pid) : 0;

        if (file)
            fclose(file);
        if (n == 1)
            return pid;
        sleep_ms(2);
    }
    fail_msg("no pid in %s", name);
    return 0;
}

/* Whether it runs: a zombie does not. */
__attribute__((unused)) static bool runs(pid_t pid)
{
    char path[64], text[256] = "";
    FILE *file;
    const char *state;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (!fgets(text, sizeof text, file))
        text[0] = '\0';
    fclose(file);
    state = strrchr(text, ')');
    return state && state[2] != 'Z' && state[2] != 'X';
}

__attribute__((unused)) static void await_gone(pid_t pid)
{
    for (int waited = 0; runs(pid); waited += 2) {
        if (waited > PATIENCE_MS)
            fail_msg("process %d lives on", (int)pid);
        sleep_ms(2);
    }
}

static void start_runner(struct world *world)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    world->agent = ends[0];
    world->runner = fork();
    if (world->runner == 0) {
        struct runner_options options = {.agent = ends[1], .listening = -EBADF};

        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(world->said[1], STDERR_FILENO);
        /* Without what the test checks at its exit. */
        _exit(runner_run(&options));
    }
    close(ends[1]);
}

__attribute__((unused)) static void send_text(const struct world *world, const char *text)
{
    assert_int_equal(send(world->agent, text, strlen(text), 0), strlen(text));
}

/* Returns the id. */
static uint64_t submit(struct world *world, const struct job_run *run)
{
    struct job_request request = {.id = ++world->id, .kind = JOB_RUN, .run = *run};
    char *packet;
    size_t length;

    if (request.run.timeout_ns == 0)
        request.run.timeout_ns = LONG_NS;
    assert_int_equal(job_request_build(&request, &packet, &length), 0);
    assert_int_equal(send(world->agent, packet, length, 0), length);
    free(packet);
    return request.id;
}

/* The next answer; its text is in world->output. */
static struct job_answer next_answer(struct world *world)
{
    struct pollfd agent = {.fd = world->agent, .events = POLLIN};
    char packet[JOB_PACKET_MAX];
    struct job_answer answer;
    ssize_t length;

    assert_int_equal(poll(&agent, 1, PATIENCE_MS), 1);
    length = recv(world->agent, packet, sizeof packet, 0);
    assert_true(length > 0);
    assert_int_equal(job_answer_parse(packet, (size_t)length, &answer), 0);
    snprintf(world->output, sizeof world->output, "%s", answer.text);
    job_answer_free(&answer);
    answer.text = world->output;
    return answer;
}

/* Runs it to its end, as a check, so that there is one answer. */
__attribute__((unused)) static struct job_answer run_check(struct world *world, const struct job_run *run)
{
    struct job_run check = *run;
    struct job_answer answer;
    uint64_t id;

    check.check = true;
    id = submit(world, &check);
    answer = next_answer(world);
    assert_int_equal(answer.id, id);
    return answer;
}

__attribute__((unused)) static struct job_answer run_shell(struct world *world, const char *text)
{
    return run_check(world, &(struct job_run){.argv = {text}, .shell = true});
}

__attribute__((unused)) static void assert_answer(const struct job_answer *answer, enum job_outcome outcome, int status,
                                                  const char *text)
{
    if (answer->outcome != outcome || answer->status != status || (text && strcmp(answer->text, text) != 0))
        fail_msg("%s %d: %s", job_outcome_name(answer->outcome), answer->status, answer->text);
}

/* What the runner wrote, until `wanted` is in it. */
__attribute__((unused)) static const char *await_said(struct world *world, const char *wanted)
{
    struct pollfd said = {.fd = world->said[0], .events = POLLIN};

    while (!strstr(world->text, wanted)) {
        ssize_t n = poll(&said, 1, PATIENCE_MS) == 1
                        ? read(world->said[0], world->text + world->n_text, sizeof world->text - 1 - world->n_text)
                        : 0;

        if (n <= 0)
            fail_msg("not said: %s; but: %s", wanted, world->text);
        world->n_text += (size_t)n;
    }
    return world->text;
}

/* Waits until it has ended by itself. */
__attribute__((unused)) static void await_runner(struct world *world)
{
    int status;

    for (int waited = 0; waitpid(world->runner, &status, WNOHANG) == 0; waited += 2) {
        if (waited > PATIENCE_MS)
            fail_msg("the runner does not end");
        sleep_ms(2);
    }
    world->runner = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    strcpy(world->folder, "/run/standin-test-XXXXXX");
    if (!mkdtemp(world->folder) || chmod(world->folder, 0755) < 0 || pipe2(world->said, O_CLOEXEC) < 0)
        return -1;
    start_runner(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    char command[128];

    if (world->runner > 0) {
        /* It kills what it started. */
        kill(world->runner, SIGCONT);
        kill(world->runner, SIGTERM);
        waitpid(world->runner, NULL, 0);
    }
    if (world->agent >= 0)
        close(world->agent);
    close(world->said[0]);
    close(world->said[1]);
    snprintf(command, sizeof command, "rm -rf %s", world->folder);
    if (system(command) != 0)
        return -1;
    free(world);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
