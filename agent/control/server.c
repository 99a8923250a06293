/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client has one request at a time:
 *
 *     reading --line--> asked --control_answer--> writing --all written--> reading
 *        | no request at all                         |
 *        +------------- error, closing ------------->+--all written--> gone
 *
 * What it sent beyond that waits in its buffer and then in its socket, so a client that asks faster than it reads
 * slows down itself and nobody else.
 */
#include "agent/control/server.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/base/cleanup.h"
#include "agent/control/listen.h"
#include "agent/control/request.h"

struct control_client {
    struct control_server *server;
    int fd;
    struct control_peer peer;
    char in[CONTROL_LINE_MAX + 1]; /* received, not yet asked; room for a newline behind the longest line */
    size_t in_length;
    char *out; /* the answer that is being written; NULL: none */
    size_t out_length;
    size_t out_sent;
    bool asked;       /* the handler has a request of this client and has not answered */
    bool ended;       /* the client will send no more */
    bool closing;     /* ends when its answer is written, whatever it still sends */
    bool broken;      /* ends at once: its answer could not be made */
    nsec_t active_ns; /* when bytes last moved; NSEC_NEVER from a request to the first turn after its answer */
    uint32_t armed;   /* events that epoll waits for */
};

struct control_server {
    struct control_listener listener;
    int epoll_fd;
    nsec_t accept_again_ns; /* while the kernel is short of something; NSEC_NEVER: accepting */
    size_t unread;          /* bytes of all clients' answers that are not written yet */
    size_t n_clients;
    struct control_client *clients[CONTROL_CLIENTS_MAX];
    control_request_fn request;
    control_gone_fn gone;
    void *userdata;
};

/* Whether a whole request waits in the buffer. */
static bool has_line(const struct control_client *client)
{
    return client->in_length > CONTROL_LINE_MAX || memchr(client->in, '\n', client->in_length) ||
           (client->ended && client->in_length > 0);
}

static bool is_finished(const struct control_client *client)
{
    return !client->asked && !client->out && (client->closing || (client->ended && client->in_length == 0));
}

/*
 * Asks epoll for what can go on. A buffered request waits for EPOLLOUT, which comes at once, so that each turn takes
 * one request of each client. A client that waits for its answer still reports when it goes away.
 */
static void arm(struct control_client *client)
{
    struct epoll_event event = {.data.ptr = client};

    if (client->asked)
        event.events = 0;
    else if (client->out || client->broken || client->closing || has_line(client))
        event.events = EPOLLOUT;
    else
        event.events = EPOLLIN;
    if (event.events == client->armed)
        return;
    if (epoll_ctl(client->server->epoll_fd, EPOLL_CTL_MOD, client->fd, &event) == 0)
        client->armed = event.events;
}

static void set_output(struct control_client *client, char *text)
{
    client->out = text;
    client->out_sent = 0;
    client->out_length = strlen(text) + 1;
    client->out[client->out_length - 1] = '\n'; /* where the NUL was: the text is used by its length from here on */
    client->server->unread += client->out_length;
}

static void drop_output(struct control_client *client)
{
    if (!client->out)
        return;
    client->server->unread -= client->out_length;
    free(client->out);
    client->out = NULL;
}

static void drop_client(struct control_client *client)
{
    struct control_server *server = client->server;

    for (size_t i = 0; i < server->n_clients; i++) {
        if (server->clients[i] == client) {
            server->clients[i] = server->clients[--server->n_clients];
            break;
        }
    }
    if (client->asked)
        server->gone(server->userdata, client);
    drop_output(client);
    close(client->fd);
    free(client);
}

void control_answer_text(struct control_client *client, char *answer)
{
    assert(client->asked && !client->out);
    client->asked = false;
    if (answer && client->server->unread + strlen(answer) >= CONTROL_UNREAD_MAX) {
        free(answer);
        answer = strdup("{\"ok\":false,\"error\":\"the answer is too long to wait for its reader; name a source\"}");
    }
    if (answer)
        set_output(client, answer);
    else
        client->broken = true;
    arm(client);
}

void control_answer(struct control_client *client, json_t *answer)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

    json_decref(answer);
    if (!text)
        text = strdup("{\"ok\":false,\"error\":\"the answer could not be made: memory ran out, or a name in it is "
                      "not UTF-8; see the agent's log\"}");
    control_answer_text(client, text);
}

/* Answers what is no request, and lets the client go. */
static void refuse(struct control_client *client, const char *error)
{
    client->asked = true;
    client->closing = true;
    control_answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", error));
}

static void take_request(struct control_client *client)
{
    const char *newline = memchr(client->in, '\n', client->in_length);
    size_t length = newline ? (size_t)(newline - client->in) : client->in_length;
    size_t used = newline ? length + 1 : length;
    char error[CONTROL_ERROR_TEXT];
    json_t *request;
    int r = control_request_parse(client->in, length, &request, error);

    if (r < 0) {
        refuse(client, error);
        return;
    }
    memmove(client->in, client->in + used, client->in_length - used);
    client->in_length -= used;
    client->asked = true;
    client->active_ns = NSEC_NEVER;
    client->server->request(client->server->userdata, client, &client->peer, request);
    json_decref(request);
}

static int receive(struct control_client *client, nsec_t now_ns)
{
    ssize_t n = recv(client->fd, client->in + client->in_length, sizeof client->in - client->in_length, 0);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        client->ended = true;
    else
        client->active_ns = now_ns;
    client->in_length += (size_t)n;
    return 0;
}

static int write_output(struct control_client *client, nsec_t now_ns)
{
    while (client->out) {
        ssize_t n =
            send(client->fd, client->out + client->out_sent, client->out_length - client->out_sent, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        client->active_ns = now_ns;
        client->out_sent += (size_t)n;
        if (client->out_sent == client->out_length)
            drop_output(client);
    }
    return 0;
}

/* One step of a client; false when it is to end. */
static bool serve(struct control_client *client, uint32_t events, nsec_t now_ns)
{
    /* While a request is out only the end of the connection is reported. */
    if (client->broken || client->asked)
        return false;
    if (client->active_ns == NSEC_NEVER)
        client->active_ns = now_ns;
    if (write_output(client, now_ns) < 0)
        return false;
    if (!client->out && !client->closing) {
        if (!has_line(client) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && receive(client, now_ns) < 0)
            return false;
        if (has_line(client))
            take_request(client);
        if (!client->asked && client->active_ns == NSEC_NEVER)
            client->active_ns = now_ns;
        if (write_output(client, now_ns) < 0)
            return false;
    }
    return !client->broken && !is_finished(client);
}

static int add_client(struct control_server *server, int fd, nsec_t now_ns)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    struct control_client *client;
    struct epoll_event event = {.events = EPOLLIN};

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return -errno;
    client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    event.data.ptr = client;
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        int error = errno;

        free(client);
        return -error;
    }
    client->server = server;
    client->fd = fd;
    client->peer = (struct control_peer){.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
    client->active_ns = now_ns;
    client->armed = event.events;
    server->clients[server->n_clients++] = client;
    return 0;
}

static void listen_for(struct control_server *server, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = server};

    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listener.fd, &event);
}

static void accept_clients(struct control_server *server, nsec_t now_ns)
{
    static const char full[] = "{\"ok\":false,\"error\":\"too many clients at once; end one, or try again later\"}\n";

    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        CLEANUP_CLOSE int fd = accept4(server->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            /* The caller would stay in the queue, and epoll report it in every turn. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                server->accept_again_ns = now_ns + CONTROL_SHORTAGE_NS;
                listen_for(server, 0);
            }
            return;
        }
        if (server->n_clients == CONTROL_CLIENTS_MAX)
            (void)send(fd, full, sizeof full - 1, MSG_NOSIGNAL);
        else if (add_client(server, fd, now_ns) == 0)
            (void)TAKE_FD(fd);
    }
}

int control_server_open(struct control_server **ret, const char *path, const char *group, control_request_fn request,
                        control_gone_fn gone, void *userdata)
{
    struct control_server *server = calloc(1, sizeof *server);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = server};
    int r;

    if (!server)
        return -ENOMEM;
    server->accept_again_ns = NSEC_NEVER;
    server->request = request;
    server->gone = gone;
    server->userdata = userdata;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll_fd < 0) {
        r = -errno;
        goto free_server;
    }
    r = control_listener_open(&server->listener, path, group);
    if (r < 0)
        goto close_epoll;
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->listener.fd, &event) < 0) {
        r = -errno;
        goto close_listener;
    }
    *ret = server;
    return 0;

close_listener:
    control_listener_close(&server->listener);
close_epoll:
    close(server->epoll_fd);
free_server:
    free(server);
    return r;
}

void control_server_close(struct control_server *server)
{
    if (!server)
        return;
    while (server->n_clients > 0)
        drop_client(server->clients[0]);
    control_listener_close(&server->listener);
    close(server->epoll_fd);
    free(server);
}

int control_server_fd(const struct control_server *server)
{
    return server->epoll_fd;
}

void control_server_on_readable(struct control_server *server, nsec_t now_ns)
{
    struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
    int n = epoll_wait(server->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);

    /* No callback frees a client, so each of these is still there when its turn comes. */
    for (int i = 0; i < n; i++) {
        struct control_client *client = events[i].data.ptr;

        if (events[i].data.ptr == server)
            accept_clients(server, now_ns);
        else if (serve(client, events[i].events, now_ns))
            arm(client);
        else
            drop_client(client);
    }
}

nsec_t control_server_deadline(const struct control_server *server)
{
    nsec_t deadline = server->accept_again_ns;

    for (size_t i = 0; i < server->n_clients; i++) {
        const struct control_client *client = server->clients[i];

        if (client->asked)
            continue;
        /* Answered between turns: its time starts at the next one, even where it has no room for a single byte. */
        if (client->active_ns == NSEC_NEVER)
            return NSEC_UNSET;
        if (client->active_ns + CONTROL_IDLE_NS < deadline)
            deadline = client->active_ns + CONTROL_IDLE_NS;
    }
    return deadline;
}

void control_server_on_deadline(struct control_server *server, nsec_t now_ns)
{
    if (now_ns >= server->accept_again_ns) {
        server->accept_again_ns = NSEC_NEVER;
        listen_for(server, EPOLLIN);
    }
    /* From the end, because a dropped client's place is taken by the last one. */
    for (size_t i = server->n_clients; i-- > 0;) {
        struct control_client *client = server->clients[i];

        if (client->asked)
            continue;
        if (client->active_ns == NSEC_NEVER)
            client->active_ns = now_ns;
        else if (now_ns >= client->active_ns + CONTROL_IDLE_NS)
            drop_client(client);
    }
}
