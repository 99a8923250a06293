/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/cleanup.h"

#define LOCK_TRIES 3
#define LOCK_PAUSE_US 2000

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

/* Reads until `room` bytes are there or the file ends. */
static int read_up_to(int fd, char *bytes, size_t room, size_t *ret_length)
{
    size_t length = 0;

    while (length < room) {
        ssize_t n = read(fd, bytes + length, room - length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        length += (size_t)n;
    }
    *ret_length = length;
    return 0;
}

/* O_NONBLOCK: opening a FIFO or a device must not hang. A link is not followed. */
static int open_journal(const char *state)
{
    CLEANUP_CLOSE int folder = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (folder < 0)
        return -errno;
    fd = openat(folder, JOURNAL_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -EMEDIUMTYPE : -errno;
    return fd;
}

/* What stands in it becomes addresses of this host: nobody else may have written it. */
static int check_file(const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return -EMEDIUMTYPE;
    if (status->st_uid != geteuid() || (status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return -EPERM;
    return status->st_size > (off_t)JOURNAL_BYTES_MAX ? -EFBIG : 0;
}

int journal_set_aside(const char *state)
{
    CLEANUP_CLOSE int folder = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0 || renameat(folder, JOURNAL_NAME, folder, JOURNAL_ASIDE) < 0)
        return -errno;
    return 0;
}

/* Who ends may hold it for a moment still. */
static int take_lock(int fd)
{
    for (int try = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; try++) {
        if (errno != EWOULDBLOCK)
            return -errno;
        if (try == LOCK_TRIES)
            return -EBUSY;
        usleep(LOCK_PAUSE_US);
    }
    return 0;
}

int journal_lock(const char *state, int *ret)
{
    CLEANUP_CLOSE int fd = -EBADF;
    int r;

    fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (mkdir(state, 0700) < 0)
            return -errno;
        fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return -errno;
    r = take_lock(fd);
    if (r < 0)
        return r;
    *ret = TAKE_FD(fd);
    return 0;
}

int journal_load(const char *state, struct journal *ret)
{
    CLEANUP_CLOSE int fd = open_journal(state);
    CLEANUP_FREE char *text = NULL;
    struct stat status;
    size_t length = 0;
    int r;

    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return -errno;
    r = check_file(&status);
    if (r < 0)
        return r;
    text = malloc((size_t)status.st_size + 1);
    if (!text)
        return -ENOMEM;
    r = read_up_to(fd, text, (size_t)status.st_size, &length);
    if (r < 0)
        return r;
    return journal_decode(text, length, ret);
}

int journal_boot_id(char ret[static JOURNAL_BOOT_ID])
{
    CLEANUP_CLOSE int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
    char text[JOURNAL_BOOT_ID + 1];
    size_t length = 0;
    int r;

    if (fd < 0)
        return -errno;
    r = read_up_to(fd, text, sizeof text, &length);
    if (r < 0)
        return r;
    /* As text it is one byte shorter than with its NUL, and a newline stands there. */
    if (length != JOURNAL_BOOT_ID || text[JOURNAL_BOOT_ID - 1] != '\n')
        return -EBADMSG;
    text[JOURNAL_BOOT_ID - 1] = '\0';
    memcpy(ret, text, JOURNAL_BOOT_ID);
    return 0;
}
