/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "agent/runner/runner.h"

#define USAGE                                                                                    \
    "standin-runner: starts commands for standind, which starts it, or systemd by its socket:\n" \
    "    standin-runner --fd NUMBER\n"

/* A number of our own must never be that of stdin, stdout or stderr. */
static int fill_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return -errno;
    }
    return 0;
}

/* The descriptor that was named. -EINVAL where there is none. */
static int read_fd(const char *text)
{
    char *end;
    long fd = strtol(text, &end, 10);

    if (*end != '\0' || end == text || fd <= STDERR_FILENO || fd != (int)fd)
        return -EINVAL;
    return fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 ? -EINVAL : (int)fd;
}

int main(int argc, char **argv)
{
    struct runner_options options = {.agent = -EBADF, .listening = -EBADF};

    if (argc == 3 && strcmp(argv[1], "--fd") == 0) {
        options.agent = read_fd(argv[2]);
        /* What systemd told the agent is not for us. */
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
    } else if (argc == 1 && sd_listen_fds(1) == 1) {
        options.listening = SD_LISTEN_FDS_START;
    }
    if (options.agent < 0 && options.listening < 0) {
        fputs(USAGE, stderr);
        return 2;
    }
    return fill_standard_fds() < 0 ? 1 : runner_run(&options);
}
