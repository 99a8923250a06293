/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/process.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* Blocks from this size on are given back to the kernel as soon as they are freed. */
#define MAPPED_FROM_BYTES (128 * 1024)
/* CPU time in one go: a netlink batch takes milliseconds. At the hard limit the kernel would kill us. */
#define REALTIME_SOFT_US 500000
#define REALTIME_HARD_US 5000000

static char realtime_text[96];
static char memory_text[96];

/* RLIMIT_RTTIME: something runs on and on. Better slow than a machine that nobody can log in to. */
static void on_cpu_limit(int signal)
{
    (void)signal;
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    strcpy(realtime_text, "given up: a turn took over 0.5 s of CPU time");
}

const char *process_become_realtime(void)
{
    struct sched_param param = {.sched_priority = PROCESS_REALTIME_PRIORITY};
    struct rlimit limit = {.rlim_cur = REALTIME_SOFT_US, .rlim_max = REALTIME_HARD_US};
    struct sigaction action = {.sa_handler = on_cpu_limit, .sa_flags = SA_RESTART};

    sigaction(SIGXCPU, &action, NULL);
    if (setrlimit(RLIMIT_RTTIME, &limit) < 0 || sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param) < 0)
        snprintf(realtime_text, sizeof realtime_text, "refused: %s", strerror(errno));
    else
        snprintf(realtime_text, sizeof realtime_text, "SCHED_RR %d", PROCESS_REALTIME_PRIORITY);
    return realtime_text;
}

/*
 * Answers about thousands of addresses take megabytes for a moment. glibc would keep them, since it takes the largest
 * block that was ever freed for the measure of what to map.
 */
void process_spare_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    mallopt(M_TRIM_THRESHOLD, MAPPED_FROM_BYTES);
}

const char *process_lock_memory(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        snprintf(memory_text, sizeof memory_text, "refused: %s", strerror(errno));
    else
        snprintf(memory_text, sizeof memory_text, "locked");
    return memory_text;
}

int process_check_capabilities(void)
{
    if (capng_get_caps_process() < 0)
        return -EPERM;
    return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) && capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW)
               ? 0
               : -EPERM;
}

/*
 * The bounding set is only emptied by who holds SETPCAP; without it there is nothing to gain back either. What stays
 * in it is for a helper that is started anew, which becomes another user. Our unit has none of it: there the helper is
 * a unit, too.
 */
static int limit_programs(void)
{
    static const unsigned helpers[] = {CAP_SETUID, CAP_SETGID};

    for (size_t i = 0; i < sizeof helpers / sizeof *helpers; i++)
        if (capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, helpers[i]) < 0)
            return -EPERM;
    return 0;
}

int process_drop_capabilities(void)
{
    static const unsigned wanted[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_NICE, CAP_IPC_LOCK};
    bool had[sizeof wanted / sizeof *wanted];
    bool may_empty = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        had[i] = capng_have_capability(CAPNG_PERMITTED, wanted[i]);
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (had[i] && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, wanted[i]) < 0)
            return -EPERM;
    if (may_empty && limit_programs() < 0)
        return -EPERM;
    return capng_apply(may_empty ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

void process_fill_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        /* The lowest free number is what open() takes. */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return;
}

uint64_t process_random(void)
{
    uint64_t value = 0;

    /* Never short or refused for 8 bytes; waits only in the first moments of a boot. */
    while (getrandom(&value, sizeof value, 0) != sizeof value)
        ;
    return value;
}
