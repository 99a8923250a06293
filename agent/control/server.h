/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a Unix stream socket on which each line is a JSON request and each answer is a line. The server
 * knows framing, limits, who may speak and who spoke; what commands mean is the caller's.
 *
 * Request: {"command": "failback", "source": "web1", "nic": "eth0", "force": false}
 * Answer:  {"ok": true, ...} or {"ok": false, "error": "what is wrong and what to do"}
 *
 * Requests of one client are answered in order, one at a time. What is no request is answered with an error, and that
 * client's connection then ends.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "agent/base/time.h"

#define CONTROL_PATH "/run/standin/control.sock"
/* Bytes of one request line, clients at once, and how long a silent client keeps its place. */
#define CONTROL_LINE_MAX 4096
#define CONTROL_CLIENTS_MAX 32
#define CONTROL_IDLE_NS (60 * NSEC_PER_SEC)
/* Bytes of answers that clients have not read yet, all together. An answer beyond that becomes an error. */
#define CONTROL_UNREAD_MAX (128 * 1024 * 1024)
/* How long no client is accepted after the kernel was short of descriptors or memory. */
#define CONTROL_SHORTAGE_NS (1 * NSEC_PER_SEC)

struct control_server;
struct control_client;

/* Who gave a command (SO_PEERCRED). */
struct control_peer {
    pid_t pid; /* as it was when the client connected */
    uid_t uid;
    gid_t gid;
};

/*
 * A request, already an object with a string "command"; "source" and "nic", where there, are strings of 1 to LIMIT_NAME
 * bytes, "force" is a boolean, a "nic" comes with its "source", and there is no other key. The handler answers by
 * control_answer, now or later; a client that went away meanwhile is told by `gone`. `request` is borrowed. `client`
 * is the handler's until it answers or `gone` is called. Neither callback may close the server.
 */
typedef void (*control_request_fn)(void *userdata, struct control_client *client, const struct control_peer *peer,
                                   json_t *request);
typedef void (*control_gone_fn)(void *userdata, struct control_client *client);

/*
 * Listens at `path` (directories are not made), mode 0600, or 0660 and owned by `group` where that is not NULL.
 * -EADDRINUSE when another agent listens there; a socket file that nobody listens at is replaced. The path is locked
 * (path + ".lock"), so that of two starting at once one wins. -EEXIST where another kind of file is in the way, -ESRCH
 * where there is no such group. The lock goes with its descriptor: fork first what is forked without exec.
 */
int control_server_open(struct control_server **ret, const char *path, const char *group, control_request_fn request,
                        control_gone_fn gone, void *userdata);
/* Ends all clients (`gone` for those that wait for an answer) and removes the socket file. NULL is fine. */
void control_server_close(struct control_server *server);

/* One epoll descriptor for the socket and all clients; readable when there is anything to do. */
int control_server_fd(const struct control_server *server);
void control_server_on_readable(struct control_server *server, nsec_t now_ns);
nsec_t control_server_deadline(const struct control_server *server);
void control_server_on_deadline(struct control_server *server, nsec_t now_ns);

/*
 * Sends `answer` (steals the reference) as one line. NULL, which jansson makes where memory ran out or a string was not
 * UTF-8, becomes an error. Never blocks and never calls back: what does not leave at once leaves by
 * control_server_on_readable. A client that does not read is dropped.
 */
void control_answer(struct control_client *client, json_t *answer);
/*
 * The same for a JSON object that is text already: one line without its newline, from malloc, which it steals. NULL
 * ends the client.
 */
void control_answer_text(struct control_client *client, char *answer);
