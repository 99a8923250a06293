/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/guard/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* After stdin, stdout and stderr. */
#define SOCKET_FD 3
/* Above everything ordinary, below the agent. */
#define REALTIME_PRIORITY 1

/*
 * What ends the agent must not end the guard, which is there for just that: systemd's stop (the unit says
 * KillMode=process), a terminal that closes. SIGXCPU because the agent's RLIMIT_RTTIME is ours, too.
 */
static void reset_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* /dev/null for stdin and stdout, so that no socket ever gets their numbers. */
static int close_descriptors(int socket)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    socket = dup2(socket, SOCKET_FD);
    close_range(SOCKET_FD + 1, ~0U, 0);
    return socket;
}

/* What comes later is locked only without a limit: beyond one it would be refused, just when it is needed. */
static void lock_memory(void)
{
    static const struct rlimit unlimited = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

    mlockall(MCL_CURRENT | MCL_ONFAULT | (setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 ? MCL_FUTURE : 0));
}

void privilege_separate(int *socket)
{
    static const struct sched_param param = {.sched_priority = REALTIME_PRIORITY};

    reset_signals();
    setsid();
    prctl(PR_SET_NAME, "standind-guard");
    *socket = close_descriptors(*socket);
    sched_setscheduler(0, SCHED_RR, &param);
    lock_memory();
}

int privilege_drop(void)
{
    bool may_empty;

    if (capng_get_caps_process() < 0)
        return -EPERM;
    /* The bounding set is only emptied by who holds SETPCAP; without it there is nothing to gain back either. */
    may_empty = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    capng_clear(CAPNG_SELECT_BOTH);
    if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) < 0)
        return -EPERM;
    return capng_apply(may_empty ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}
