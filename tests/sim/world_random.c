/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worlds that a seed chooses whole: see libwild.h. SEED=n plays that one first. So many are played as fit in the time,
 * and no fewer than the minimum: SECONDS and WORLDS of the environment; with HOURS, until so many hours have passed in
 * the worlds (HOURS=forever: until it is ended). What fails is told with its seed, and reduced to the faults that it
 * takes.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sim/libwild.h"

#define WORKERS 2
#define WORLDS_MIN 1000
#define SECONDS_MIN 50
/* No world takes so long; what hangs ends then. */
#define WORLD_SECONDS_MAX 120
#define PROGRESS_S 10

/* What the workers share. */
struct board {
    uint64_t first_seed;
    uint64_t worlds_min, until_ms; /* both must be reached */
    uint64_t play_max_ns;          /* or this */
    bool endless;
    _Atomic uint64_t taken;     /* worlds begun */
    _Atomic uint64_t played;    /* worlds over */
    _Atomic uint64_t played_ns; /* virtual time in them */
    _Atomic uint64_t claims;    /* addresses claimed in them */
    _Atomic bool broken;
    _Atomic uint64_t playing[WORKERS]; /* seeds */
};

static struct board *board;
static unsigned self;

static uint64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void print_commit(FILE *out)
{
    char line[128] = "";
    FILE *git = popen("git describe --always --dirty 2>/dev/null", "r");

    if (git && fgets(line, sizeof line, git))
        line[strcspn(line, "\n")] = '\0';
    if (git)
        pclose(git);
    fprintf(out, "commit %s\n", line[0] ? line : "unknown");
}

/* Leaves out each fault without which it still fails. */
static void reduce(struct wild *w)
{
    struct wild_result result;

    for (bool smaller = true; smaller;) {
        smaller = false;
        for (unsigned i = 0; i < w->n_faults; i++) {
            if (w->faults[i].left_out)
                continue;
            w->faults[i].left_out = true;
            wild_play(w, &result);
            w->faults[i].left_out = result.broken;
            smaller = smaller || result.broken;
        }
    }
}

static void tell(struct wild *w, const struct wild_result *result)
{
    struct wild_result reduced;
    bool talks = getenv("SIM_LOG") != NULL;

    printf("# SEED=%" PRIu64 ": %s\n", w->seed, result->violation);
    fflush(stdout);
    print_commit(stderr);
    if (number("REDUCE", 1) == 0)
        return;
    unsetenv("SIM_LOG");
    reduce(w);
    if (talks)
        setenv("SIM_LOG", "1", 1);
    wild_play(w, &reduced);
    fprintf(stderr, "SEED=%" PRIu64 ", reduced: %s\n", w->seed, reduced.violation);
    wild_print(w, stderr);
}

static bool goes_on(void)
{
    if (board->broken)
        return false;
    if (board->endless)
        return true;
    if (board->play_max_ns)
        return board->played_ns < board->play_max_ns;
    return board->taken < board->worlds_min || wall_ms() < board->until_ms;
}

static void work(void)
{
    while (goes_on()) {
        uint64_t seed = board->first_seed + board->taken++;
        struct wild_result result;
        struct wild w;

        board->playing[self] = seed;
        alarm(WORLD_SECONDS_MAX);
        wild_choose(&w, seed);
        wild_play(&w, &result);
        board->played++;
        board->played_ns += (uint64_t)result.played_ns;
        board->claims += result.claims;
        if (result.broken) {
            board->broken = true;
            alarm(0);
            tell(&w, &result);
            exit(EXIT_FAILURE);
        }
    }
}

static void print_progress(const char *word)
{
    printf("# %s %" PRIu64 " worlds, %.2f simulated hours, %" PRIu64 " addresses claimed\n", word, board->played,
           (double)board->played_ns / NSEC_PER_HOUR, board->claims);
    fflush(stdout);
}

static uint64_t fresh_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec << 20) % 1000000000000;
}

static void begin(void)
{
    const char *hours = getenv("HOURS");

    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(board, MAP_FAILED);
    board->first_seed = hours && !getenv("SEED") ? fresh_seed() : sim_seed();
    board->worlds_min = number("WORLDS", WORLDS_MIN);
    board->until_ms = wall_ms() + 1000 * number("SECONDS", SECONDS_MIN);
    board->endless = hours && strcmp(hours, "forever") == 0;
    board->play_max_ns = hours ? strtoull(hours, NULL, 0) * (uint64_t)NSEC_PER_HOUR : 0;
    if (hours)
        printf("# SEED=%" PRIu64 " and on\n", board->first_seed);
    fflush(NULL);
}

/* Waits for the workers; how many failed. What did not even tell is told here. */
static unsigned wait_for(pid_t *pids)
{
    unsigned left = WORKERS, failed = 0;
    uint64_t told_ms = wall_ms();

    while (left > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid <= 0) {
            if (wall_ms() - told_ms >= PROGRESS_S * 1000) {
                print_progress("so far");
                told_ms = wall_ms();
            }
            usleep(20000);
            continue;
        }
        left--;
        failed += status != 0;
        for (unsigned i = 0; i < WORKERS; i++)
            if (pids[i] == pid && WIFSIGNALED(status)) {
                board->broken = true;
                printf("# SEED=%" PRIu64 ": ended by signal %d\n", board->playing[i], WTERMSIG(status));
                print_commit(stdout);
            }
    }
    return failed;
}

static void test_random_worlds(void **state)
{
    pid_t pids[WORKERS];
    unsigned failed;

    (void)state;
    begin();
    for (self = 0; self < WORKERS; self++) {
        pids[self] = fork();
        assert_true(pids[self] >= 0);
        if (pids[self] == 0) {
            work();
            exit(EXIT_SUCCESS);
        }
    }
    failed = wait_for(pids);
    print_progress("played");
    munmap(board, sizeof *board);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds)};

    cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
