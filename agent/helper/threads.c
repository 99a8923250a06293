/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS_MAX 1024

struct threads {
    int event;              /* counts those that have ended */
    pthread_mutex_t lock;   /* of the list */
    struct transfer *ended; /* by `next` */
    size_t n;               /* that were begun and not taken; the loop's alone */
    pthread_attr_t detached;
};

int threads_new(struct threads **ret)
{
    struct threads *threads = calloc(1, sizeof *threads);

    if (!threads)
        return -ENOMEM;
    threads->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (threads->event < 0) {
        free(threads);
        return -errno;
    }
    pthread_mutex_init(&threads->lock, NULL);
    pthread_attr_init(&threads->detached);
    pthread_attr_setdetachstate(&threads->detached, PTHREAD_CREATE_DETACHED);
    *ret = threads;
    return 0;
}

void threads_free(struct threads *threads)
{
    /* A thread may still put its transfer there. */
    if (threads->n > 0)
        return;
    close(threads->event);
    free(threads);
}

/* Without a goodbye: what a server says to it, or that it says nothing, is no matter any more. */
static void hang_up(CURL *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd != CURL_SOCKET_BAD)
        shutdown(fd, SHUT_RDWR);
}

static void *run(void *userdata)
{
    struct transfer *transfer = userdata;
    struct threads *threads = transfer->threads;

    transfer_judge(transfer, curl_easy_perform(transfer->easy), &transfer->report);
    hang_up(transfer->easy);
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    pthread_mutex_lock(&threads->lock);
    transfer->next = threads->ended;
    threads->ended = transfer;
    pthread_mutex_unlock(&threads->lock);
    eventfd_write(threads->event, 1);
    return NULL;
}

int threads_begin(struct threads *threads, struct transfer *transfer)
{
    pthread_t thread;
    int r;

    if (threads->n == THREADS_MAX)
        return -EAGAIN;
    transfer->threads = threads;
    r = pthread_create(&thread, &threads->detached, run, transfer);
    if (r != 0)
        return -r;
    threads->n++;
    return 0;
}

int threads_fd(const struct threads *threads)
{
    return threads->event;
}

struct transfer *threads_take(struct threads *threads)
{
    struct transfer *transfer;
    eventfd_t n;

    eventfd_read(threads->event, &n);
    pthread_mutex_lock(&threads->lock);
    transfer = threads->ended;
    if (transfer)
        threads->ended = transfer->next;
    pthread_mutex_unlock(&threads->lock);
    if (transfer)
        threads->n--;
    return transfer;
}
