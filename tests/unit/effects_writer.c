/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's thread, over a disk that is as slow as the test wants it. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include "agent/effects/journal_file.h"
#include "tests/unit/effects_sample.h"

/* Only a broken writer lets us wait so long. */
#define PATIENCE_MS 20000
#define MANY 10000

/* The disk. */
static struct {
    sem_t begun;    /* posted when an attempt begins */
    sem_t allowed;  /* taken by each attempt before it ends */
    int result;     /* of the next attempt */
    unsigned count; /* attempts */
    char text[32];  /* of the newest attempt */
    size_t length;
    unsigned sweeps;
    unsigned swept_after; /* attempts before the sweep */
    int policy;           /* scheduling class of the thread */
    sigset_t blocked;     /* its signals */
} disk;

/* What was blocked before any writer was opened. */
static sigset_t blocked_at_start;

/* Stand in for those of journal_file.c. */
int journal_replace(const char *state, const char *text, size_t length)
{
    assert_string_equal(state, "folder");
    assert_true(length < sizeof disk.text);
    memcpy(disk.text, text, length);
    disk.text[length] = '\0';
    disk.length = length;
    disk.count++;
    disk.policy = sched_getscheduler(0);
    pthread_sigmask(SIG_SETMASK, NULL, &disk.blocked);
    sem_post(&disk.begun);
    while (sem_wait(&disk.allowed) < 0)
        ;
    return disk.result;
}

void journal_sweep(const char *state)
{
    assert_string_equal(state, "folder");
    disk.sweeps++;
    disk.swept_after = disk.count;
}

/* A sem_wait that a broken writer cannot hang. */
static void await(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    assert_int_equal(sem_timedwait(sem, &until), 0);
}

static bool is_readable(struct journal_writer *writer, int patience_ms)
{
    struct pollfd poll_fd = {.fd = journal_writer_fd(writer), .events = POLLIN};

    return poll(&poll_fd, 1, patience_ms) == 1;
}

static void submit(struct journal_writer *writer, const char *text)
{
    journal_writer_submit(writer, strdup(text), strlen(text));
}

static int setup(void **state)
{
    struct journal_writer *writer;

    memset(&disk, 0, sizeof disk);
    sem_init(&disk.begun, 0, 0);
    sem_init(&disk.allowed, 0, 0);
    if (journal_writer_open(&writer, "folder") < 0)
        return -1;
    *state = writer;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sem_destroy(&disk.begun);
    sem_destroy(&disk.allowed);
    return 0;
}

static void writes_what_was_submitted(void **state)
{
    struct journal_writer *writer = *state;

    assert_false(is_readable(writer, 0));
    assert_int_equal(journal_writer_result(writer), 0);
    submit(writer, "one");
    sem_post(&disk.allowed);
    assert_true(is_readable(writer, PATIENCE_MS));
    assert_int_equal(journal_writer_result(writer), 0);
    assert_false(is_readable(writer, 0)); /* until the next attempt */
    assert_string_equal(disk.text, "one");
    assert_int_equal(disk.length, 3);
    journal_writer_close(writer);
    assert_int_equal(disk.count, 1);
}

static void sweeps_before_it_writes(void **state)
{
    struct journal_writer *writer = *state;

    submit(writer, "one");
    sem_post(&disk.allowed);
    journal_writer_close(writer);
    assert_int_equal(disk.sweeps, 1);
    assert_int_equal(disk.swept_after, 0);
}

/* While the disk hangs, any number of texts may come: submitting returns, and of them only the last is written. */
static void newest_wins_over_a_hanging_disk(void **state)
{
    struct journal_writer *writer = *state;

    submit(writer, "first");
    await(&disk.begun);
    for (int i = 0; i < MANY; i++)
        submit(writer, "between");
    submit(writer, "last");
    assert_string_equal(disk.text, "first");
    assert_false(is_readable(writer, 0));
    sem_post(&disk.allowed);
    await(&disk.begun);
    assert_string_equal(disk.text, "last");
    sem_post(&disk.allowed);
    journal_writer_close(writer);
    assert_int_equal(disk.count, 2);
}

/* Whether the thread had begun with it or not. */
static void close_writes_the_last(void **state)
{
    struct journal_writer *writer = *state;

    submit(writer, "first");
    await(&disk.begun);
    submit(writer, "last");
    sem_post(&disk.allowed);
    sem_post(&disk.allowed);
    journal_writer_close(writer);
    assert_string_equal(disk.text, "last");
    assert_int_equal(disk.count, 2);
}

static void close_without_anything(void **state)
{
    journal_writer_close(*state);
    journal_writer_close(NULL);
    assert_int_equal(disk.count, 0);
}

static void result_is_of_the_newest_attempt(void **state)
{
    static const int results[] = {-ENOSPC, -EROFS, 0, -EIO, 0};
    struct journal_writer *writer = *state;

    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        disk.result = results[i];
        submit(writer, "text");
        sem_post(&disk.allowed);
        assert_true(is_readable(writer, PATIENCE_MS));
        assert_int_equal(journal_writer_result(writer), results[i]);
        /* It is not tried again by itself, and stays what it was. */
        assert_false(is_readable(writer, 10));
        assert_int_equal(journal_writer_result(writer), results[i]);
    }
    journal_writer_close(writer);
    assert_int_equal(disk.count, 5);
}

/* Signals are the loop's, and so is the processor, in whatever class the loop runs. */
static void thread_is_an_ordinary_one(void **state)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGCHLD, SIGUSR1, SIGXFSZ, SIGPIPE};
    sigset_t after;
    struct journal_writer *writer;

    journal_writer_close(*state);
    /* Some machines allow no real time; there, the rest is tested. Without the flag of the agent, to be strict. */
    if (sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1}) < 0)
        print_message("real time is refused here\n");
    assert_int_equal(journal_writer_open(&writer, "folder"), 0);
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    pthread_sigmask(SIG_SETMASK, NULL, &after);

    submit(writer, "text");
    sem_post(&disk.allowed);
    journal_writer_close(writer);
    assert_int_equal(disk.policy, SCHED_OTHER);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        assert_true(sigismember(&disk.blocked, signals[i]));
        assert_int_equal(sigismember(&blocked_at_start, signals[i]), sigismember(&after, signals[i]));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_what_was_submitted), TEST(sweeps_before_it_writes), TEST(newest_wins_over_a_hanging_disk),
        TEST(close_writes_the_last),     TEST(close_without_anything),  TEST(result_is_of_the_newest_attempt),
        TEST(thread_is_an_ordinary_one),
    };

    pthread_sigmask(SIG_SETMASK, NULL, &blocked_at_start);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
