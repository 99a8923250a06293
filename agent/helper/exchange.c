/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 1035 section 4.2.2: over TCP the length comes first. */
#define LENGTH_BYTES 2

static socklen_t socket_address(const struct ip_address *ip, uint16_t port, struct sockaddr_storage *ret)
{
    if (ip->family == AF_INET) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

        memcpy(&to.sin_addr, ip->bytes, sizeof to.sin_addr);
        memcpy(ret, &to, sizeof to);
        return sizeof to;
    }
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    memcpy(&to.sin6_addr, ip->bytes, sizeof to.sin6_addr);
    memcpy(ret, &to, sizeof to);
    return sizeof to;
}

static int watch(const struct exchange *exchange, int operation)
{
    struct epoll_event event = {.events = exchange->sent < exchange->n_out ? EPOLLOUT : EPOLLIN,
                                .data.u32 = exchange->number};

    return epoll_ctl(exchange->epoll, operation, exchange->fd, &event) < 0 ? -errno : 0;
}

static int keep_outgoing(struct exchange *exchange, const uint8_t *wire, size_t length)
{
    exchange->out = malloc(LENGTH_BYTES + length);
    if (!exchange->out)
        return -ENOMEM;
    exchange->out[0] = (uint8_t)(length >> 8);
    exchange->out[1] = (uint8_t)length;
    memcpy(exchange->out + LENGTH_BYTES, wire, length);
    exchange->n_out = LENGTH_BYTES + length;
    return 0;
}

static int begin(struct exchange *exchange, const struct ip_address *server, uint16_t port, const uint8_t *wire,
                 size_t length)
{
    struct sockaddr_storage to;
    socklen_t size = socket_address(server, port, &to);

    exchange->room = LENGTH_BYTES + UINT16_MAX;
    exchange->in = malloc(exchange->room);
    if (!exchange->in || (exchange->tcp && keep_outgoing(exchange, wire, length) < 0))
        return -ENOMEM;
    exchange->fd = socket(server->family, (exchange->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (exchange->fd < 0 || (connect(exchange->fd, (const struct sockaddr *)&to, size) < 0 && errno != EINPROGRESS))
        return -errno;
    if (!exchange->tcp && send(exchange->fd, wire, length, MSG_NOSIGNAL) < 0)
        return -errno;
    return watch(exchange, EPOLL_CTL_ADD);
}

int exchange_begin(struct exchange *exchange, const struct ip_address *server, uint16_t port, bool tcp,
                   const uint8_t *wire, size_t length)
{
    int r;

    exchange_end(exchange);
    exchange->tcp = tcp || length > EXCHANGE_UDP_MAX;
    r = begin(exchange, server, port, wire, length);
    if (r < 0)
        exchange_end(exchange);
    return r;
}

static int on_writable(struct exchange *exchange)
{
    ssize_t n = send(exchange->fd, exchange->out + exchange->sent, exchange->n_out - exchange->sent, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    exchange->sent += (size_t)n;
    return exchange->sent == exchange->n_out ? watch(exchange, EPOLL_CTL_MOD) : 0;
}

static int read_stream(struct exchange *exchange, const uint8_t **ret, size_t *ret_length)
{
    size_t length;
    ssize_t n = recv(exchange->fd, exchange->in + exchange->n_in, exchange->room - exchange->n_in, 0);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    exchange->n_in += (size_t)n;
    if (exchange->n_in < LENGTH_BYTES)
        return 0;
    length = (size_t)exchange->in[0] << 8 | exchange->in[1];
    if (exchange->n_in < LENGTH_BYTES + length)
        return 0;
    *ret = exchange->in + LENGTH_BYTES;
    *ret_length = length;
    return 1;
}

int exchange_on_ready(struct exchange *exchange, const uint8_t **ret, size_t *ret_length)
{
    ssize_t n;

    if (exchange->sent < exchange->n_out)
        return on_writable(exchange);
    if (exchange->tcp)
        return read_stream(exchange, ret, ret_length);
    n = recv(exchange->fd, exchange->in, exchange->room, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    *ret = exchange->in;
    *ret_length = (size_t)n;
    return 1;
}

void exchange_end(struct exchange *exchange)
{
    if (exchange->fd >= 0)
        close(exchange->fd);
    free(exchange->out);
    free(exchange->in);
    *exchange = (struct exchange){.fd = -EBADF, .epoll = exchange->epoll, .number = exchange->number};
}
