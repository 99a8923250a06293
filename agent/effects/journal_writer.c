/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop hands a text over under a lock that is held for a few instructions, and wakes the thread by a semaphore.
 * The lock inherits priority: a real-time loop never waits behind an ordinary thread that gets no processor.
 */
#include "agent/effects/journal.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "agent/base/cleanup.h"
#include "agent/effects/journal_file.h"

struct journal_writer {
    char *state; /* the folder */
    int done_fd; /* eventfd, written after each attempt */
    pthread_t thread;
    sem_t wake;           /* posted for each text, and for the end */
    pthread_mutex_t lock; /* of all below */
    char *text;           /* waits to be written; NULL: none */
    size_t length;
    bool closing;
    int result; /* of the newest attempt */
};

/* What waits, if anything, for the caller to free. True when that was the last. */
static bool take_text(struct journal_writer *writer, char **ret, size_t *ret_length)
{
    bool closing;

    pthread_mutex_lock(&writer->lock);
    *ret = TAKE_POINTER(writer->text);
    *ret_length = writer->length;
    closing = writer->closing;
    pthread_mutex_unlock(&writer->lock);
    return closing;
}

static void attempt(struct journal_writer *writer, const char *text, size_t length)
{
    int r = journal_replace(writer->state, text, length);

    pthread_mutex_lock(&writer->lock);
    writer->result = r;
    pthread_mutex_unlock(&writer->lock);
    /* After the result, so that whoever is woken finds it. */
    eventfd_write(writer->done_fd, 1);
}

static void *write_texts(void *userdata)
{
    struct journal_writer *writer = userdata;
    bool last = false;

    journal_sweep(writer->state);
    while (!last) {
        CLEANUP_FREE char *text = NULL;
        size_t length;

        while (sem_wait(&writer->wake) < 0)
            ; /* EINTR, as after SIGSTOP */
        last = take_text(writer, &text, &length);
        if (text)
            attempt(writer, text, length);
    }
    return NULL;
}

/* With all signals blocked, so that each goes to the loop, and in the ordinary class whatever class we are in. */
static int start_thread(struct journal_writer *writer)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int r;

    r = pthread_attr_init(&attributes);
    if (r != 0)
        return -r;
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    /* Else it would be ours, which that class refuses. */
    pthread_attr_setschedparam(&attributes, &(struct sched_param){0});
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&writer->thread, &attributes, write_texts, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -r;
}

static int make_lock(pthread_mutex_t *ret)
{
    pthread_mutexattr_t attributes;
    int r = pthread_mutexattr_init(&attributes);

    if (r != 0)
        return -r;
    r = pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (r == 0)
        r = pthread_mutex_init(ret, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return -r;
}

static void writer_free(struct journal_writer *writer)
{
    sem_destroy(&writer->wake);
    if (writer->done_fd >= 0)
        close(writer->done_fd);
    free(writer->text);
    free(writer->state);
    free(writer);
}

static void cleanup_writer(struct journal_writer **writer)
{
    if (*writer)
        writer_free(*writer);
}

int journal_writer_open(struct journal_writer **ret, const char *state)
{
    CLEANUP(cleanup_writer) struct journal_writer *writer = calloc(1, sizeof *writer);
    int r;

    if (!writer)
        return -ENOMEM;
    sem_init(&writer->wake, 0, 0);
    writer->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer->done_fd < 0)
        return -errno;
    writer->state = strdup(state);
    if (!writer->state)
        return -ENOMEM;
    r = make_lock(&writer->lock);
    if (r < 0)
        return r;
    r = start_thread(writer);
    if (r < 0) {
        pthread_mutex_destroy(&writer->lock);
        return r;
    }
    *ret = TAKE_POINTER(writer);
    return 0;
}

void journal_writer_close(struct journal_writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->closing = true;
    pthread_mutex_unlock(&writer->lock);
    sem_post(&writer->wake);
    pthread_join(writer->thread, NULL);
    pthread_mutex_destroy(&writer->lock);
    writer_free(writer);
}

void journal_writer_submit(struct journal_writer *writer, char *text, size_t length)
{
    char *superseded;

    pthread_mutex_lock(&writer->lock);
    superseded = writer->text;
    writer->text = text;
    writer->length = length;
    pthread_mutex_unlock(&writer->lock);
    sem_post(&writer->wake);
    free(superseded);
}

int journal_writer_fd(const struct journal_writer *writer)
{
    return writer->done_fd;
}

int journal_writer_result(struct journal_writer *writer)
{
    eventfd_t attempts;
    int r;

    /* Before the result is read: an attempt that ends in between shows again. */
    eventfd_read(writer->done_fd, &attempts);
    pthread_mutex_lock(&writer->lock);
    r = writer->result;
    pthread_mutex_unlock(&writer->lock);
    return r;
}
