/* SPDX-License-Identifier: Apache-2.0 */
/* The place where clients call: its lock, its permissions, and what stood there before. */
#pragma once

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct control_listener {
    int fd;                     /* listening socket, non-blocking */
    int lock_fd;                /* locked as long as we listen */
    struct sockaddr_un address; /* the path */
    dev_t device;               /* of the socket file, with inode: */
    ino_t inode;                /* only our own is removed at the end */
};

/* -EINVAL for an empty path, -ENAMETOOLONG where the kernel has no room for it. */
static inline int control_socket_address(const char *path, struct sockaddr_un *ret)
{
    size_t length = strlen(path);

    if (length == 0)
        return -EINVAL;
    if (length >= sizeof ret->sun_path)
        return -ENAMETOOLONG;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, path, length);
    return 0;
}

/* As control_server_open says. */
int control_listener_open(struct control_listener *ret, const char *path, const char *group);
void control_listener_close(struct control_listener *listener);
