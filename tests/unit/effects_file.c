/* SPDX-License-Identifier: Apache-2.0 */
/* The journal on real disks: small, full, read-only, missing, with strange things in its place, and killed. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/effects/journal_file.h"
#include "tests/unit/effects_sample.h"

#define PATIENCE_MS 20000

/* A small disk that is the test's own. */
static char folder[64];

/* What was asked of the disk, in order: f and d for a file and a folder that were synced, r for a name that changed. */
static char steps[16];
static char failing_step; /* this one fails with EIO */

static int step(char what)
{
    size_t length = strlen(steps);

    if (length + 1 < sizeof steps)
        steps[length] = what;
    errno = EIO;
    return what == failing_step ? -1 : 0;
}

/* These two stand before those of the C library. */
int fsync(int fd)
{
    struct stat status;

    fstat(fd, &status);
    return step(S_ISDIR(status.st_mode) ? 'd' : 'f') < 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int renameat(int oldfd, const char *old, int newfd, const char *new)
{
    return step('r') < 0 ? -1 : (int)syscall(SYS_renameat2, oldfd, old, newfd, new, 0);
}

static const char *path(const char *name)
{
    static char text[128];

    snprintf(text, sizeof text, "%s/%s", folder, name);
    return text;
}

/* Each test has a disk of 256 KiB at `folder`. Others do not see it: see main(). */
static int setup(void **state)
{
    (void)state;
    memset(steps, 0, sizeof steps);
    failing_step = '\0';
    strcpy(folder, "/tmp/standin-journal-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    return mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "size=256k,mode=0700");
}

static int teardown(void **state)
{
    (void)state;
    umount2(folder, MNT_DETACH);
    return rmdir(folder);
}

/* How many files there are in the folder. */
static int count_files(void)
{
    DIR *stream = opendir(folder);
    int count = -2; /* the folder itself and the one above */

    assert_non_null(stream);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

/* Writes the sample with this serial by a writer of its own. */
static int write_serial(const char *state, uint64_t serial)
{
    struct journal_writer *writer;
    size_t length;
    char *text = numbered(serial, &length);
    struct pollfd poll_fd = {.events = POLLIN};
    int r;

    assert_int_equal(journal_writer_open(&writer, state), 0);
    journal_writer_submit(writer, text, length);
    poll_fd.fd = journal_writer_fd(writer);
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
    r = journal_writer_result(writer);
    journal_writer_close(writer);
    return r;
}

/* The serial of the journal that is there, or negative errno. */
static int64_t load_serial(void)
{
    struct journal journal = {.serial = 77};
    int r = journal_load(folder, &journal);
    int64_t serial = (int64_t)journal.serial;

    if (r < 0) {
        assert_true(serial == 77 && !journal.nics);
        return r;
    }
    assert_int_equal(journal.n_addresses, sample_journal()->n_addresses);
    journal_free(&journal);
    return serial;
}

static void put_file(const char *name, const char *text, size_t length)
{
    int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    close(fd);
}

static void written_and_loaded(void **state)
{
    struct stat status;
    struct journal journal;

    (void)state;
    assert_int_equal(load_serial(), -ENOENT);
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(load_serial(), 1);
    assert_int_equal(write_serial(folder, 2), 0);
    assert_int_equal(load_serial(), 2);
    assert_int_equal(count_files(), 1);
    assert_int_equal(stat(path(JOURNAL_NAME), &status), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0600);
    assert_int_equal(write_serial(folder, 42), 0);
    assert_int_equal(journal_load(folder, &journal), 0);
    assert_journal_equal(sample_journal(), &journal);
    journal_free(&journal);
}

/* The bytes must be on the disk before the name is theirs, and the name before we say that it is done. */
static void synced_in_order(void **state)
{
    (void)state;
    assert_int_equal(write_serial(folder, 1), 0);
    assert_string_equal(steps, "frd");
    failing_step = 'f';
    assert_int_equal(write_serial(folder, 2), -EIO);
    failing_step = 'r';
    assert_int_equal(write_serial(folder, 3), -EIO);
    assert_string_equal(steps, "frdffr");
    assert_int_equal(load_serial(), 1);
    assert_int_equal(count_files(), 1);
    failing_step = 'd'; /* it is there, but for how long? */
    assert_int_equal(write_serial(folder, 4), -EIO);
    assert_int_equal(load_serial(), 4);
}

static void full_disk_keeps_the_old_one(void **state)
{
    char block[4096] = {0};
    int fd;

    (void)state;
    assert_int_equal(write_serial(folder, 1), 0);
    fd = open(path("ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof block) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(write_serial(folder, 2), -ENOSPC);
    assert_int_equal(load_serial(), 1);
    assert_int_equal(count_files(), 2); /* nothing half-written */
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    assert_int_equal(write_serial(folder, 3), 0);
    assert_int_equal(load_serial(), 3);
}

/* A text that begins to fit is torn on the way: that file must not become the journal. */
static void disk_that_fills_up_while_writing(void **state)
{
    size_t length = 1 << 20;
    char *text = malloc(length);

    (void)state;
    memset(text, 'x', length);
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(journal_replace(folder, text, length), -ENOSPC);
    assert_int_equal(load_serial(), 1);
    assert_int_equal(count_files(), 1);
    free(text);
}

static void read_only_disk(void **state)
{
    (void)state;
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(mount("", folder, "", MS_REMOUNT | MS_RDONLY, ""), 0);
    assert_int_equal(write_serial(folder, 2), -EROFS);
    assert_int_equal(load_serial(), 1);
    assert_int_equal(mount("", folder, "", MS_REMOUNT, ""), 0);
    assert_int_equal(write_serial(folder, 3), 0);
    assert_int_equal(load_serial(), 3);
}

/* A folder that comes later is found, by the same writer. */
static void missing_folder(void **state)
{
    struct journal_writer *writer;
    struct journal journal;
    size_t length;
    char state_folder[128];
    char *text = numbered(2, &length);

    (void)state;
    strcpy(state_folder, path("state"));
    assert_int_equal(journal_load(state_folder, &journal), -ENOENT);
    assert_int_equal(write_serial(state_folder, 1), -ENOENT);
    assert_int_equal(journal_writer_open(&writer, state_folder), 0);
    assert_int_equal(mkdir(state_folder, 0700), 0);
    journal_writer_submit(writer, text, length);
    journal_writer_close(writer);
    assert_int_equal(journal_load(state_folder, &journal), 0);
    assert_int_equal(journal.serial, 2);
    journal_free(&journal);
}

static void file_in_place_of_the_folder(void **state)
{
    struct journal journal;
    char state_folder[128];

    (void)state;
    put_file("state", "", 0);
    strcpy(state_folder, path("state"));
    assert_int_equal(journal_load(state_folder, &journal), -ENOTDIR);
    assert_int_equal(write_serial(state_folder, 1), -ENOTDIR);
}

static void fifo_in_its_place(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path(JOURNAL_NAME), 0600), 0);
    assert_int_equal(load_serial(), -EMEDIUMTYPE); /* and does not wait for a writer */
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(load_serial(), 1);
}

/* Neither what is read nor what is written goes where a link points to. */
static void link_in_its_place(void **state)
{
    char place[128], target[128];
    struct stat status;

    (void)state;
    strcpy(place, path(JOURNAL_NAME));
    strcpy(target, path("elsewhere"));
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(rename(place, target), 0);
    assert_int_equal(symlink(target, place), 0);
    assert_int_equal(load_serial(), -EMEDIUMTYPE);
    assert_int_equal(write_serial(folder, 2), 0);
    assert_int_equal(load_serial(), 2);
    assert_int_equal(lstat(place, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(rename(target, place), 0);
    assert_int_equal(load_serial(), 1);
}

static void folder_in_its_place(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path(JOURNAL_NAME), 0700), 0);
    assert_int_equal(load_serial(), -EMEDIUMTYPE);
    assert_int_equal(write_serial(folder, 1), -EISDIR);
    assert_int_equal(count_files(), 1);
}

static void huge_file_is_not_read(void **state)
{
    (void)state;
    put_file(JOURNAL_NAME, "standin journal 1\n", 18);
    assert_int_equal(truncate(path(JOURNAL_NAME), (off_t)JOURNAL_BYTES_MAX + 1), 0);
    assert_int_equal(load_serial(), -EFBIG);
    assert_int_equal(truncate(path(JOURNAL_NAME), (off_t)1 << 40), 0);
    assert_int_equal(load_serial(), -EFBIG);
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(load_serial(), 1);
}

static void torn_foreign_and_outdated_files(void **state)
{
    size_t length;
    char *text = numbered(1, &length);

    (void)state;
    put_file(JOURNAL_NAME, "", 0);
    assert_int_equal(load_serial(), -EBADMSG);
    put_file(JOURNAL_NAME, text, length / 2);
    assert_int_equal(load_serial(), -EBADMSG);
    put_file(JOURNAL_NAME, "[section]\n", 10);
    assert_int_equal(load_serial(), -EMEDIUMTYPE);
    put_file(JOURNAL_NAME, "standin journal 0\n", 18);
    assert_int_equal(load_serial(), -ENOTSUP);
    put_file(JOURNAL_NAME, text, length);
    assert_int_equal(load_serial(), 1);
    free(text);
}

static void files_that_others_may_write(void **state)
{
    (void)state;
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(chmod(path(JOURNAL_NAME), 0620), 0);
    assert_int_equal(load_serial(), -EPERM);
    assert_int_equal(chmod(path(JOURNAL_NAME), 0602), 0);
    assert_int_equal(load_serial(), -EPERM);
    assert_int_equal(chmod(path(JOURNAL_NAME), 0644), 0);
    assert_int_equal(load_serial(), 1);
    assert_int_equal(chown(path(JOURNAL_NAME), 12345, 0), 0);
    assert_int_equal(load_serial(), -EPERM);
}

static void leftovers_go_and_other_files_stay(void **state)
{
    static const char *const others[] = {
        "journal.new", "journal.new-", "journal.new-x", "journal.new-12x", "journal.old", "other.new-12", "12",
    };
    const int n = sizeof others / sizeof *others;
    struct journal_writer *writer;

    (void)state;
    for (int i = 0; i < n; i++)
        put_file(others[i], "", 0);
    put_file("journal.new-12", "torn", 4);
    assert_int_equal(symlink("12", path("journal.new-13")), 0);
    put_file("journal.new-4294967296", "torn", 4);
    assert_int_equal(mkdir(path("journal.new-14"), 0700), 0); /* stays, and does no harm */
    assert_int_equal(journal_writer_open(&writer, folder), 0);
    journal_writer_close(writer);
    for (int i = 0; i < n; i++)
        assert_int_equal(access(path(others[i]), F_OK), 0);
    assert_int_equal(count_files(), n + 1);
}

/* One of our own that could not be removed then does not hinder us now. */
static void own_leftover_is_no_hindrance(void **state)
{
    char name[64];
    size_t length;
    char *text = numbered(1, &length);

    (void)state;
    snprintf(name, sizeof name, "journal.new-%ld", (long)getpid());
    put_file(name, "torn", 4);
    assert_int_equal(journal_replace(folder, text, length), 0);
    assert_int_equal(load_serial(), 1);
    assert_int_equal(count_files(), 1);
    free(text);
}

/* Writes journals, counting on from `serial`, until it is killed; a byte in `pipe_fd` after the first. */
static void write_for_ever(uint64_t serial, int pipe_fd)
{
    for (uint64_t i = serial;; i++) {
        size_t length;
        char *text = numbered(i, &length);

        if (journal_replace(folder, text, length) < 0 || (i == serial && write(pipe_fd, "", 1) != 1))
            _exit(1);
        free(text);
    }
}

/* Killed at any moment, there is a whole journal, and none older than what was known to be written. */
static void killed_while_writing(void **state)
{
    uint64_t seed = sample_seed();
    int64_t serial = 0;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    for (int i = 0; i < 20; i++) {
        struct timespec pause = {.tv_nsec = (long)(next_random(&seed) % 5000000)};
        int status;
        char byte;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            write_for_ever((uint64_t)serial + 1, fds[1]);
        assert_int_equal(poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, PATIENCE_MS), 1);
        assert_int_equal(read(fds[0], &byte, 1), 1);
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_true(load_serial() > serial);
        serial = load_serial();
    }
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(write_serial(folder, 1), 0);
    assert_int_equal(count_files(), 1);
}

static void no_descriptor_is_lost(void **state)
{
    int before, after;

    (void)state;
    assert_int_equal(write_serial(folder, 1), 0);
    before = dup(0);
    close(before);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(write_serial(folder, 1), 0);
        assert_int_equal(load_serial(), 1);
        assert_int_equal(write_serial("/nonexistent", 1), -ENOENT);
    }
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

static void boot_id_is_the_kernels(void **state)
{
    char id[JOURNAL_BOOT_ID], again[JOURNAL_BOOT_ID];

    (void)state;
    assert_int_equal(journal_boot_id(id), 0);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
    assert_int_equal(journal_boot_id(again), 0);
    assert_string_equal(id, again);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(written_and_loaded),
        TEST(synced_in_order),
        TEST(full_disk_keeps_the_old_one),
        TEST(disk_that_fills_up_while_writing),
        TEST(read_only_disk),
        TEST(missing_folder),
        TEST(file_in_place_of_the_folder),
        TEST(fifo_in_its_place),
        TEST(link_in_its_place),
        TEST(folder_in_its_place),
        TEST(huge_file_is_not_read),
        TEST(torn_foreign_and_outdated_files),
        TEST(files_that_others_may_write),
        TEST(leftovers_go_and_other_files_stay),
        TEST(own_leftover_is_no_hindrance),
        TEST(killed_while_writing),
        TEST(no_descriptor_is_lost),
        cmocka_unit_test(boot_id_is_the_kernels),
    };

    /* Mounts of our own, which go with us. */
    if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, "") < 0) {
        print_error("needs root: these tests mount disks of their own\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
