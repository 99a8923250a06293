/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of agent/guard share: a namespace with a NIC, addresses on it, and agents: processes that start a
 * guard, tell it what they hold, and beat until they are killed, stopped or told to do something. The test is the
 * subreaper, so that it sees how guards end. Comes after cmocka.h and what that needs.
 */
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "agent/guard/guard.h"
#include "netlink/claims.h"
#include "tests/unit/netlink_world.h"

/* Long enough that an agent on a busy machine is not taken for a hung one. */
#define GUARD_PATIENCE_MS 500
#define BEAT_MS 20
#define AGENTS_MAX 4
#define GUARDS_MAX 4
#define SAID_BYTES 32768

/* What an agent does. */
struct plan {
    const char *pid_file;  /* in the folder of the test; NULL: "pid" */
    const char *lock_file; /* NULL: "lock" */
    bool starting;         /* only takes the lock, and starts no guard */
    bool not_in_charge;    /* starts a guard, and does not put it in charge */
    int beat_ms;           /* 0: BEAT_MS */
    const struct guard_held *held;
    size_t n_held;
};

struct agent {
    pid_t pid;       /* 0: waited for */
    pid_t guard_pid; /* 0: waited for */
    int control;
};

struct world {
    int nic;
    struct claims *claims;
    int n_failed; /* claims that failed */
    char folder[32];
    int said[2]; /* a pipe from the stderr of agents and guards */
    char text[SAID_BYTES];
    size_t text_length;
    struct agent agents[AGENTS_MAX];
    size_t n_agents;
    pid_t guards[GUARDS_MAX]; /* of the test itself */
    size_t n_guards;
};

struct command {
    char what; /* 'n': guard_news, 'd': guard_dismiss, 'h': guard_hold `held`, 'r': guard_drop `held` */
    struct guard_held held;
};

static nsec_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static int since_ms(nsec_t start_ns)
{
    return (int)((clock_ns() - start_ns) / NSEC_PER_MSEC);
}

__attribute__((unused)) static void sleep_ms(int ms)
{
    poll(NULL, 0, ms);
}

static struct guard_held held_of(const struct world *world, const char *ip, uint8_t prefix)
{
    return (struct guard_held){.ifindex = world->nic, .ip = ip_of(ip), .prefix = prefix};
}

static void on_claimed(void *userdata, const struct claims_request *request, int error)
{
    struct world *world = userdata;

    (void)request;
    world->n_failed += error != 0;
}

/* Puts addresses on, with our mark, as an agent does. */
__attribute__((unused)) static void claim(struct world *world, const struct guard_held *held, size_t n)
{
    int queued;

    for (size_t i = 0; i < n; i++) {
        struct claims_request request = {
            .operation = CLAIMS_ADD, .ifindex = held[i].ifindex, .ip = held[i].ip, .prefix = held[i].prefix};

        assert_int_equal(claims_submit(world->claims, &request), 0);
    }
    do {
        queued = claims_flush(world->claims);
        assert_true(queued >= 0);
        assert_int_equal(claims_on_readable(world->claims), 0);
    } while (queued > 0);
    assert_int_equal(world->n_failed, 0);
}

static void count_held(void *userdata, const struct claims_held *held)
{
    (void)held;
    ++*(int *)userdata;
}

/* How many addresses with our mark there are. */
static int n_marked(void)
{
    int n, error;

    /* -EBUSY: addresses come and go while they are listed. */
    do {
        n = 0;
        error = claims_list_held(count_held, &n);
    } while (error == -EBUSY);
    assert_int_equal(error, 0);
    return n;
}

__attribute__((unused)) static bool on_nic(const char *text)
{
    return output_has("ip -o addr show dev v0", text);
}

/* Waits until only `n` addresses with our mark are left; returns how long that took since `start_ns`. */
__attribute__((unused)) static int await_marked(int n, nsec_t start_ns)
{
    nsec_t begin_ns = clock_ns();

    while (n_marked() > n) {
        if (since_ms(begin_ns) > PATIENCE_MS)
            fail_msg("%d addresses are still there, instead of %d", n_marked(), n);
        sleep_ms(2);
    }
    return since_ms(start_ns);
}

static char *path_in(const struct world *world, const char *name, char path[static 64])
{
    snprintf(path, 64, "%s/%s", world->folder, name);
    return path;
}

/* What the pid file says; 0 where there is none. */
__attribute__((unused)) static pid_t pid_in_file(const struct world *world, const char *name)
{
    char path[64];
    FILE *file = fopen(path_in(world, name, path), "re");
    int pid = 0;

    if (!file)
        return 0;
    assert_int_equal(fscanf(file, "%d\n", &pid), 1); /* NOLINT(cert-err34-c) */
    fclose(file);
    return pid;
}

/* Whether agents and guards have said this so far. */
__attribute__((unused)) static bool was_said(struct world *world, const char *wanted)
{
    ssize_t length =
        read(world->said[0], world->text + world->text_length, sizeof world->text - 1 - world->text_length);

    if (length > 0)
        world->text_length += (size_t)length;
    world->text[world->text_length] = '\0';
    return strstr(world->text, wanted) != NULL;
}

__attribute__((unused)) static void await_said(struct world *world, const char *wanted)
{
    nsec_t start_ns = clock_ns();

    while (!was_said(world, wanted)) {
        if (since_ms(start_ns) > PATIENCE_MS)
            fail_msg("said was: '%s'", world->text);
        sleep_ms(2);
    }
}

/* As the real agent, which a busy machine does not keep from beating either. Where it is refused, we do without. */
static void become_realtime(void)
{
    sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &(struct sched_param){.sched_priority = 2});
}

static void flush_whole(struct guard *guard)
{
    struct pollfd waited = {.fd = guard_fd(guard), .events = POLLOUT};

    while (guard_flush(guard) > 0) {
        poll(&waited, 1, PATIENCE_MS);
        guard_beat(guard, clock_ns());
    }
}

static int obey(struct guard *guard, const struct command *command)
{
    switch (command->what) {
    case 'n':
        return guard_news(guard);
    case 'd':
        guard_dismiss(guard);
        return 0;
    case 'h':
        return guard_hold(guard, &command->held);
    case 'r':
        return guard_drop(guard, &command->held);
    }
    return -EINVAL;
}

static void beat_for_ever(struct guard *guard, int control, int beat_ms)
{
    struct pollfd waited = {.fd = control, .events = POLLIN};
    struct command command;
    int result;

    for (;;) {
        guard_beat(guard, clock_ns());
        guard_flush(guard);
        if (poll(&waited, 1, beat_ms) == 0)
            continue;
        if (recv(control, &command, sizeof command, 0) != sizeof command)
            _exit(0);
        result = obey(guard, &command);
        if (command.what != 'd')
            guard_flush(guard);
        send(control, &result, sizeof result, 0);
        if (command.what == 'd')
            pause();
    }
}

/* Tells the pid of its guard, or negative errno. */
static void run_agent(const struct world *world, const struct plan *plan, int control)
{
    char pid_path[64], lock_path[64];
    struct guard *guard = NULL;
    int lock, answer;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    become_realtime();
    dup2(world->said[1], STDERR_FILENO);
    setenv("JOURNAL_STREAM", "8:1", 1);
    path_in(world, plan->pid_file ? plan->pid_file : "pid", pid_path);
    path_in(world, plan->lock_file ? plan->lock_file : "lock", lock_path);
    answer = plan->starting ? 0 : guard_start(&guard, pid_path, lock_path, GUARD_PATIENCE_MS * NSEC_PER_MSEC);
    lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (answer == 0 && flock(lock, LOCK_EX | LOCK_NB) < 0)
        answer = -errno;
    if (guard && answer == 0) {
        for (size_t i = 0; i < plan->n_held; i++)
            guard_hold(guard, &plan->held[i]);
        flush_whole(guard);
        if (!plan->not_in_charge)
            answer = guard_take_charge(guard);
        if (answer == 0)
            answer = guard_pid(guard);
    }
    send(control, &answer, sizeof answer, 0);
    if (guard)
        beat_for_ever(guard, control, plan->beat_ms > 0 ? plan->beat_ms : BEAT_MS);
    pause();
}

__attribute__((unused)) static struct agent *start_agent(struct world *world, const struct plan *plan)
{
    struct agent *agent = &world->agents[world->n_agents++];
    int ends[2], answer;

    assert_true(world->n_agents <= AGENTS_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    agent->control = ends[0];
    agent->pid = fork();
    assert_true(agent->pid >= 0);
    if (agent->pid == 0) {
        close(ends[0]);
        run_agent(world, plan, ends[1]);
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(recv(agent->control, &answer, sizeof answer, 0), sizeof answer);
    assert_true(answer >= 0);
    agent->guard_pid = answer;
    return agent;
}

__attribute__((unused)) static int command_held(const struct agent *agent, char what, const struct guard_held *held)
{
    struct command command;
    int answer;

    memset(&command, 0, sizeof command);
    command.what = what;
    if (held)
        memcpy(&command.held, held, offsetof(struct guard_held, prefix) + sizeof held->prefix);
    assert_int_equal(send(agent->control, &command, sizeof command, 0), sizeof command);
    assert_int_equal(recv(agent->control, &answer, sizeof answer, 0), sizeof answer);
    return answer;
}

static void kill_agent(struct agent *agent)
{
    if (agent->pid == 0)
        return;
    kill(agent->pid, SIGKILL);
    waitpid(agent->pid, NULL, 0);
    agent->pid = 0;
}

/* A process that was stopped is so only when the kernel says it. */
__attribute__((unused)) static void stop(pid_t pid)
{
    siginfo_t info;

    kill(pid, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

/* Whether the guard has not ended by itself. */
__attribute__((unused)) static bool is_guarding(const struct agent *agent)
{
    siginfo_t info = {};

    assert_int_equal(waitid(P_PID, (id_t)agent->guard_pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == 0;
}

/* Waits until the guard has ended, as it should. */
__attribute__((unused)) static void await_end(struct agent *agent)
{
    nsec_t start_ns = clock_ns();
    int status;

    while (waitpid(agent->guard_pid, &status, WNOHANG) == 0) {
        if (since_ms(start_ns) > PATIENCE_MS)
            fail_msg("the guard does not end");
        sleep_ms(2);
    }
    agent->guard_pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A guard of the test itself. */
__attribute__((unused)) static struct guard *start_here(struct world *world)
{
    char pid_path[64], lock_path[64];
    struct guard *guard = NULL;
    int stderr_copy = dup(STDERR_FILENO), error;

    dup2(world->said[1], STDERR_FILENO);
    error = guard_start(&guard, path_in(world, "pid", pid_path), path_in(world, "lock", lock_path),
                        GUARD_PATIENCE_MS * NSEC_PER_MSEC);
    dup2(stderr_copy, STDERR_FILENO);
    close(stderr_copy);
    assert_int_equal(error, 0);
    assert_true(world->n_guards < GUARDS_MAX);
    world->guards[world->n_guards++] = guard_pid(guard);
    return guard;
}

__attribute__((unused)) static void await_exit(pid_t pid)
{
    struct agent agent = {.guard_pid = pid};

    await_end(&agent);
}

__attribute__((unused)) static int setup(void **state)
{
    struct world *world;

    if (enter_namespace(state) < 0)
        return -1;
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    become_realtime();
    world = calloc(1, sizeof *world);
    world->nic = index_of("v0");
    strcpy(world->folder, "/tmp/guard-test-XXXXXX");
    if (!mkdtemp(world->folder) || pipe2(world->said, O_CLOEXEC) < 0 ||
        fcntl(world->said[0], F_SETFL, O_NONBLOCK) < 0 || claims_open(&world->claims, on_claimed, world) < 0)
        return -1;
    *state = world;
    return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < world->n_agents; i++) {
        kill_agent(&world->agents[i]);
        close(world->agents[i].control);
        if (world->agents[i].guard_pid > 0 && kill(world->agents[i].guard_pid, SIGKILL) == 0)
            waitpid(world->agents[i].guard_pid, NULL, 0);
    }
    /* One that is left was stopped, or is broken: the test has failed. */
    for (size_t i = 0; i < world->n_guards; i++)
        if (waitpid(world->guards[i], NULL, WNOHANG) == 0 && kill(world->guards[i], SIGKILL) == 0)
            waitpid(world->guards[i], NULL, 0);
    close(world->said[0]);
    close(world->said[1]);
    claims_close(world->claims);
    run("rm -r %s", world->folder);
    free(world);
    return 0;
}
