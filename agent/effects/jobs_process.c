/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/jobs_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/cleanup.h"

/* After stdin, stdout and stderr. */
#define CHILD_FD 3
#define CHILD_FD_TEXT "3"

/* -ENOENT where nobody listens. A process that is not root's is nobody. */
static int reach(const char *path)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t length = sizeof peer;

    if (fd < 0)
        return -errno;
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return errno == ECONNREFUSED || errno == ENOTSOCK || errno == EPROTOTYPE ? -ENOENT : -errno;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != 0)
        return -ENOENT;
    return TAKE_FD(fd);
}

/* Nothing of ours but stderr: a session, signals and descriptors of its own. */
static int spawn_with(const struct jobs_options *options, int socket, posix_spawn_file_actions_t *actions,
                      posix_spawnattr_t *attributes, pid_t *ret_pid)
{
    char name[] = CHILD_FD_TEXT, option[] = "--fd", *program = strdupa(options->program);
    char *argv[] = {program, option, name, NULL};
    sigset_t all, none;
    int error;

    sigfillset(&all);
    sigemptyset(&none);
    if ((error = posix_spawn_file_actions_adddup2(actions, socket, CHILD_FD)) != 0 ||
        (error = posix_spawn_file_actions_addclosefrom_np(actions, CHILD_FD + 1)) != 0 ||
        (error = posix_spawnattr_setsigdefault(attributes, &all)) != 0 ||
        (error = posix_spawnattr_setsigmask(attributes, &none)) != 0 ||
        (error = posix_spawnattr_setflags(attributes,
                                          POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)) != 0)
        return -error;
    return -posix_spawn(ret_pid, program, actions, attributes, argv, environ);
}

/* Waits until the new process has begun, but copies nothing of ours: less than a millisecond. */
static int spawn(const struct jobs_options *options, int socket, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r = -posix_spawn_file_actions_init(&actions);

    if (r < 0)
        return r;
    r = -posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = spawn_with(options, socket, &actions, &attributes, ret_pid);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

int jobs_process_start(const struct jobs_options *options, pid_t *ret_pid)
{
    int r = options->socket ? reach(options->socket) : -ENOENT, ends[2];

    if (r != -ENOENT) {
        *ret_pid = 0;
        return r;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    r = spawn(options, ends[1], ret_pid);
    close(ends[1]);
    if (r < 0)
        close(ends[0]);
    return r < 0 ? r : ends[0];
}
