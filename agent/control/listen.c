/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/listen.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/control/server.h"

#define LOCK_TRIES 3
#define LOCK_PAUSE_US 2000

/* Members of one group are all read into this; a larger group is refused, not cut. */
#define GROUP_BUFFER_BYTES 65536

static int find_group(const char *name, gid_t *ret)
{
    CLEANUP_FREE char *buffer = malloc(GROUP_BUFFER_BYTES);
    struct group entry, *found = NULL;
    int error;

    if (!buffer)
        return -ENOMEM;
    error = getgrnam_r(name, &entry, buffer, GROUP_BUFFER_BYTES, &found);
    if (error != 0)
        return -error;
    if (!found)
        return -ESRCH;
    *ret = found->gr_gid;
    return 0;
}

/* The lock file stays when we end: to remove it would let two starters lock two files of one name. */
static int take_lock(const char *path, int *ret)
{
    char name[sizeof(struct sockaddr_un) + sizeof ".lock"];
    CLEANUP_CLOSE int fd = -EBADF;

    snprintf(name, sizeof name, "%s.lock", path);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    /* A guard looks for microseconds whether somebody has the lock: that is no agent. */
    for (int try = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; try++) {
        if (errno != EWOULDBLOCK)
            return -errno;
        if (try == LOCK_TRIES)
            return -EADDRINUSE;
        usleep(LOCK_PAUSE_US);
    }
    *ret = TAKE_FD(fd);
    return 0;
}

/* Removes a socket file that nobody listens at, and nothing else. */
static int make_room(const struct sockaddr_un *address)
{
    CLEANUP_CLOSE int fd = -EBADF;
    struct stat status;

    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    /* To connect to a plain file is refused just as to a dead socket: the type must be looked at first. */
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* EAGAIN is a listener whose queue is full: alive. */
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN)
        return -EADDRINUSE;
    if (errno != ECONNREFUSED)
        return -errno;
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

/* Everything between the bind and the first client: nobody can connect before listen(). */
static int publish(int fd, const char *path, const gid_t *group)
{
    if (group && lchown(path, (uid_t)-1, *group) < 0)
        return -errno;
    if (chmod(path, group ? 0660 : 0600) < 0)
        return -errno;
    return listen(fd, CONTROL_CLIENTS_MAX) < 0 ? -errno : 0;
}

static int bind_socket(const struct sockaddr_un *address, const gid_t *group, int *ret)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (fd < 0)
        return -errno;
    /* bind() gives the file the socket's own mode less the umask, so it is never open to others, not for a moment. */
    if (fchmod(fd, 0600) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        return -errno;
    r = publish(fd, address->sun_path, group);
    if (r < 0) {
        unlink(address->sun_path);
        return r;
    }
    *ret = TAKE_FD(fd);
    return 0;
}

int control_listener_open(struct control_listener *ret, const char *path, const char *group)
{
    CLEANUP_CLOSE int fd = -EBADF, lock_fd = -EBADF;
    struct sockaddr_un address;
    struct stat status;
    gid_t gid = 0;
    int r = control_socket_address(path, &address);

    if (r < 0)
        return r;
    r = group ? find_group(group, &gid) : 0;
    if (r < 0)
        return r;
    r = take_lock(path, &lock_fd);
    if (r < 0)
        return r;
    r = make_room(&address);
    if (r < 0)
        return r;
    r = bind_socket(&address, group ? &gid : NULL, &fd);
    if (r < 0)
        return r;
    if (lstat(path, &status) < 0)
        return -errno;
    *ret = (struct control_listener){
        .fd = TAKE_FD(fd),
        .lock_fd = TAKE_FD(lock_fd),
        .address = address,
        .device = status.st_dev,
        .inode = status.st_ino,
    };
    return 0;
}

void control_listener_close(struct control_listener *listener)
{
    struct stat status;

    if (lstat(listener->address.sun_path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode)
        unlink(listener->address.sun_path);
    close(listener->fd);
    close(listener->lock_fd);
}
