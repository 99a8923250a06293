/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/effects/journal.h"

/* An unfinished file: this and the process that writes it, so that two never write into one. */
#define UNFINISHED JOURNAL_NAME ".new-"

static void cleanup_folder(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

static int open_folder(const char *state)
{
    int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        length -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int make_file(int folder, const char *name, const char *text, size_t length)
{
    CLEANUP_CLOSE int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    return fd < 0 ? -errno : write_all(fd, text, length);
}

int journal_replace(const char *state, const char *text, size_t length)
{
    CLEANUP_CLOSE int folder = open_folder(state);
    char name[sizeof UNFINISHED + 20];
    int r;

    if (folder < 0)
        return folder;
    snprintf(name, sizeof name, UNFINISHED "%ld", (long)getpid());
    /* An earlier attempt could not remove its own where the disk went read-only under it. */
    unlinkat(folder, name, 0);
    r = make_file(folder, name, text, length);
    if (r == 0 && renameat(folder, name, folder, JOURNAL_NAME) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(folder, name, 0);
        return r;
    }
    /* Only now does a power cut keep the new name. */
    return fsync(folder) < 0 ? -errno : 0;
}

void journal_sweep(const char *state)
{
    CLEANUP(cleanup_folder) DIR *folder = opendir(state);
    const struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        const char *process = entry->d_name + strlen(UNFINISHED);

        if (strncmp(entry->d_name, UNFINISHED, strlen(UNFINISHED)) == 0 && *process != '\0' &&
            process[strspn(process, "0123456789")] == '\0')
            unlinkat(dirfd(folder), entry->d_name, 0);
    }
}
