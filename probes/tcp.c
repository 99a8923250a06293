/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/heap.h"

/* Ends taken from the kernel with one call. */
#define ENDS_AT_ONCE 64

struct attempt {
    int fd;           /* -1: none is under way */
    uint32_t attempt; /* how many of this id so far: what is readable may be of one that was cancelled */
    nsec_t begun_ns;
};

struct tcp_check {
    int epoll_fd;
    uint32_t max;
    struct attempt *attempts; /* by id */
    struct heap deadlines;    /* by id */
    tcp_done_fn done;
    void *userdata;
};

int tcp_check_open(struct tcp_check **ret, uint32_t max, tcp_done_fn done, void *userdata)
{
    struct tcp_check *check = calloc(1, sizeof *check);
    struct heap_entry *entries = calloc(max + 1, sizeof *entries);
    uint32_t *positions = calloc(max + 1, sizeof *positions);
    int r = -ENOMEM;

    if (check)
        check->attempts = calloc(max + 1, sizeof *check->attempts);
    if (!check || !entries || !positions || !check->attempts)
        goto fail;
    check->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (check->epoll_fd < 0) {
        r = -errno;
        goto fail;
    }
    check->max = max;
    check->done = done;
    check->userdata = userdata;
    heap_init(&check->deadlines, entries, positions, max);
    for (uint32_t i = 0; i < max; i++)
        check->attempts[i].fd = -1;
    *ret = check;
    return 0;
fail:
    if (check)
        free(check->attempts);
    free(check);
    free(entries);
    free(positions);
    return r;
}

void tcp_check_close(struct tcp_check *check)
{
    if (!check)
        return;
    for (uint32_t i = 0; i < check->max; i++)
        tcp_check_cancel(check, i);
    close(check->epoll_fd);
    free(check->deadlines.entries);
    free(check->deadlines.positions);
    free(check->attempts);
    free(check);
}

int tcp_check_fd(const struct tcp_check *check)
{
    return check->epoll_fd;
}

void tcp_check_cancel(struct tcp_check *check, uint32_t id)
{
    struct attempt *a = &check->attempts[id];

    if (a->fd < 0)
        return;
    close(a->fd); /* which takes it out of the epoll set */
    a->fd = -1;
    heap_set(&check->deadlines, id, NSEC_NEVER);
}

static socklen_t socket_address(const struct ip_address *ip, uint16_t port, int ifindex, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->ss_family = ip->family;
    if (ip->family == AF_INET6) {
        struct sockaddr_in6 *to = (struct sockaddr_in6 *)ret;

        memcpy(&to->sin6_addr, ip->bytes, 16);
        to->sin6_port = htons(port);
        to->sin6_scope_id = ip_address_is_link_local(ip) ? (uint32_t)ifindex : 0;
        return sizeof *to;
    }
    memcpy(&((struct sockaddr_in *)ret)->sin_addr, ip->bytes, 4);
    ((struct sockaddr_in *)ret)->sin_port = htons(port);
    return sizeof(struct sockaddr_in);
}

/* A socket that asks from where the request says, or negative errno. */
static int open_socket(const struct tcp_request *request)
{
    struct sockaddr_storage from;
    static const int yes = 1;
    int fd = socket(request->to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r = 0;

    if (fd < 0)
        return -errno;
    if (request->ifindex > 0)
        r = setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &request->ifindex, sizeof request->ifindex);
    if (r == 0 && request->from.family != AF_UNSPEC) {
        /* The port is chosen with the connection: one of each destination, not one of this host. */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        r = bind(fd, (struct sockaddr *)&from, socket_address(&request->from, 0, request->ifindex, &from));
    }
    if (r == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

/*
 * What an error of connect() says. That there is no way to the host is its fault when the network says so, and ours
 * where our own routes do (`at_once`). RFC 9293 section 3.10.7.3: a reset refuses.
 */
static enum tcp_outcome outcome_of(int error, bool at_once)
{
    switch (error) {
    case 0:
        return TCP_CONNECTED;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EPIPE:
    case EPROTO:
        return TCP_REFUSED;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENOPROTOOPT:
        return at_once ? TCP_UNABLE : TCP_REFUSED;
    default:
        return TCP_UNABLE;
    }
}

int tcp_check_begin(struct tcp_check *check, nsec_t now_ns, uint32_t id, const struct tcp_request *request)
{
    struct attempt *a = &check->attempts[id];
    struct sockaddr_storage to;
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = (uint64_t)(a->attempt + 1) << 32 | id};
    int error = 0, fd;

    if (a->fd >= 0)
        return -EALREADY;
    fd = open_socket(request);
    if (fd < 0) {
        check->done(check->userdata, id, TCP_UNABLE, fd, 0);
        return 0;
    }
    if (connect(fd, (struct sockaddr *)&to, socket_address(&request->to, request->port, request->ifindex, &to)) < 0)
        error = errno;
    if (error == 0 || error == EINPROGRESS)
        error = epoll_ctl(check->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? errno : 0;
    if (error) {
        close(fd);
        check->done(check->userdata, id, outcome_of(error, true), -error, 0);
        return 0;
    }
    *a = (struct attempt){.fd = fd, .attempt = a->attempt + 1, .begun_ns = now_ns};
    heap_set(&check->deadlines, id, now_ns + request->timeout_ns);
    return 0;
}

static void end(struct tcp_check *check, nsec_t now_ns, uint32_t id, int error)
{
    nsec_t took_ns = now_ns - check->attempts[id].begun_ns;

    tcp_check_cancel(check, id);
    check->done(check->userdata, id, outcome_of(error, false), -error, took_ns);
}

/* Of the attempt that ended: 0 or its errno. */
static int error_of(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

void tcp_check_on_readable(struct tcp_check *check, nsec_t now_ns, unsigned limit)
{
    struct epoll_event events[ENDS_AT_ONCE];
    int n = ENDS_AT_ONCE;

    while (limit > 0 && n == ENDS_AT_ONCE) {
        n = epoll_wait(check->epoll_fd, events, limit < ENDS_AT_ONCE ? (int)limit : ENDS_AT_ONCE, 0);
        for (int i = 0; i < n; i++) {
            uint32_t id = (uint32_t)events[i].data.u64;

            /* `done` may have cancelled it, and begun another. */
            if (check->attempts[id].fd >= 0 && check->attempts[id].attempt == events[i].data.u64 >> 32)
                end(check, now_ns, id, error_of(check->attempts[id].fd));
        }
        limit -= n > 0 ? (unsigned)n : 0;
    }
}

nsec_t tcp_check_deadline(const struct tcp_check *check)
{
    return heap_first(&check->deadlines, NULL);
}

void tcp_check_on_time(struct tcp_check *check, nsec_t now_ns)
{
    uint32_t id;

    while (heap_first(&check->deadlines, &id) <= now_ns)
        end(check, now_ns, id, ETIMEDOUT);
}
