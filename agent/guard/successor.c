/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/guard/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/types.h>

#include "agent/base/cleanup.h"

#define PID_TEXT 32
/* Whatever stands at the path: nothing that waits, nothing that leads elsewhere. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* The pid in the file, or 0. */
static pid_t read_pid(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, OPEN_FLAGS);
    char text[PID_TEXT], *end;
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long pid;

    if (length <= 0)
        return 0;
    text[length] = '\0';
    pid = strtol(text, &end, 10);
    return *end == '\n' && pid > 0 && pid == (pid_t)pid ? (pid_t)pid : 0;
}

bool successor_in_charge(const char *pid_path)
{
    pid_t pid = read_pid(pid_path);

    return pid > 0 && pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM);
}

bool successor_is_starting(const char *lock_path)
{
    CLEANUP_CLOSE int fd = open(lock_path, OPEN_FLAGS);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

void successor_free_charge(const char *pid_path)
{
    if (read_pid(pid_path) == getpid())
        unlink(pid_path);
}
