/* SPDX-License-Identifier: Apache-2.0 */
/* All that this folder asks of the file system. Tests put functions of their own in its place. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define FILES_REASON 128

struct file_text {
    char *text; /* to be freed; two NULs follow it */
    size_t length;
    dev_t device; /* with inode: which file it is */
    ino_t inode;
};

/*
 * Reads a regular file of at most `max` bytes. When we are root it must be root's and nobody else may write it.
 * -EINVAL with the reason in words, as in "cannot be opened: Permission denied", or -ENOMEM.
 */
int files_read(const char *path, size_t max, struct file_text *ret, char reason[static FILES_REASON]);

/*
 * Reads a regular file of at most `max` bytes that holds a secret: nobody but its owner may read or write it, and when
 * we are root that must be root. -ENOENT with the reason where it cannot be opened, -EINVAL with it, or -ENOMEM.
 */
int files_read_secret(const char *path, size_t max, struct file_text *ret, char reason[static FILES_REASON]);

/* Names of the files that fit a pattern, sorted by bytes. */
struct file_names {
    char **list;
    size_t n;
};

/* -EINVAL with the reason in words, or -ENOMEM. None that fits is no mistake. */
int files_glob(const char *pattern, struct file_names *ret, char reason[static FILES_REASON]);
void files_names_free(struct file_names *names);
