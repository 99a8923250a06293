/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that are allowed: those of sockets, memory, threads that look up names, and of reading files
 * (certificates, resolv.conf, libraries that look up names). Anything else fails with ENOSYS, at which the C library
 * takes the older call that it had before; nothing is killed for it, so that a library that is brought up to date costs
 * a check at most. No program can be started, no file written, no process looked into, no privilege asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "agent/helper/confine.h"

/* What the macros of seccomp.h leave out is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Names that an architecture has not are passed over. */
static const char *const allowed[] = {
    /* memory, but see mmap and mprotect below */
    "brk", "madvise", "mremap", "munmap", "membarrier",
    /* threads, time and ends */
    "clock_getres", "clock_gettime", "clock_nanosleep", "exit", "exit_group", "futex", "futex_time64",
    "get_robust_list", "getcpu", "getpid", "gettid", "gettimeofday", "nanosleep", "restart_syscall", "rseq",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list",
    "set_tid_address", "sigaltstack", "tgkill", "time", "alarm", "setitimer", "clock_gettime64",
    "clock_nanosleep_time64",
    /* who we are */
    "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getrlimit", "getuid", "sysinfo", "uname",
    "getrandom", "getrusage",
    /* descriptors */
    "close", "close_range", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2",
    "epoll_wait", "eventfd2", "fcntl", "fcntl64", "lseek", "pipe2", "poll", "ppoll", "pread64", "pselect6", "read",
    "readv", "select", "timerfd_create", "timerfd_settime", "write", "writev", "_newselect", "_llseek",
    /* sockets, but see socket below */
    "bind", "connect", "getpeername", "getsockname", "getsockopt", "recv", "recvfrom", "recvmmsg", "recvmsg", "send",
    "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    /* files to be read, but see openat below */
    "access", "faccessat", "faccessat2", "fstat", "fstat64", "fstatfs", "getcwd", "getdents64", "lstat", "newfstatat",
    "readlink", "readlinkat", "stat", "stat64", "statfs", "statx"};

static const unsigned int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static int allow_names(scmp_filter_ctx filter)
{
    int r = 0;

    for (size_t i = 0; i < LENGTH(allowed) && r == 0; i++) {
        int number = seccomp_syscall_resolve_name(allowed[i]);

        if (number != __NR_SCMP_ERROR)
            r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    return r;
}

/* Memory is never executable, but for the libraries that getaddrinfo loads: these are mapped so from a file. */
static int allow_memory(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC),
                             SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return r;
}

/* clone3 cannot be looked into: without it the C library uses clone, of which threads alone are allowed. */
static int allow_threads(scmp_filter_ctx filter)
{
    static const unsigned long thread = 0x00010000; /* CLONE_THREAD */

    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
}

static int allow_files(scmp_filter_ctx filter)
{
    const unsigned int writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));

    if (r == 0 && SCMP_SYS(open) != __NR_SCMP_ERROR)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
    return r;
}

static int allow_sockets(scmp_filter_ctx filter)
{
    int r = 0;

    for (size_t i = 0; i < LENGTH(families) && r == 0; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, families[i]));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    return r;
}

static int allow_some(scmp_filter_ctx filter)
{
    /* The resolver asks how much there is to read; threads are named; limits are read, never set. */
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD));

    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
    return r;
}

int confine_filter(void)
{
    static int (*const steps[])(scmp_filter_ctx) = {allow_names, allow_memory,  allow_threads,
                                                    allow_files, allow_sockets, allow_some};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int r = filter ? 0 : -ENOMEM;

    for (size_t i = 0; i < LENGTH(steps) && r == 0; i++)
        r = steps[i](filter);
    if (r == 0)
        r = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return r;
}
