/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/helper/names.h"
#include "agent/helper/urls.h"

/* Jobs that are under way or whose answers were not taken; more are answered at once that there are too many. */
#define JOBS_MAX 8192
/* Answers that wait for an agent that takes none; then nothing more is read. */
#define ANSWERS_MAX (2 * JOBS_MAX)
/* A turn takes milliseconds, and there is one at least so often. A process whose turn takes longer than this hangs, and
 * is ended by the alarm that it no longer puts off. */
#define TURN_MAX_MS 10000
#define HANG_S 60
/* Requests that are read in one turn. */
#define REQUESTS_PER_TURN 256

/* An answer that the socket had no room for. */
struct answer {
    struct answer *next;
    size_t length;
    char packet[];
};

struct server {
    int socket, epoll;
    struct urls *urls;
    struct names *names;
    struct answer *oldest, *newest; /* not sent yet */
    size_t n_answers;               /* of these */
    size_t n_jobs;                  /* under way */
    bool gone;                      /* the agent closed its end */
    char packet[JOB_PACKET_MAX];
};

static nsec_t now_on_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* An answer that there is no memory for is as good as a helper that died: the agent's deadline ends the job. */
static void queue(struct server *server, const char *packet, size_t length)
{
    struct answer *answer = malloc(sizeof *answer + length);

    if (!answer)
        return;
    answer->next = NULL;
    answer->length = length;
    memcpy(answer->packet, packet, length);
    if (server->newest)
        server->newest->next = answer;
    else
        server->oldest = answer;
    server->newest = answer;
    server->n_answers++;
}

static void flush(struct server *server)
{
    while (server->oldest) {
        struct answer *answer = server->oldest;

        if (send(server->socket, answer->packet, answer->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            server->gone |= errno == EPIPE || errno == ECONNRESET;
            return;
        }
        server->oldest = answer->next;
        if (!server->oldest)
            server->newest = NULL;
        server->n_answers--;
        free(answer);
    }
}

static void tell(struct server *server, uint64_t id, const struct report *report)
{
    const struct job_answer answer = {
        .id = id, .outcome = report->outcome, .took_ns = report->took_ns, .text = report->text};
    CLEANUP_FREE char *packet = NULL;
    size_t length;

    if (job_answer_build(&answer, &packet, &length) == 0)
        queue(server, packet, length);
}

static void on_done(void *userdata, uint64_t id, const struct report *report)
{
    struct server *server = userdata;

    server->n_jobs--;
    tell(server, id, report);
}

/* Takes the request's memory where it begins. 0 or negative errno. */
static int begin(struct server *server, const struct job_request *request, struct report *refusal)
{
    if (server->n_jobs + server->n_answers > JOBS_MAX) {
        report_set(refusal, JOB_UNABLE, "%d jobs are under way, which is the most", JOBS_MAX);
        return -EBUSY;
    }
    switch (request->kind) {
    case JOB_URL:
        return urls_begin(server->urls, request->id, &request->url, request->memory, refusal);
    case JOB_DNS:
        return names_begin(server->names, now_on_clock(), request->id, &request->dns, request->memory, refusal);
    case JOB_RUN:
    case JOB_KILL:
        break;
    }
    report_set(refusal, JOB_UNABLE, "the helper does no such thing");
    return -EINVAL;
}

static void take(struct server *server, size_t length)
{
    struct job_request request = {0};
    struct report refusal = {0};
    uint64_t id = 0;

    if (job_request_parse(server->packet, length, &request, &id) < 0) {
        report_set(&refusal, JOB_UNABLE, "the request is not as it must be");
    } else {
        server->n_jobs++;
        if (begin(server, &request, &refusal) == 0)
            return;
        server->n_jobs--;
        job_request_free(&request);
    }
    if (id != 0)
        tell(server, id, &refusal);
}

static void read_requests(struct server *server)
{
    for (int i = 0; i < REQUESTS_PER_TURN && server->n_answers < ANSWERS_MAX; i++) {
        ssize_t length = recv(server->socket, server->packet, sizeof server->packet, MSG_DONTWAIT | MSG_TRUNC);

        if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
            server->gone = true;
        if (length <= 0)
            return;
        /* One that is too long was cut, and cannot be read. */
        if ((size_t)length <= sizeof server->packet)
            take(server, (size_t)length);
        /* It may have held a key. */
        explicit_bzero(server->packet, sizeof server->packet);
    }
}

/* The agent's requests while answers are not too many; and room for answers where some wait. */
static int watch(const struct server *server, int operation)
{
    struct epoll_event event = {.events =
                                    (server->n_answers < ANSWERS_MAX ? EPOLLIN : 0U) | (server->oldest ? EPOLLOUT : 0U),
                                .data.fd = server->socket};

    return epoll_ctl(server->epoll, operation, server->socket, &event) < 0 ? -errno : 0;
}

static int watch_for_input(const struct server *server, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_server(struct server *server)
{
    int r = urls_new(&server->urls, on_done, server);

    if (r == 0)
        r = names_new(&server->names, on_done, server);
    if (r < 0)
        return r;
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll < 0)
        return -errno;
    r = watch_for_input(server, urls_fd(server->urls));
    if (r == 0)
        r = watch_for_input(server, names_fd(server->names));
    return r == 0 ? watch(server, EPOLL_CTL_ADD) : r;
}

static void close_server(struct server *server)
{
    if (server->urls)
        urls_free(server->urls);
    if (server->names)
        names_free(server->names);
    while (server->oldest) {
        struct answer *answer = server->oldest;

        server->oldest = answer->next;
        free(answer);
    }
    if (server->epoll >= 0)
        close(server->epoll);
    free(server);
}

/* Rounded up, so that a deadline has come when the wait is over. */
static int wait_ms(nsec_t deadline_ns)
{
    nsec_t now_ns = now_on_clock();

    if (deadline_ns <= now_ns)
        return 0;
    return (int)nsec_min((deadline_ns - now_ns - 1) / NSEC_PER_MSEC + 1, TURN_MAX_MS);
}

static void turn(struct server *server)
{
    nsec_t deadline_ns = nsec_min(urls_deadline(server->urls), names_deadline(server->names));
    struct epoll_event event;

    if (epoll_wait(server->epoll, &event, 1, wait_ms(deadline_ns)) < 0 && errno != EINTR)
        abort();
    alarm(HANG_S);
    /* Whatever is there is read before it is judged that something is missing. */
    read_requests(server);
    names_on_readable(server->names);
    urls_on_readable(server->urls);
    names_on_deadline(server->names, now_on_clock());
    urls_on_deadline(server->urls, now_on_clock());
    flush(server);
    watch(server, EPOLL_CTL_MOD);
}

int serve(int socket)
{
    struct server *server = calloc(1, sizeof *server);
    int r;

    if (!server)
        return -ENOMEM;
    server->socket = socket;
    server->epoll = -EBADF;
    r = open_server(server);
    while (r == 0 && !server->gone)
        turn(server);
    close_server(server);
    return r;
}
