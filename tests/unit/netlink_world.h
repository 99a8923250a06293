/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of netlink/ share: a network namespace of their own for each test, a second one beside it, and the ip
 * program as an independent witness. Comes after cmocka.h and what that needs.
 */
#pragma once

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/address.h"

#define OUTPUT_BYTES (1 << 16)
/* How long to wait for what must come: only a broken program waits so long. */
#define PATIENCE_MS 10000

/* Runs a command in the namespace of the test, which must succeed. */
__attribute__((format(printf, 1, 2), unused)) static void run(const char *format, ...)
{
    char command[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (system(command) != 0) /* NOLINT(cert-env33-c): fixed commands, made here */
        fail_msg("failed: %s", command);
}

/* Whether the output of a command has `wanted` in it. */
__attribute__((unused)) static bool output_has(const char *command, const char *wanted)
{
    static char output[OUTPUT_BYTES];
    FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c): fixed commands, made here */
    size_t length;

    assert_non_null(pipe);
    length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    pclose(pipe);
    return strstr(output, wanted) != NULL;
}

/* Enters a new, empty network namespace; the one before goes with its last user. */
__attribute__((unused)) static int enter_namespace(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_error("needs root: these tests make network namespaces\n");
        return -1;
    }
    if (unshare(CLONE_NEWNET) < 0) {
        print_error("cannot make a network namespace: %s\n", strerror(errno));
        return -1;
    }
    run("ip link set lo up");
    return 0;
}

/* A second namespace, held by a process; `nsenter -t PID -n` runs something there. It goes with leave_other. */
__attribute__((unused)) static pid_t enter_other(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

__attribute__((unused)) static void leave_other(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

__attribute__((unused)) static struct ip_address ip_of(const char *text)
{
    struct ip_address ip;

    assert_int_equal(ip_address_parse(text, &ip), 0);
    return ip;
}

__attribute__((unused)) static int index_of(const char *name)
{
    int ifindex = (int)if_nametoindex(name);

    assert_true(ifindex > 0);
    return ifindex;
}

__attribute__((unused)) static bool becomes_readable(int fd, int patience_ms)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};

    return poll(&waited, 1, patience_ms) == 1;
}
