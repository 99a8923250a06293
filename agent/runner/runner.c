/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads all that is ready, reaps, then looks at the time, then answers. It opens no file and asks no name: what may
 * wait does so in the processes that it forks.
 */
#include "agent/runner/runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/runner/task.h"

/* Signals, the agent, where agents come; then the tasks. */
#define OWN_FDS 3
#define FDS_MAX (OWN_FDS + RUNNER_TASKS_MAX * TASK_FDS)
/* Requests read in one turn. */
#define REQUESTS_MAX 64
/* Lines to the journal in one second, of all commands together. */
#define LINES_PER_S 200
#define NAME_WIDTH 160

struct runner {
    int agent;          /* -EBADF: none */
    int listening;      /* -EBADF: the first agent is the last */
    int signals;        /* a signalfd */
    bool ending;        /* SIGTERM */
    bool full;          /* the agent does not read its answers: nothing more is read of it */
    char *owed;         /* the answer to a request that became no task; NULL */
    size_t n_owed;      /* its bytes */
    nsec_t now_ns;      /* of this turn */
    nsec_t watchdog_ns; /* how often systemd is told that we are well; NSEC_NEVER */
    nsec_t beat_ns;     /* when next */
    nsec_t second_ns;   /* the second in which */
    unsigned lines;     /* these lines went to the journal */
    struct task *tasks[RUNNER_TASKS_MAX];
    size_t n_tasks;
    struct pollfd fds[FDS_MAX];
    size_t n_fds[RUNNER_TASKS_MAX]; /* of each task, in their order */
};

static nsec_t now_on_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* A line of a command, for the journal. Never waits. */
static bool write_line(const char *name, const char *line)
{
    struct pollfd taker = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&taker, 1, 0) != 1 || !(taker.revents & POLLOUT))
        return false;
    return dprintf(STDERR_FILENO, "%.*s: %s\n", NAME_WIDTH, name, line) > 0;
}

/* The loop's, which lines of commands are counted by. */
static struct runner *the_runner;

static bool take_line(void *userdata, const char *line)
{
    struct runner *runner = the_runner;

    if (runner->now_ns - runner->second_ns >= NSEC_PER_SEC) {
        runner->second_ns = runner->now_ns;
        runner->lines = 0;
    }
    return runner->lines++ < LINES_PER_S && write_line(task_name(userdata), line);
}

static void lose_agent(struct runner *runner)
{
    close(runner->agent);
    runner->agent = -EBADF;
    runner->full = false;
    free(runner->owed);
    runner->owed = NULL;
    for (size_t i = 0; i < runner->n_tasks; i++)
        task_orphan(runner->tasks[i]);
}

/* Whether it was sent. */
static bool send_packet(struct runner *runner, const char *packet, size_t length)
{
    if (runner->agent < 0)
        return true;
    if (send(runner->agent, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return true;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
        runner->full = true;
    else
        lose_agent(runner);
    return false;
}

static bool send_answer(struct runner *runner, const struct job_answer *answer)
{
    CLEANUP_FREE char *packet = NULL;
    size_t length;

    if (job_answer_build(answer, &packet, &length) < 0) {
        /* No memory: the agent takes what it waits for as not done. */
        lose_agent(runner);
        return false;
    }
    return send_packet(runner, packet, length);
}

/* To a request that became no task. */
static void refuse(struct runner *runner, uint64_t id, enum job_outcome outcome, const char *why)
{
    struct job_answer answer = {.id = id, .outcome = outcome, .text = why};

    if (job_answer_build(&answer, &runner->owed, &runner->n_owed) < 0)
        lose_agent(runner);
}

static struct task *find(const struct runner *runner, uint64_t id)
{
    for (size_t i = 0; i < runner->n_tasks; i++) {
        if (task_id(runner->tasks[i]) == id && !task_is_done(runner->tasks[i]))
            return runner->tasks[i];
    }
    return NULL;
}

/* Takes the request over. */
static void start(struct runner *runner, struct job_request *request)
{
    uint64_t id = request->id;
    int r = runner->n_tasks == RUNNER_TASKS_MAX ? -EUSERS : 0;
    char why[128];

    if (r < 0) {
        job_request_free(request);
        snprintf(why, sizeof why, "too many commands at once (%d)", RUNNER_TASKS_MAX);
        refuse(runner, id, JOB_FAILED, why);
        return;
    }
    r = task_start(request, take_line, runner->now_ns, &runner->tasks[runner->n_tasks]);
    if (r == 0) {
        runner->n_tasks++;
        return;
    }
    snprintf(why, sizeof why, "cannot start a process: %s", strerror(-r));
    refuse(runner, id, JOB_FAILED, why);
}

static void take_request(struct runner *runner, const char *packet, size_t length)
{
    struct job_request request;
    struct task *task;
    uint64_t id;

    if (job_request_parse(packet, length, &request, &id) < 0) {
        if (id != 0)
            refuse(runner, id, JOB_REFUSED, "the runner does not understand the request; is it of another version?");
        return;
    }
    task = find(runner, id);
    if (request.kind == JOB_RUN && !task) {
        start(runner, &request);
        return;
    }
    if (request.kind == JOB_KILL && task)
        task_kill(task, runner->now_ns);
    else if (request.kind != JOB_KILL)
        refuse(runner, id, JOB_REFUSED, task ? "a command of this id runs" : "this is not for the runner");
    job_request_free(&request);
}

static void read_agent(struct runner *runner)
{
    static char packet[JOB_PACKET_MAX + 1];

    for (unsigned i = 0; i < REQUESTS_MAX && runner->agent >= 0 && !runner->owed; i++) {
        ssize_t length = recv(runner->agent, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

        if (length > 0 && (size_t)length <= sizeof packet)
            take_request(runner, packet, (size_t)length);
        /* ECONNRESET comes once, before what the agent said last: it ended without reading all of ours. */
        else if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET))
            lose_agent(runner);
        else if (length < 0 && errno == EAGAIN)
            return;
    }
}

/* An agent has come; it must be root. */
static void accept_agent(struct runner *runner)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    int fd = accept4(runner->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != 0) {
        close(fd);
        return;
    }
    runner->agent = fd;
}

static void read_signals(struct runner *runner)
{
    struct signalfd_siginfo info;

    while (read(runner->signals, &info, sizeof info) == sizeof info)
        runner->ending |= info.ssi_signo != SIGCHLD;
}

/* Main processes of tasks, and what these left behind: that comes to us, as we are the subreaper. */
static void reap(struct runner *runner)
{
    siginfo_t info = {0};

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        struct task *task = NULL;

        for (size_t i = 0; i < runner->n_tasks && !task; i++)
            task = task_pid(runner->tasks[i]) == info.si_pid ? runner->tasks[i] : NULL;
        if (task)
            task_on_exit(task, runner->now_ns);
        else if (waitpid(info.si_pid, NULL, WNOHANG) < 0)
            return;
        info.si_pid = 0;
    }
}

static void answer_all(struct runner *runner)
{
    struct job_answer answer;

    if (runner->owed && send_packet(runner, runner->owed, runner->n_owed)) {
        free(runner->owed);
        runner->owed = NULL;
    }
    for (size_t i = 0; i < runner->n_tasks; i++) {
        while (runner->agent >= 0 && !runner->full && task_answer(runner->tasks[i], &answer)) {
            if (send_answer(runner, &answer))
                task_answered(runner->tasks[i]);
        }
    }
}

static void free_task(struct task *task)
{
    char line[64];

    if (task_lines_left_out(task) > 0) {
        snprintf(line, sizeof line, "%u more lines were left out", task_lines_left_out(task));
        write_line(task_name(task), line);
    }
    task_free(task);
}

static void forget_ended(struct runner *runner)
{
    size_t kept = 0;

    for (size_t i = 0; i < runner->n_tasks; i++) {
        if (task_is_over(runner->tasks[i]))
            free_task(runner->tasks[i]);
        else
            runner->tasks[kept++] = runner->tasks[i];
    }
    runner->n_tasks = kept;
}

static nsec_t next_due(const struct runner *runner)
{
    nsec_t due_ns = runner->beat_ns;

    for (size_t i = 0; i < runner->n_tasks; i++)
        due_ns = nsec_min(due_ns, task_deadline(runner->tasks[i]));
    return due_ns;
}

/* Waits for what is next. Returns how many descriptors were waited for. */
static void wait_for_event(struct runner *runner)
{
    nsec_t due_ns = next_due(runner), wait_ns = nsec_max(due_ns - runner->now_ns, 0);
    struct timespec wait = {.tv_sec = wait_ns / NSEC_PER_SEC, .tv_nsec = wait_ns % NSEC_PER_SEC};
    bool reads = !runner->full && !runner->owed;
    size_t n = OWN_FDS;

    runner->fds[0] = (struct pollfd){.fd = runner->signals, .events = POLLIN};
    /* A poll for nothing still tells that the agent is gone. */
    runner->fds[1] = (struct pollfd){.fd = runner->agent, .events = reads ? POLLIN : POLLOUT};
    runner->fds[2] = (struct pollfd){.fd = runner->agent < 0 ? runner->listening : -EBADF, .events = POLLIN};
    for (size_t i = 0; i < runner->n_tasks; i++) {
        runner->n_fds[i] = task_poll(runner->tasks[i], runner->fds + n);
        n += runner->n_fds[i];
    }
    if (ppoll(runner->fds, n, due_ns == NSEC_NEVER ? NULL : &wait, NULL) < 0)
        memset(runner->fds, 0, sizeof runner->fds);
    runner->now_ns = now_on_clock();
}

/* All that is ready, before anything is judged by the time. */
static void read_all(struct runner *runner)
{
    const struct pollfd *fds = runner->fds + OWN_FDS;
    short agent = runner->fds[1].revents;

    for (size_t i = 0; i < runner->n_tasks; fds += runner->n_fds[i], i++)
        task_on_ready(runner->tasks[i], fds, runner->n_fds[i]);
    if (runner->fds[0].revents != 0)
        read_signals(runner);
    reap(runner);
    if (agent & POLLOUT)
        runner->full = false;
    if (agent & POLLIN)
        read_agent(runner);
    else if (agent & (POLLHUP | POLLERR))
        lose_agent(runner);
    if (runner->fds[2].revents != 0)
        accept_agent(runner);
}

static void judge_all(struct runner *runner)
{
    for (size_t i = 0; i < runner->n_tasks; i++)
        task_on_time(runner->tasks[i], runner->now_ns);
    if (runner->now_ns >= runner->beat_ns) {
        sd_notify(0, "WATCHDOG=1");
        runner->beat_ns = runner->now_ns + runner->watchdog_ns;
    }
}

static bool is_over(const struct runner *runner)
{
    if (runner->ending)
        return true;
    if (runner->agent >= 0 || runner->listening >= 0)
        return false;
    for (size_t i = 0; i < runner->n_tasks; i++) {
        if (!task_is_done(runner->tasks[i]))
            return false;
    }
    return true;
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return -errno;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void set_up_watchdog(struct runner *runner)
{
    uint64_t watchdog_us = 0;

    runner->beat_ns = NSEC_NEVER;
    if (sd_watchdog_enabled(0, &watchdog_us) <= 0)
        return;
    runner->watchdog_ns = (nsec_t)watchdog_us * NSEC_PER_USEC / 3;
    runner->beat_ns = 0;
}

int runner_run(const struct runner_options *options)
{
    CLEANUP_FREE struct runner *runner = calloc(1, sizeof *runner);

    if (!runner)
        return 1;
    the_runner = runner;
    runner->agent = options->agent;
    runner->listening = options->listening;
    runner->signals = open_signals();
    if (runner->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        perror("standin-runner: cannot set up signals and children");
        return 1;
    }
    runner->now_ns = now_on_clock();
    set_up_watchdog(runner);
    sd_notify(0, "READY=1");
    while (!is_over(runner)) {
        wait_for_event(runner);
        read_all(runner);
        judge_all(runner);
        answer_all(runner);
        forget_ended(runner);
    }
    for (size_t i = 0; i < runner->n_tasks; i++)
        task_free(runner->tasks[i]);
    if (runner->agent >= 0)
        close(runner->agent);
    free(runner->owed);
    return 0;
}
