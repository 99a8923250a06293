/* SPDX-License-Identifier: Apache-2.0 */
/* Files: the examples as they stand, includes, and whom a file may belong to. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "tests/unit/config_world.h"

#define SOURCE(name, address) "source " name " { nic e { " address " dev eth0 } }\n"

static int start; /* the folder that the tests were started in */

/* A folder of the test's own, which it then stands in. */
static int enter_folder(void **state)
{
    char folder[] = "/tmp/standin-config-XXXXXX";

    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    *state = strdup(folder);
    return 0;
}

static int leave_folder(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    assert_int_equal(fchdir(start), 0);
    assert_int_equal(system(command), 0);
    free(*state);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

static void expect_file(const char *path, const char *lines)
{
    struct world world;

    read_file(&world, path);
    assert_string_equal(world.printed, lines);
    end(&world);
}

static void test_examples(void **state)
{
    struct world world;

    (void)state;
    assert_int_equal(fchdir(start), 0);
    assert_int_equal(chdir("tests/examples"), 0);
    expect_file("minimal.conf", "");
    expect_file("two-nics.conf", "");
    read_file(&world, "many-to-one.conf");
    assert_string_equal(world.printed, "");
    assert_int_equal(world.ipmap->n_sources, 4);
    assert_int_equal(world.ipmap->n_addresses, 5);
    assert_int_equal(world.ipmap->sources[2].on_host, IPMAP_TAKEOVER_MANUAL);
    assert_int_equal(world.ipmap->sources[3].on_nic, IPMAP_TAKEOVER_NOTIFY);
    end(&world);
    read_file(&world, "services.conf");
    assert_int_equal(world.r, 0);
    assert_int_equal(world.ipmap->sources[0].n_checks, 3);
    assert_int_equal(world.ipmap->sources[0].n_hooks, 4);
    assert_int_equal(world.ipmap->sources[0].n_units, 2);
    assert_non_null(world.ipmap->sources[0].fence);
    end(&world);
    /* Whether this host has the key or not. */
    read_file(&world, "dns.conf");
    assert_int_equal(world.r, 0);
    assert_int_equal(world.ipmap->sources[0].n_nics, 0);
    assert_string_equal(world.ipmap->sources[0].dns->zone, "example.net");
    end(&world);
}

static void test_bad_examples(void **state)
{
    static const char *const names[] = {"misspelt", "unclosed"};

    (void)state;
    assert_int_equal(fchdir(start), 0);
    assert_int_equal(chdir("tests/examples/bad"), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64], lines[4096] = "";
        FILE *expected;

        snprintf(path, sizeof path, "%s.expected", names[i]);
        expected = fopen(path, "re");
        assert_non_null(expected);
        assert_true(fread(lines, 1, sizeof lines - 1, expected) > 0);
        fclose(expected);
        snprintf(path, sizeof path, "%s.conf", names[i]);
        expect_file(path, lines);
    }
}

static void test_include(void **state)
{
    struct world world;

    (void)state;
    assert_int_equal(mkdir("a[1]", 0755), 0);
    assert_int_equal(mkdir("a[1]/conf.d", 0755), 0);
    write_file("a[1]/main", "include \"conf.d/*.conf\"; include one\ninclude \"none.d/*\"\ninclude 'x*y?z[0]'\n");
    write_file("a[1]/one", SOURCE("one", "192.0.2.1/24") "include conf.d/later");
    write_file("a[1]/conf.d/b.conf", SOURCE("b", "192.0.2.2/24"));
    write_file("a[1]/conf.d/a.conf", SOURCE("a", "192.0.2.3/24"));
    write_file("a[1]/conf.d/later", "defaults { misses 9 }");
    write_file("a[1]/conf.d/.hidden.conf", "nonsense");
    read_file(&world, "a[1]/main");
    assert_string_equal(world.printed, "");
    assert_int_equal(world.ipmap->n_files, 5);
    assert_string_equal(world.ipmap->files[0], "a[1]/main");
    assert_string_equal(world.ipmap->files[1], "a[1]/conf.d/a.conf");
    assert_string_equal(world.ipmap->files[4], "a[1]/conf.d/later");
    assert_string_equal(world.ipmap->sources[0].name, "a");
    assert_string_equal(world.ipmap->sources[2].name, "one");
    assert_int_equal(world.ipmap->sources[1].misses, 9);
    end(&world);
}

/* Messages come in the order in which the files are read, each with its own file's name. */
static void test_include_messages(void **state)
{
    (void)state;
    write_file("main", SOURCE("a", "192.0.2.1/24") "mises 3\ninclude part\ninclude missing\n" SOURCE(
                           "c", "192.0.2.3/24") "witness 192.0.2.2\n");
    write_file("part", "source b {\nnic e { 192.0.2.1/24 dev eth0; 192.0.2.2/24 dev eth0\n");
    expect_file("main", "main:2:1: unknown statement 'mises'\n"
                        "part:2:9: 192.0.2.1 is mapped twice; first at main:1\n"
                        "part:3:1: end of file inside 'nic e', opened at line 2\n"
                        "main:4:9: 'missing' cannot be opened: No such file or directory\n"
                        "main:6:9: 192.0.2.2 is a source's own address (part:2) and cannot be a witness\n");
    write_file("main", "include \"\"\ninclude\ninclude a b\ninclude a { }\n");
    expect_file("main", "main:1:9: the name of a file was expected, of 1 to 4095 bytes\n"
                        "main:2:1: 'include' is not complete; include takes the name of a file, or a pattern\n"
                        "main:3:11: 'b' is one word too many; include takes the name of a file, or a pattern\n"
                        "main:4:1: 'include' takes no block\n");
}

static void test_include_loops(void **state)
{
    (void)state;
    write_file("main", "include sub\n");
    write_file("sub", "include ./main\ninclude sub\n");
    expect_file("main", "sub:1:9: './main' includes itself\nsub:2:9: 'sub' includes itself\n");
}

static void test_include_depth(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 17; i++) {
        char name[16], text[32];

        snprintf(name, sizeof name, "f%u", i);
        snprintf(text, sizeof text, "include f%u\n", i + 1);
        write_file(name, i < 17 ? text : "defaults { misses 3 }\n");
    }
    expect_file("f2", "f2:1:1: has no source: there is nothing to protect\n");
    expect_file("f1", "f16:1:9: files include files more than 16 levels deep\n");
}

static void test_not_a_file(void **state)
{
    (void)state;
    write_file("empty", "");
    expect_file("empty", "empty:1:1: has no source: there is nothing to protect\n");
    expect_file("missing", "missing:1:1: cannot be opened: No such file or directory\n");
    assert_int_equal(mkdir("folder", 0755), 0);
    expect_file("folder", "folder:1:1: is a directory; a regular file was expected\n");
    /* Nobody writes into it: opening it must not wait. */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    expect_file("fifo", "fifo:1:1: is no regular file\n");
    write_file("main", "include fifo\n");
    expect_file("main", "main:1:9: 'fifo' is no regular file\n");
}

static void test_too_large(void **state)
{
    struct world world;

    (void)state;
    write_file("main", "");
    assert_int_equal(truncate("main", (16 << 20) + 1), 0);
    expect_file("main", "main:1:1: makes the ipmap larger than 16 MiB\n");
    assert_int_equal(truncate("main", 16 << 20), 0);
    expect_file("main", "main:1:1: NUL byte; this is no text file\n");
    read_bytes(&world, "", (16 << 20) + 1, NULL);
    assert_string_equal(world.printed, "f:1:1: makes the ipmap larger than 16 MiB\n");
    end(&world);
}

/* All files count together: two that include each other's halves over and over end somewhere. */
static void test_too_much(void **state)
{
    struct world world;

    (void)state;
    for (unsigned i = 1; i <= 15; i++) {
        char name[16], text[64];

        snprintf(name, sizeof name, "f%u", i);
        snprintf(text, sizeof text, "include f%u\ninclude f%u\n", i + 1, i + 1);
        write_file(name, text);
    }
    write_file("f16", "#");
    read_file(&world, "f1");
    assert_int_equal(world.r, -EINVAL);
    assert_non_null(strstr(world.messages.list[0].text, "is one file too many"));
    end(&world);
}

static void test_safety(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    write_file("main", "include sub\n");
    write_file("sub", "source a { nic e { 192.0.2.10/24 dev eth0 } }\n");
    expect_file("main", "");
    assert_int_equal(chmod("sub", 0664), 0);
    expect_file("main", "main:1:9: 'sub' is writable by group or others; chmod go-w\n");
    assert_int_equal(chmod("sub", 0646), 0);
    expect_file("main", "main:1:9: 'sub' is writable by group or others; chmod go-w\n");
    assert_int_equal(chmod("main", 0622), 0);
    expect_file("main", "main:1:1: is writable by group or others; chmod go-w\n");
    assert_int_equal(chmod("main", 0600), 0);
    assert_int_equal(chown("main", 1, 0), 0);
    expect_file("main", "main:1:1: belongs to another user; root must own it\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_examples, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_bad_examples, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_include, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_include_messages, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_include_loops, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_include_depth, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_not_a_file, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_too_large, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_too_much, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_safety, enter_folder, leave_folder),
    };

    start = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
