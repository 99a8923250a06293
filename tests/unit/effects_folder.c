/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's folder: who has it, and what is set aside there. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "tests/unit/effects_sample.h"

static char folder[PATH_MAX];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/standin-folder-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const char *path(const char *name)
{
    static char text[PATH_MAX + 64];

    snprintf(text, sizeof text, "%s/%s", folder, name);
    return text;
}

static void put_file(const char *name, const char *text, size_t length)
{
    int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    close(fd);
}

static int load(void)
{
    struct journal journal;
    int r = journal_load(folder, &journal);

    if (r == 0)
        journal_free(&journal);
    return r;
}

static void a_refused_one_is_set_aside(void **state)
{
    size_t length;
    char *text = numbered(3, &length);

    (void)state;
    assert_int_equal(journal_set_aside(folder), -ENOENT);
    put_file(JOURNAL_NAME, "torn", 4);
    assert_int_equal(journal_set_aside(folder), 0);
    assert_int_equal(load(), -ENOENT);
    assert_int_equal(unlink(path(JOURNAL_ASIDE)), 0);
    /* A folder in its place. */
    assert_int_equal(mkdir(path(JOURNAL_NAME), 0700), 0);
    assert_int_equal(load(), -EMEDIUMTYPE);
    assert_int_equal(journal_set_aside(folder), 0);
    assert_int_equal(rmdir(path(JOURNAL_ASIDE)), 0);
    put_file(JOURNAL_NAME, text, length);
    assert_int_equal(load(), 0);
    assert_int_equal(unlink(path(JOURNAL_NAME)), 0);
    free(text);
}

static void one_agent_a_folder(void **state)
{
    int first, second = -77;

    (void)state;
    assert_int_equal(journal_lock(folder, &first), 0);
    assert_int_equal(journal_lock(folder, &second), -EBUSY);
    assert_int_equal(second, -77);
    close(first);
    assert_int_equal(journal_lock(folder, &first), 0);
    close(first);
}

/* What is missing is made; its parent is not. */
static void the_folder_is_made(void **state)
{
    struct stat status;
    int fd;

    (void)state;
    assert_int_equal(journal_lock(path("made"), &fd), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    close(fd);
    assert_int_equal(rmdir(path("made")), 0);
    assert_int_equal(journal_lock(path("missing/made"), &fd), -ENOENT);
    put_file("plain", "", 0);
    assert_int_equal(journal_lock(path("plain"), &fd), -ENOTDIR);
    assert_int_equal(unlink(path("plain")), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refused_one_is_set_aside),
        TEST(one_agent_a_folder),
        TEST(the_folder_is_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
