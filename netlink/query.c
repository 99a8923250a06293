/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/query.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdalign.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "agent/base/cleanup.h"
#include "agent/base/limits.h"

/* The kernel fills at most 32 KiB into a datagram of a dump. */
#define DATAGRAM_BYTES 65536
/* A dump during which the table changed may have left out an address: ask again, this often. */
#define DUMP_ATTEMPTS 4
/* Room of the receive queue. */
#define RECEIVE_BYTES (1 << 20)
/* Addresses in one answer: far more than the kernel manages in any time, and a bound on memory. */
#define ADDRESSES_MAX (4u * LIMIT_ADDRESSES)

struct query {
    struct mnl_socket *socket;
    uint32_t sequence; /* of the newest question */
    struct address_message *addresses;
    size_t n_addresses;
    size_t capacity;
    alignas(struct nlmsghdr) char buffer[DATAGRAM_BYTES];
};

/* What one answer is read into. */
struct answer {
    struct query *query;
    int ifindex;      /* of the addresses asked for; 0: any */
    unsigned setting; /* IPV4_DEVCONF_..., 0: addresses were asked for */
    uint32_t value;   /* of the setting */
    bool interrupted; /* the table changed during the dump */
    bool done;
    int error;
};

int query_socket_open(struct mnl_socket **ret, int protocol, bool blocking)
{
    struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK));
    struct timeval patience = {.tv_sec = 1};
    int on = 1, size = RECEIVE_BYTES, fd, error;

    if (!socket)
        return -errno;
    fd = mnl_socket_get_fd(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) {
        error = -errno;
        mnl_socket_close(socket);
        return error;
    }
    /* Improvements, which an old kernel or missing rights may refuse: small answers, filtered dumps, a long queue. */
    mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof on);
    mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    *ret = socket;
    return 0;
}

ssize_t query_socket_receive(const struct mnl_socket *socket, void *buffer, size_t size)
{
    struct sockaddr_nl from;
    struct iovec bytes = {.iov_base = buffer, .iov_len = size};
    struct msghdr datagram = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &bytes, .msg_iovlen = 1};
    ssize_t length;

    for (;;) {
        length = recvmsg(mnl_socket_get_fd(socket), &datagram, 0);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return -errno;
        if (datagram.msg_flags & MSG_TRUNC)
            return -EMSGSIZE;
        if (datagram.msg_namelen == sizeof from && from.nl_pid == 0)
            return length;
        datagram.msg_namelen = sizeof from;
    }
}

int query_open(struct query **ret)
{
    CLEANUP_FREE struct query *query = calloc(1, sizeof *query);
    int error;

    if (!query)
        return -ENOMEM;
    error = query_socket_open(&query->socket, NETLINK_ROUTE, true);
    if (error < 0)
        return error;
    *ret = TAKE_POINTER(query);
    return 0;
}

void query_close(struct query *query)
{
    if (!query)
        return;
    mnl_socket_close(query->socket);
    free(query->addresses);
    free(query);
}

static int append_address(struct query *query, const struct address_message *address)
{
    size_t capacity = query->capacity ? query->capacity * 2 : 256;
    struct address_message *grown;

    if (query->n_addresses == query->capacity) {
        if (query->capacity >= ADDRESSES_MAX)
            return -E2BIG;
        grown = reallocarray(query->addresses, capacity, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        query->addresses = grown;
        query->capacity = capacity;
    }
    query->addresses[query->n_addresses++] = *address;
    return 0;
}

static bool read_message(void *userdata, const struct nlmsghdr *message)
{
    struct answer *answer = userdata;
    struct address_message address;
    int result, error;

    if (message->nlmsg_seq != answer->query->sequence)
        return true;
    if (message->nlmsg_flags & NLM_F_DUMP_INTR)
        answer->interrupted = true;
    if (message_parse_result(message, &result) == 0) {
        if (answer->error == 0)
            answer->error = result;
        answer->done = true;
        return false;
    }
    if (answer->setting != 0) {
        answer->error = message_parse_devconf(message, answer->setting, &answer->value);
        answer->done = true;
        return false;
    }
    /* Kernels before 4.20 do not filter. */
    if (message_parse_address(message, &address) < 0 || (answer->ifindex != 0 && address.ifindex != answer->ifindex))
        return true;
    error = append_address(answer->query, &address);
    if (error < 0 && answer->error == 0)
        answer->error = error;
    return true;
}

/* Drops what a question that failed may have left unread; a dump begun must end before the next. */
static void drain(struct query *query)
{
    while (recv(mnl_socket_get_fd(query->socket), query->buffer, sizeof query->buffer, MSG_DONTWAIT) >= 0)
        ;
}

/* Sends one message and reads until its answer is whole. */
static int ask(struct query *query, const struct nlmsghdr *question, struct answer *answer)
{
    ssize_t length;
    int error;

    answer->query = query;
    drain(query);
    if (mnl_socket_sendto(query->socket, question, question->nlmsg_len) < 0)
        return -errno;
    while (!answer->done) {
        length = query_socket_receive(query->socket, query->buffer, sizeof query->buffer);
        if (length < 0)
            return length == -EAGAIN ? -ETIMEDOUT : (int)length;
        error = message_each(query->buffer, (size_t)length, read_message, answer);
        if (error < 0)
            return error;
    }
    return answer->error;
}

int query_addresses(struct query *query, uint8_t family, int ifindex, const struct address_message **ret, size_t *ret_n)
{
    alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES_MAX] = {};

    for (unsigned attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
        struct answer answer = {.ifindex = ifindex};
        int error;

        query->n_addresses = 0;
        error = ask(query, message_build_get_addresses(buffer, ++query->sequence, family, ifindex), &answer);
        if (error < 0)
            return error;
        if (answer.interrupted)
            continue;
        *ret = query->addresses;
        *ret_n = query->n_addresses;
        return 0;
    }
    return -EBUSY;
}

int query_carry_out(struct query *query, struct nlmsghdr *message)
{
    struct answer answer = {};

    message->nlmsg_seq = ++query->sequence;
    return ask(query, message, &answer);
}

int query_get_devconf(struct query *query, int ifindex, unsigned setting, uint32_t *ret)
{
    alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES_MAX] = {};
    struct answer answer = {.setting = setting};
    int error = ask(query, message_build_get_link(buffer, ++query->sequence, ifindex), &answer);

    if (error < 0)
        return error;
    *ret = answer.value;
    return 0;
}

int query_set_devconf(struct query *query, int ifindex, unsigned setting, uint32_t value)
{
    alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES_MAX] = {};

    return query_carry_out(query, message_build_set_devconf(buffer, 0, ifindex, setting, value));
}
