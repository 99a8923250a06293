/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/cleanup.h"

static int refuse(char reason[static FILES_REASON], const char *what, int error)
{
    snprintf(reason, FILES_REASON, "%s%s%s", what, error ? ": " : "", error ? strerrordesc_np(error) : "");
    return -EINVAL;
}

/* What a file may be, and how a message says that it is not. */
struct kind {
    bool secret;
    const char *too_large;
};

static const struct kind ipmap_kind = {.too_large = "makes the ipmap larger than 16 MiB"};
static const struct kind secret_kind = {.secret = true, .too_large = "is too large for a file with a key"};

/* Whoever may write the file may take any address of the LAN: when root reads it, that must be root alone. */
static int check_safety(const struct stat *status, const struct kind *kind, size_t max,
                        char reason[static FILES_REASON])
{
    if (S_ISDIR(status->st_mode))
        return refuse(reason, "is a directory; a regular file was expected", 0);
    if (!S_ISREG(status->st_mode))
        return refuse(reason, "is no regular file", 0);
    if ((uintmax_t)status->st_size > max)
        return refuse(reason, kind->too_large, 0);
    if (kind->secret && status->st_mode & (S_IRWXG | S_IRWXO))
        return refuse(reason, "holds a secret that its group or others may read; chmod 600", 0);
    if (geteuid() != 0)
        return 0;
    if (status->st_uid != 0)
        return refuse(reason, "belongs to another user; root must own it", 0);
    if (status->st_mode & (S_IWGRP | S_IWOTH))
        return refuse(reason, "is writable by group or others; chmod go-w", 0);
    return 0;
}

/* Reads until the end, which need not be where st_size said: the file may be written at this moment. */
static int read_all(int fd, const struct kind *kind, size_t max, size_t expected, struct file_text *ret,
                    char reason[static FILES_REASON])
{
    CLEANUP_FREE char *text = NULL;
    size_t length = 0, room = expected + 1;

    for (;;) {
        char *larger = realloc(text, room + 2);
        ssize_t n;

        if (!larger)
            return -ENOMEM;
        text = larger;
        n = read(fd, text + length, room - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(reason, "cannot be read", errno);
        if (n == 0)
            break;
        length += (size_t)n;
        if (length > max)
            return refuse(reason, kind->too_large, 0);
        if (length == room)
            room *= 2;
    }
    memset(text + length, 0, 2);
    ret->text = TAKE_POINTER(text);
    ret->length = length;
    return 0;
}

static int read_kind(const char *path, const struct kind *kind, size_t max, struct file_text *ret,
                     char reason[static FILES_REASON])
{
    /* O_NONBLOCK: opening a FIFO or a device must not hang. */
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    int r;

    if (fd < 0) {
        refuse(reason, "cannot be opened", errno);
        return kind->secret ? -ENOENT : -EINVAL;
    }
    if (fstat(fd, &status) < 0)
        return refuse(reason, "cannot be read", errno);
    r = check_safety(&status, kind, max, reason);
    if (r < 0)
        return r;
    r = read_all(fd, kind, max, (size_t)status.st_size, ret, reason);
    if (r < 0)
        return r;
    ret->device = status.st_dev;
    ret->inode = status.st_ino;
    return 0;
}

int files_read(const char *path, size_t max, struct file_text *ret, char reason[static FILES_REASON])
{
    return read_kind(path, &ipmap_kind, max, ret, reason);
}

int files_read_secret(const char *path, size_t max, struct file_text *ret, char reason[static FILES_REASON])
{
    return read_kind(path, &secret_kind, max, ret, reason);
}

/* A folder that is not there holds no files; one that cannot be read may. */
static int glob_error(const char *path, int error)
{
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int files_glob(const char *pattern, struct file_names *ret, char reason[static FILES_REASON])
{
    struct file_names names = {0};
    glob_t found = {0};
    int r;

    errno = 0;
    r = glob(pattern, GLOB_NOSORT, glob_error, &found);
    if (r == 0) {
        names.n = found.gl_pathc;
        names.list = calloc(names.n, sizeof *names.list);
        r = names.list ? 0 : GLOB_NOSPACE;
    }
    for (size_t i = 0; r == 0 && i < names.n; i++) {
        names.list[i] = strdup(found.gl_pathv[i]);
        r = names.list[i] ? 0 : GLOB_NOSPACE;
    }
    globfree(&found);
    if (r == 0)
        qsort(names.list, names.n, sizeof *names.list, compare_names); /* by bytes, whatever the locale */
    if (r == 0 || r == GLOB_NOMATCH) {
        *ret = names;
        return 0;
    }
    files_names_free(&names);
    /* A folder that could not be opened for want of memory is said to be aborted, too. */
    return r == GLOB_NOSPACE || errno == ENOMEM ? -ENOMEM : refuse(reason, "names a folder that cannot be read", 0);
}

void files_names_free(struct file_names *names)
{
    for (size_t i = 0; names->list && i < names->n; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct file_names){0};
}
