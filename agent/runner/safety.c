/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runner/safety.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/cleanup.h"

/* As many as the kernel follows. */
#define LINKS_MAX 40
#define FD_PATH "/proc/self/fd/%d"

struct walk {
    int dir;             /* where we are */
    char rest[PATH_MAX]; /* what is left to walk */
    unsigned links;      /* followed so far */
    char *why;           /* SAFETY_WHY bytes */
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct walk *walk, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(walk->why, SAFETY_WHY, format, arguments);
    va_end(arguments);
    return error;
}

/* The path of what the descriptor is of. */
static const char *name_of(int fd, char name[static PATH_MAX])
{
    char link[sizeof FD_PATH + 16];
    ssize_t length;

    snprintf(link, sizeof link, FD_PATH, fd);
    length = readlink(link, name, PATH_MAX - 1);
    if (length < 0)
        return "?";
    name[length] = '\0';
    return name;
}

/* Whether it is root's alone. Who may write a link is who may write its folder. */
static int judge(const struct walk *walk, int fd, const struct stat *status)
{
    char name[PATH_MAX];

    if (status->st_uid != 0)
        return refuse(walk, -EPERM, "%.400s is owned by uid %u, not by root", name_of(fd, name), status->st_uid);
    if (S_ISLNK(status->st_mode) || !(status->st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    return refuse(walk, -EPERM, "%.400s may be written by %s", name_of(fd, name),
                  status->st_mode & S_IWOTH ? "others" : "its group");
}

static int judge_program(const struct walk *walk, int fd, const struct stat *status)
{
    char name[PATH_MAX];

    if (!S_ISREG(status->st_mode))
        return refuse(walk, -EPERM, "%.400s is not a file", name_of(fd, name));
    if (!(status->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return refuse(walk, -EPERM, "%.400s is not executable", name_of(fd, name));
    return 0;
}

/* Takes the first part off the rest: 1; 0 where nothing is left; negative errno. */
static int next_part(struct walk *walk, char part[static NAME_MAX + 1])
{
    const char *start = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(start, "/");

    if (length > NAME_MAX)
        return refuse(walk, -ENAMETOOLONG, "%.400s: %s", start, strerror(ENAMETOOLONG));
    memcpy(part, start, length);
    part[length] = '\0';
    memmove(walk->rest, start + length, strlen(start + length) + 1);
    return length > 0;
}

static int enter(struct walk *walk, int fd)
{
    struct stat status;

    if (walk->dir >= 0)
        close(walk->dir);
    walk->dir = fd;
    if (fd < 0 || fstat(fd, &status) < 0)
        return refuse(walk, -errno, "cannot walk the path: %s", strerror(errno));
    return judge(walk, fd, &status);
}

/* What the link says stands before the rest from now on. */
static int follow(struct walk *walk, int link)
{
    char name[PATH_MAX], target[PATH_MAX];
    ssize_t length = readlinkat(link, "", target, sizeof target);
    size_t rest = strlen(walk->rest);

    if (length < 0)
        return refuse(walk, -errno, "%.400s: %s", name_of(link, name), strerror(errno));
    if (++walk->links > LINKS_MAX)
        return refuse(walk, -ELOOP, "%.400s: %s", name_of(link, name), strerror(ELOOP));
    if ((size_t)length + rest + 1 > sizeof walk->rest)
        return refuse(walk, -ENAMETOOLONG, "%.400s: %s", name_of(link, name), strerror(ENAMETOOLONG));
    memmove(walk->rest + length, walk->rest, rest + 1);
    memcpy(walk->rest, target, (size_t)length);
    return length > 0 && target[0] == '/' ? enter(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

/* One part further. 1: that was the program, whose descriptor is *ret. */
static int step(struct walk *walk, const char *part, int *ret)
{
    CLEANUP_CLOSE int fd = openat(walk->dir, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char name[PATH_MAX];
    struct stat status;
    int r;

    if (fd < 0 || fstat(fd, &status) < 0) {
        r = -errno;
        return refuse(walk, r, "%.200s in %.200s: %s", part, name_of(walk->dir, name), strerror(-r));
    }
    r = judge(walk, fd, &status);
    if (r < 0)
        return r;
    if (S_ISLNK(status.st_mode))
        return follow(walk, fd);
    if (S_ISDIR(status.st_mode))
        return enter(walk, TAKE_FD(fd));
    if (walk->rest[0] != '\0')
        return refuse(walk, -ENOTDIR, "%.400s: %s", name_of(fd, name), strerror(ENOTDIR));
    r = judge_program(walk, fd, &status);
    if (r < 0)
        return r;
    *ret = TAKE_FD(fd);
    return 1;
}

int safety_open(const char *path, char ret_why[static SAFETY_WHY])
{
    struct walk walk = {.dir = -EBADF, .why = ret_why};
    char part[NAME_MAX + 1];
    int r, fd = -EBADF;

    if (path[0] != '/' || strlen(path) >= sizeof walk.rest)
        return refuse(&walk, -EINVAL, "%.400s is no absolute path", path);
    memcpy(walk.rest, path, strlen(path) + 1);
    r = enter(&walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    while (r == 0) {
        r = next_part(&walk, part);
        if (r == 0)
            r = refuse(&walk, -EISDIR, "%.400s: %s", path, strerror(EISDIR));
        else if (r > 0)
            r = step(&walk, part, &fd);
    }
    if (walk.dir >= 0)
        close(walk.dir);
    return r < 0 ? r : fd;
}
