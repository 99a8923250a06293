/* SPDX-License-Identifier: Apache-2.0 */
/* How a guard is started, put in charge and set apart from the agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "tests/unit/guard_world.h"

/* The value of a line of /proc/PID/status. */
static unsigned long long status_of(pid_t pid, const char *name, int base)
{
    char path[64], line[256];
    unsigned long long value = ~0ULL;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtoull(line + strlen(name) + 1, NULL, base);
    fclose(file);
    return value;
}

static int n_descriptors(pid_t pid)
{
    char path[64];
    int n = 0;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

static void test_a_process_with_nothing_but_what_it_needs(void **state)
{
    struct world *world = *state;
    int many[100];
    struct guard *guard;
    char name[32] = "", path[64];
    FILE *file;
    pid_t pid;

    for (size_t i = 0; i < 100; i++)
        many[i] = open("/dev/null", O_RDONLY); /* NOLINT(android-cloexec-open): the guard must close them */
    guard = start_here(world);
    for (size_t i = 0; i < 100; i++)
        close(many[i]);
    pid = guard_pid(guard);
    assert_int_equal(status_of(pid, "CapEff", 16), 1ULL << CAP_NET_ADMIN);
    assert_int_equal(status_of(pid, "CapPrm", 16), 1ULL << CAP_NET_ADMIN);
    assert_int_equal(getsid(pid), pid);
    /* stdin, stdout, stderr, its end of the pair, two netlink sockets; and what a tool around the test may need */
    assert_in_range(n_descriptors(pid), 6, 20);
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(name, sizeof name, file));
    fclose(file);
    assert_string_equal(name, "standind-guard\n");
    guard_dismiss(guard);
    await_exit(pid);
}

static void test_signals_that_end_the_agent_do_not_end_the_guard(void **state)
{
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU};
    struct world *world = *state;
    struct guard *guard = start_here(world);
    struct guard_held held = held_of(world, "192.0.2.10", 32);
    pid_t pid = guard_pid(guard);

    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        kill(pid, ending[i]);
    claim(world, &held, 1);
    assert_int_equal(guard_hold(guard, &held), 0);
    flush_whole(guard);
    guard_abandon(guard);
    await_exit(pid);
    assert_int_equal(n_marked(), 0);
}

static void do_nothing(int number)
{
    (void)number;
}

/* The agent blocks and handles signals; a guard that inherited either would outlive this one. */
static void test_signals_are_not_inherited(void **state)
{
    struct sigaction action = {.sa_handler = do_nothing}, before;
    struct world *world = *state;
    struct guard *guard;
    sigset_t all, none;
    int status;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &none);
    sigaction(SIGUSR1, &action, &before);
    guard = start_here(world);
    sigaction(SIGUSR1, &before, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    pid = guard_pid(guard);
    kill(pid, SIGUSR1);
    assert_true(becomes_readable(guard_fd(guard), PATIENCE_MS));
    assert_int_equal(guard_news(guard), -EPIPE);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    guard_abandon(guard);
}

static void test_what_cannot_be_started(void **state)
{
    struct world *world = *state;
    struct guard *guard = NULL;
    char path[64];
    pid_t pid;
    int status;

    path_in(world, "pid", path);
    assert_int_equal(guard_start(&guard, path, path, GUARD_PATIENCE_MIN_NS - 1), -EINVAL);
    assert_null(guard);

    /* Without the one capability that it needs it would be of no use, and says so at once. */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {};

        if (syscall(SYS_capset, &header, none) < 0)
            _exit(2);
        _exit(guard_start(&guard, path, path, GUARD_PATIENCE_MIN_NS) == -EPERM && !guard ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_the_pid_file_is_replaced_as_a_whole(void **state)
{
    struct world *world = *state;
    struct guard *first = start_here(world), *second = start_here(world);
    pid_t pids[] = {guard_pid(first), guard_pid(second)};
    char path[64];

    assert_int_not_equal(pids[0], pids[1]);
    assert_int_equal(pid_in_file(world, "pid"), 0);
    assert_int_equal(guard_take_charge(first), 0);
    assert_int_equal(pid_in_file(world, "pid"), pids[0]);
    assert_int_equal(guard_take_charge(second), 0);
    assert_int_equal(pid_in_file(world, "pid"), pids[1]);
    assert_int_equal(access(path_in(world, "pid.new", path), F_OK), -1);

    /* The file is another's: the one that ends leaves it. */
    guard_dismiss(first);
    await_exit(pids[0]);
    assert_int_equal(pid_in_file(world, "pid"), pids[1]);

    /* A folder in the way: an error, and nothing changed. */
    run("mkdir %s", path_in(world, "pid.new", path));
    assert_int_equal(guard_take_charge(second), -EISDIR);
    assert_int_equal(pid_in_file(world, "pid"), pids[1]);
    guard_dismiss(second);
    await_exit(pids[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_process_with_nothing_but_what_it_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals_that_end_the_agent_do_not_end_the_guard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals_are_not_inherited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_started, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_pid_file_is_replaced_as_a_whole, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
