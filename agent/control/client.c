/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/control/listen.h"

#define READ_BYTES_MIN 65536
/* Between two tries to connect while the agent's queue is full. */
#define RETRY_NS (10 * NSEC_PER_MSEC)

/* What has come of an answer. */
struct answer {
    char *bytes;   /* owned */
    size_t length; /* received */
    size_t room;   /* allocated */
};

static void cleanup_answer(struct answer *answer)
{
    free(answer->bytes);
}

static nsec_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Waits for `events`; an end of the connection counts as well, the next call on it tells which. */
static int wait_for(int fd, short events, nsec_t deadline_ns)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    for (;;) {
        nsec_t left_ns = deadline_ns - monotonic_ns();
        struct timespec left = {.tv_sec = left_ns / NSEC_PER_SEC, .tv_nsec = left_ns % NSEC_PER_SEC};
        int n = left_ns > 0 ? ppoll(&poll_fd, 1, &left, NULL) : 0;

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int connect_to(const char *path, nsec_t deadline_ns, int *ret)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const struct timespec pause = {.tv_nsec = RETRY_NS};
    struct sockaddr_un address;
    int r = control_socket_address(path, &address);

    if (r < 0)
        return r;
    if (fd < 0)
        return -errno;
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        if (monotonic_ns() >= deadline_ns)
            return -ETIMEDOUT;
        nanosleep(&pause, NULL);
    }
    *ret = TAKE_FD(fd);
    return 0;
}

static int send_all(int fd, const char *bytes, size_t length, nsec_t deadline_ns)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

        if (n >= 0) {
            bytes += n;
            length -= (size_t)n;
            continue;
        }
        /* An agent that turns us away answers and closes without reading: its answer is there to be read. */
        if (errno == EPIPE || errno == ECONNRESET)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int r = wait_for(fd, POLLOUT, deadline_ns);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Reads what is there. 1: the line is whole, 0: more is to come. */
static int receive(int fd, struct answer *answer)
{
    ssize_t n;

    if (answer->room - answer->length < READ_BYTES_MIN) {
        size_t room = answer->room ? 2 * answer->room : READ_BYTES_MIN;
        char *bytes = room <= CONTROL_ANSWER_MAX ? realloc(answer->bytes, room) : NULL;

        if (!bytes)
            return room <= CONTROL_ANSWER_MAX ? -ENOMEM : -EMSGSIZE;
        answer->bytes = bytes;
        answer->room = room;
    }
    n = recv(fd, answer->bytes + answer->length, answer->room - answer->length, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    answer->length += (size_t)n;
    return memchr(answer->bytes + answer->length - n, '\n', (size_t)n) ? 1 : 0;
}

static int send_request(int fd, const json_t *request, nsec_t deadline_ns)
{
    CLEANUP_FREE char *line = json_dumps(request, JSON_COMPACT);
    int r;

    if (!line)
        return -ENOMEM;
    r = send_all(fd, line, strlen(line), deadline_ns);
    return r < 0 ? r : send_all(fd, "\n", 1, deadline_ns);
}

static int read_answer(int fd, nsec_t deadline_ns, json_t **ret)
{
    CLEANUP(cleanup_answer) struct answer answer = {0};
    json_t *value;
    int r = 0;

    while (r == 0) {
        r = wait_for(fd, POLLIN, deadline_ns);
        if (r == 0)
            r = receive(fd, &answer);
    }
    if (r < 0)
        return r;
    value = json_loadb(answer.bytes, answer.length, 0, NULL);
    if (!json_is_object(value)) {
        json_decref(value);
        return -EBADMSG;
    }
    *ret = value;
    return 0;
}

int control_call(const char *path, nsec_t timeout_ns, const json_t *request, json_t **ret)
{
    CLEANUP_CLOSE int fd = -EBADF;
    nsec_t deadline_ns = monotonic_ns() + timeout_ns;
    int r = connect_to(path, deadline_ns, &fd);

    if (r < 0)
        return r;
    r = send_request(fd, request, deadline_ns);
    if (r < 0)
        return r;
    return read_answer(fd, deadline_ns, ret);
}
