/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/urls.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/helper/threads.h"
#include "agent/helper/transfer.h"

/* Names that were looked up are believed for so long: a name that moves is what some checks wait for. */
#define NAMES_KEPT_S 5
/* Sockets that are looked at in one turn. */
#define SOCKETS_PER_TURN 256

struct urls {
    CURLM *multi;            /* asks HTTP */
    struct threads *threads; /* ask the others */
    int epoll;               /* every socket that curl has */
    nsec_t deadline_ns;      /* when curl wants to be called; NSEC_NEVER */
    struct transfer *first;  /* of those that are being asked */
    report_done *done;
    void *userdata;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *known)
{
    struct urls *urls = userdata;
    struct epoll_event event = {
        .data.fd = fd, .events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U)};

    (void)easy;
    /* It may be closed already, which has taken it out. */
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(urls->epoll, EPOLL_CTL_DEL, fd, NULL);
    else if (!known || epoll_ctl(urls->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
        if (epoll_ctl(urls->epoll, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EEXIST)
            epoll_ctl(urls->epoll, EPOLL_CTL_MOD, fd, &event);
    curl_multi_assign(urls->multi, fd, what == CURL_POLL_REMOVE ? NULL : urls);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *userdata)
{
    struct urls *urls = userdata;
    struct timespec now;

    (void)multi;
    clock_gettime(CLOCK_MONOTONIC, &now);
    urls->deadline_ns =
        timeout_ms < 0 ? NSEC_NEVER : now.tv_sec * NSEC_PER_SEC + now.tv_nsec + timeout_ms * NSEC_PER_MSEC;
    return 0;
}

static int watch_threads(const struct urls *urls)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = threads_fd(urls->threads)};

    return epoll_ctl(urls->epoll, EPOLL_CTL_ADD, event.data.fd, &event);
}

int urls_new(struct urls **ret, report_done *done, void *userdata)
{
    struct urls *urls = calloc(1, sizeof *urls);

    if (!urls)
        return -ENOMEM;
    *urls = (struct urls){.epoll = -EBADF, .deadline_ns = NSEC_NEVER, .done = done, .userdata = userdata};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        urls->multi = curl_multi_init();
    urls->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!urls->multi || urls->epoll < 0 || threads_new(&urls->threads) < 0 || watch_threads(urls) < 0) {
        urls_free(urls);
        return -ENOMEM;
    }
    curl_multi_setopt(urls->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(urls->multi, CURLMOPT_SOCKETDATA, urls);
    curl_multi_setopt(urls->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(urls->multi, CURLMOPT_TIMERDATA, urls);
    curl_multi_setopt(urls->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    *ret = urls;
    return 0;
}

static void end(struct urls *urls, struct transfer *transfer)
{
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        urls->first = transfer->next;
    curl_multi_remove_handle(urls->multi, transfer->easy);
    transfer_free(transfer);
}

void urls_free(struct urls *urls)
{
    while (urls->first)
        end(urls, urls->first);
    if (urls->multi)
        curl_multi_cleanup(urls->multi);
    if (urls->threads)
        threads_free(urls->threads);
    if (urls->epoll >= 0)
        close(urls->epoll);
    free(urls);
}

static int begin_http(struct urls *urls, struct transfer *transfer)
{
    curl_easy_setopt(transfer->easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)NAMES_KEPT_S);
    if (curl_multi_add_handle(urls->multi, transfer->easy) != CURLM_OK)
        return -ENOMEM;
    transfer->next = urls->first;
    if (urls->first)
        urls->first->previous = transfer;
    urls->first = transfer;
    return 0;
}

int urls_begin(struct urls *urls, uint64_t id, const struct job_url *url, void *memory, struct report *refusal)
{
    struct transfer *transfer = transfer_new(id, url, memory, refusal);
    int r;

    if (!transfer)
        return -EINVAL;
    r = transfer_is_http(transfer) ? begin_http(urls, transfer) : threads_begin(urls->threads, transfer);
    if (r == 0)
        return 0;
    report_set(refusal, JOB_UNABLE, "%s", strerror(-r));
    transfer->memory = NULL;
    transfer_free(transfer);
    return r;
}

static void tell_ended(struct urls *urls)
{
    struct report report;
    struct transfer *transfer;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(urls->multi, &left))) {
        CURLcode code = message->data.result;
        uint64_t id;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        transfer_judge(transfer, code, &report);
        id = transfer->id;
        end(urls, transfer);
        urls->done(urls->userdata, id, &report);
    }
}

static void tell_threads(struct urls *urls)
{
    struct transfer *transfer;

    while ((transfer = threads_take(urls->threads))) {
        urls->done(urls->userdata, transfer->id, &transfer->report);
        transfer_free(transfer);
    }
}

int urls_fd(const struct urls *urls)
{
    return urls->epoll;
}

void urls_on_readable(struct urls *urls)
{
    struct epoll_event events[SOCKETS_PER_TURN];
    int n = epoll_wait(urls->epoll, events, SOCKETS_PER_TURN, 0), running;

    tell_threads(urls);
    for (int i = 0; i < n; i++) {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

        if (events[i].data.fd == threads_fd(urls->threads))
            continue;
        curl_multi_socket_action(urls->multi, events[i].data.fd, what, &running);
    }
    tell_ended(urls);
}

nsec_t urls_deadline(const struct urls *urls)
{
    return urls->deadline_ns;
}

void urls_on_deadline(struct urls *urls, nsec_t now_ns)
{
    int running;

    if (now_ns < urls->deadline_ns)
        return;
    urls->deadline_ns = NSEC_NEVER;
    curl_multi_socket_action(urls->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    tell_ended(urls);
}
