/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/guard/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/base/cleanup.h"
#include "agent/guard/child.h"
#include "agent/guard/message.h"

/* How long guard_start waits for the new process. */
#define READY_MS 1000
#define NEW_SUFFIX ".new"

struct guard {
    int socket;         /* leads to the guard */
    pid_t pid;          /* the guard's */
    char *pid_path;     /* names the guard in charge */
    struct notes notes; /* not sent yet */
    nsec_t beat_ns;     /* not sent yet; NSEC_UNSET: none */
};

static void guard_free(struct guard *guard)
{
    if (guard->socket >= 0)
        close(guard->socket);
    notes_free(&guard->notes);
    free(guard->pid_path);
    free(guard);
}

/* Forks twice, so that the guard is an orphan and init's to reap. 0 or negative errno. */
static int fork_orphan(int own_end, int agents_end, const struct child_options *options)
{
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        pid = fork();
        if (pid != 0)
            _exit(pid < 0 ? errno : 0);
        close(agents_end);
        child_run(own_end, options);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 0; /* somebody ignores SIGCHLD: whether there is a guard shows when it is ready */
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* Returns the guard's pid, or negative errno. */
static int await_ready(int socket)
{
    struct pollfd waited = {.fd = socket, .events = POLLIN};
    struct message_report report;
    ssize_t length;
    int n;

    do
        n = poll(&waited, 1, READY_MS);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return -ETIMEDOUT;
    length = recv(socket, &report, sizeof report, MSG_DONTWAIT);
    if (length < 0)
        return -errno;
    return length == sizeof report && report.kind == MESSAGE_READY ? report.value : -EPIPE;
}

static int start(struct guard *guard, const struct child_options *options)
{
    int ends[2], pid, error;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    guard->socket = ends[0];
    error = fork_orphan(ends[1], ends[0], options);
    close(ends[1]);
    if (error < 0)
        return error;
    pid = await_ready(guard->socket);
    if (pid < 0)
        return pid;
    guard->pid = pid;
    return 0;
}

int guard_start(struct guard **ret, const char *pid_path, const char *lock_path, nsec_t patience_ns)
{
    struct child_options options = {.pid_path = pid_path, .lock_path = lock_path, .patience_ns = patience_ns};
    struct guard *guard;
    int error;

    if (patience_ns < GUARD_PATIENCE_MIN_NS || strlen(pid_path) + sizeof NEW_SUFFIX > PATH_MAX)
        return -EINVAL;
    guard = calloc(1, sizeof *guard);
    if (!guard)
        return -ENOMEM;
    guard->socket = -EBADF;
    guard->pid_path = strdup(pid_path);
    error = guard->pid_path ? start(guard, &options) : -ENOMEM;
    if (error < 0) {
        guard_free(guard);
        return error;
    }
    *ret = guard;
    return 0;
}

void guard_dismiss(struct guard *guard)
{
    struct message_order order = {.kind = MESSAGE_DISMISS};

    /* Where this gets lost, the guard looks for a successor, and for addresses that it does not find: no harm. */
    send(guard->socket, &order, MESSAGE_ORDER_BYTES(0), MSG_DONTWAIT | MSG_NOSIGNAL);
    guard_free(guard);
}

void guard_abandon(struct guard *guard)
{
    guard_free(guard);
}

int guard_take_charge(struct guard *guard)
{
    char new_path[PATH_MAX];
    CLEANUP_CLOSE int fd = -EBADF;
    int error;

    if (guard->notes.n > 0)
        return -EBUSY;
    snprintf(new_path, sizeof new_path, "%s" NEW_SUFFIX, guard->pid_path);
    fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd < 0)
        return -errno;
    if (dprintf(fd, "%d\n", (int)guard->pid) < 0 || rename(new_path, guard->pid_path) < 0) {
        error = -errno;
        unlink(new_path);
        return error;
    }
    return 0;
}

pid_t guard_pid(const struct guard *guard)
{
    return guard->pid;
}

int guard_hold(struct guard *guard, const struct guard_held *held)
{
    return notes_put(&guard->notes, held, true);
}

int guard_drop(struct guard *guard, const struct guard_held *held)
{
    return notes_put(&guard->notes, held, false);
}

void guard_beat(struct guard *guard, nsec_t now_ns)
{
    guard->beat_ns = now_ns;
}

/* Sends as many notes as go into one packet, the oldest first, and the beat. 0 or negative errno. */
static int send_packet(struct guard *guard)
{
    struct message_order order;
    size_t length = message_build_order(&order, &guard->notes, guard->beat_ns);

    if (send(guard->socket, &order, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return -errno;
    for (uint32_t i = 0; i < order.n; i++)
        notes_take(&guard->notes, &order.notes[i].held);
    guard->beat_ns = NSEC_UNSET;
    return 0;
}

int guard_flush(struct guard *guard)
{
    int error;

    while (guard->notes.n > 0 || guard->beat_ns != NSEC_UNSET) {
        error = send_packet(guard);
        if (error == -EPIPE || error == -ECONNRESET)
            return -EPIPE;
        if (error < 0)
            return (int)guard->notes.n + (guard->beat_ns != NSEC_UNSET);
    }
    return 0;
}

int guard_fd(const struct guard *guard)
{
    return guard->socket;
}

int guard_news(struct guard *guard)
{
    struct message_report report;
    int released = 0;
    ssize_t length;

    for (;;) {
        length = recv(guard->socket, &report, sizeof report, MSG_DONTWAIT);
        if (length == sizeof report && report.kind == MESSAGE_RELEASED)
            released += report.value;
        else if (length == 0)
            return released > 0 ? released : -EPIPE;
        /* ECONNRESET comes once, before what the guard said last. */
        else if (length < 0 && errno != ECONNRESET && errno != EINTR)
            return released;
    }
}
