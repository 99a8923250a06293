/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs are root's alone, and that the refusal names what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/effects/job.h"
#include "agent/runner/safety.h"
#include "tests/unit/runner_world.h"

#define SOMEBODY 65534

static void make_folder(const struct world *world, const char *name, mode_t mode)
{
    assert_int_equal(mkdir(path_in(world, name), 0755), 0);
    assert_int_equal(chmod(path_in(world, name), mode), 0);
}

static void make_link(const struct world *world, const char *target, const char *name)
{
    assert_int_equal(symlink(target, path_in(world, name)), 0);
}

/* Leads to the file at `leads_to`. */
static void assert_safe(const char *path, const char *leads_to)
{
    char why[SAFETY_WHY] = "";
    struct stat there, expected;
    int fd = safety_open(path, why);

    if (fd < 0)
        fail_msg("%s: %s", path, why);
    assert_int_equal(fstat(fd, &there), 0);
    assert_int_equal(stat(leads_to, &expected), 0);
    assert_true(there.st_dev == expected.st_dev && there.st_ino == expected.st_ino);
    assert_true(fcntl(fd, F_GETFL) & O_PATH);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void assert_unsafe(const char *path, int error, const char *wrong, const char *what)
{
    char why[SAFETY_WHY] = "", expected[SAFETY_WHY];
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC), after, fd = safety_open(path, why);

    snprintf(expected, sizeof expected, "%s%s", wrong, what);
    if (fd != error || strcmp(why, expected) != 0)
        fail_msg("%s: %d, %s; expected %s", path, fd, why, expected);
    /* Nothing is left open. */
    close(next);
    after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(after, next);
    close(after);
}

static void safe(void **state)
{
    struct world *world = *state;
    const char *program = put(world, "program", "", 0755);

    assert_safe(program, program);
    assert_safe("/bin/sh", "/bin/sh");
    assert_safe(put(world, "only-root", "", 0700), path_in(world, "only-root"));
    make_folder(world, "sub", 0700);
    assert_safe(put(world, "sub/b", "", 0511), path_in(world, "sub/b"));
    assert_safe(path_in(world, "sub/../sub/.//../program"), program);
    make_link(world, "../program", "sub/relative");
    make_link(world, program, "sub/absolute");
    make_link(world, "sub", "folder");
    assert_safe(path_in(world, "sub/relative"), program);
    assert_safe(path_in(world, "sub/absolute"), program);
    assert_safe(path_in(world, "folder/relative"), program);
}

static void the_file(void **state)
{
    struct world *world = *state;
    const char *program = put(world, "program", "", 0775);

    assert_unsafe(program, -EPERM, program, " may be written by its group");
    chmod(program, 0757);
    assert_unsafe(program, -EPERM, program, " may be written by others");
    chmod(program, 0777);
    assert_unsafe(program, -EPERM, program, " may be written by others");
    chmod(program, 0644);
    assert_unsafe(program, -EPERM, program, " is not executable");
    chmod(program, 0755);
    assert_int_equal(chown(program, SOMEBODY, 0), 0);
    assert_unsafe(program, -EPERM, program, " is owned by uid 65534, not by root");
    unlink(program);
    assert_int_equal(mkfifo(program, 0755), 0);
    assert_unsafe(program, -EPERM, program, " is not a file");
}

/* Any folder above, at any height. */
static void the_folders(void **state)
{
    struct world *world = *state;
    char a[PATH_MAX], b[PATH_MAX], program[PATH_MAX];

    make_folder(world, "a", 0755);
    make_folder(world, "a/b", 0755);
    strcpy(a, path_in(world, "a"));
    strcpy(b, path_in(world, "a/b"));
    strcpy(program, put(world, "a/b/program", "", 0755));
    assert_safe(program, program);
    chmod(b, 0775);
    assert_unsafe(program, -EPERM, b, " may be written by its group");
    chmod(b, 0755);
    chmod(a, 0757);
    assert_unsafe(program, -EPERM, a, " may be written by others");
    /* The sticky bit keeps others' files, but not others' links and folders out. */
    chmod(a, 01777);
    assert_unsafe(program, -EPERM, a, " may be written by others");
    assert_unsafe("/tmp/program", -EPERM, "/tmp", " may be written by others");
    chmod(a, 0755);
    assert_int_equal(chown(a, SOMEBODY, 0), 0);
    assert_unsafe(program, -EPERM, a, " is owned by uid 65534, not by root");
}

/* Each link is followed one step at a time: what it leads through is judged, and itself, too. */
static void links(void **state)
{
    struct world *world = *state;
    char open_folder[PATH_MAX], link[PATH_MAX], text[PATH_MAX + 64];

    make_folder(world, "open", 0777);
    strcpy(open_folder, path_in(world, "open"));
    put(world, "open/program", "", 0755);
    put(world, "program", "", 0755);
    make_link(world, "open/program", "to-file");
    make_link(world, "open", "to-folder");
    make_link(world, "open/../program", "through");
    make_link(world, "to-folder/program", "twice");
    assert_unsafe(path_in(world, "to-file"), -EPERM, open_folder, " may be written by others");
    assert_unsafe(path_in(world, "to-folder/program"), -EPERM, open_folder, " may be written by others");
    assert_unsafe(path_in(world, "through"), -EPERM, open_folder, " may be written by others");
    assert_unsafe(path_in(world, "twice"), -EPERM, open_folder, " may be written by others");
    make_link(world, "program", "others");
    strcpy(link, path_in(world, "others"));
    assert_int_equal(lchown(link, SOMEBODY, 0), 0);
    assert_unsafe(link, -EPERM, link, " is owned by uid 65534, not by root");
    make_link(world, "loop", "loop");
    strcpy(link, path_in(world, "loop"));
    assert_unsafe(link, -ELOOP, link, ": Too many levels of symbolic links");
    make_link(world, "nowhere", "dangling");
    snprintf(text, sizeof text, "nowhere in %s", world->folder);
    assert_unsafe(path_in(world, "dangling"), -ENOENT, text, ": No such file or directory");
}

static void what_is_not_there(void **state)
{
    static char name[NAME_MAX + 2], path[PATH_MAX + 2];
    struct world *world = *state;
    char text[PATH_MAX + 64];
    const char *program = put(world, "program", "", 0755);
    char why[SAFETY_WHY];

    snprintf(text, sizeof text, "missing in %s", world->folder);
    assert_unsafe(path_in(world, "missing"), -ENOENT, text, ": No such file or directory");
    assert_unsafe(path_in(world, "missing/program"), -ENOENT, text, ": No such file or directory");
    assert_unsafe(path_in(world, "program/more"), -ENOTDIR, program, ": Not a directory");
    assert_unsafe(world->folder, -EISDIR, world->folder, ": Is a directory");
    assert_unsafe("/", -EISDIR, "/", ": Is a directory");
    assert_unsafe("relative", -EINVAL, "relative", " is no absolute path");
    assert_unsafe("", -EINVAL, "", " is no absolute path");
    memset(name, 'x', sizeof name - 1);
    assert_int_equal(safety_open(path_in(world, name), why), -ENAMETOOLONG);
    memset(path, '/', sizeof path - 1);
    assert_int_equal(safety_open(path, why), -EINVAL);
}

/* By the runner, anew each time. */
static void at_each_run(void **state)
{
    struct world *world = *state;
    const char *script = put(world, "script", "#!/bin/sh\nexit 7\n", 0755);
    struct job_run run = {.argv = {script}};
    struct job_answer answer = run_check(world, &run);
    char expected[PATH_MAX];

    assert_answer(&answer, JOB_EXITED, 7, NULL);
    chmod(world->folder, 01777);
    answer = run_check(world, &run);
    snprintf(expected, sizeof expected, "%s may be written by others", world->folder);
    assert_answer(&answer, JOB_REFUSED, 0, expected);
    chmod(world->folder, 0755);
    answer = run_check(world, &run);
    assert_answer(&answer, JOB_EXITED, 7, NULL);
    assert_int_equal(chown(script, SOMEBODY, 0), 0);
    /* Nor is the user's own program run, even as that user. */
    run.user = "nobody";
    answer = run_check(world, &run);
    snprintf(expected, sizeof expected, "%s is owned by uid 65534, not by root", script);
    assert_answer(&answer, JOB_REFUSED, 0, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(safe), TEST(the_file), TEST(the_folders), TEST(links), TEST(what_is_not_there), TEST(at_each_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
