/* SPDX-License-Identifier: Apache-2.0 */
/* A control server in a folder of its own, and its clients. Time is the test's own. */
#pragma once

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/control/server.h"

#define MANY 256

/* A server in a folder of its own, and what its handler saw. */
struct world {
    char folder[64];
    char path[96];
    struct control_server *server;
    nsec_t now_ns;
    bool deferring;          /* the handler keeps the client instead of answering */
    size_t answer_bytes;     /* padding of each answer */
    char commands[MANY][64]; /* in the order of arrival */
    size_t n_commands;
    struct control_client *deferred[MANY];
    size_t n_deferred;
    struct control_client *gone[MANY];
    size_t n_gone;
    struct control_peer peer; /* of the newest request */
};

static inline json_t *answer_to(const char *command, size_t padding)
{
    json_t *answer = json_pack("{s:b, s:s}", "ok", 1, "command", command);

    if (padding > 0) {
        char *text = malloc(padding + 1);

        memset(text, 'x', padding);
        text[padding] = '\0';
        json_object_set_new(answer, "padding", json_string(text));
        free(text);
    }
    return answer;
}

static inline void on_request(void *userdata, struct control_client *client, const struct control_peer *peer,
                              json_t *request)
{
    struct world *world = userdata;
    const char *command = json_string_value(json_object_get(request, "command"));

    assert_non_null(command);
    assert_true(world->n_commands < MANY);
    snprintf(world->commands[world->n_commands++], sizeof world->commands[0], "%s", command);
    world->peer = *peer;
    if (world->deferring)
        world->deferred[world->n_deferred++] = client;
    else
        control_answer(client, answer_to(command, world->answer_bytes));
}

static inline void on_gone(void *userdata, struct control_client *client)
{
    struct world *world = userdata;

    world->gone[world->n_gone++] = client;
}

static inline int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    strcpy(world->folder, "/tmp/standin-control-XXXXXX");
    if (!mkdtemp(world->folder))
        return -1;
    snprintf(world->path, sizeof world->path, "%s/socket", world->folder);
    world->now_ns = 5 * NSEC_PER_SEC;
    *state = world;
    return control_server_open(&world->server, world->path, NULL, on_request, on_gone, world);
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    char lock[128];

    control_server_close(world->server);
    snprintf(lock, sizeof lock, "%s.lock", world->path);
    unlink(world->path);
    unlink(lock);
    rmdir(world->folder);
    free(world);
    return 0;
}

/* Lets the server do all that it has to do now. False when it never comes to rest. */
static inline bool turn(struct world *world)
{
    for (unsigned i = 0; i < 10000; i++) {
        struct pollfd poll_fd = {.fd = control_server_fd(world->server), .events = POLLIN};

        if (poll(&poll_fd, 1, 0) == 0)
            return true;
        control_server_on_readable(world->server, world->now_ns);
    }
    return false;
}

static inline int call(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, world->path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads what is there; a connection that ended shows as "(end)". */
static inline const char *hear(int fd, char text[static 8192])
{
    size_t length = 0;

    for (;;) {
        ssize_t n = recv(fd, text + length, 8000 - length, 0);

        if (n <= 0) {
            strcpy(text + length, n == 0 || errno == ECONNRESET ? "(end)" : "");
            return text;
        }
        length += (size_t)n;
    }
}

#define STATUS "{\"command\":\"status\"}\n"
#define STATUS_ANSWER "{\"ok\":true,\"command\":\"status\"}\n"

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
