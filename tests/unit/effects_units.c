/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units over a bus of the test's own, with a process on it that has systemd's name. What it does is in the unit's
 * name: "hangs": its job never ends; "fails", "skips": how it ends; "absent": there is no such unit; "mute": not even
 * the call is answered.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/effects/units.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define PATIENCE_NS (30 * NSEC_PER_SEC)

static nsec_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Systemd's part, in a process of its own. */

static uint32_t jobs;

static int end_job(sd_bus *bus, uint32_t job, const char *unit, const char *result)
{
    char path[64];

    snprintf(path, sizeof path, MANAGER_PATH "/job/%u", job);
    return sd_bus_emit_signal(bus, MANAGER_PATH, SYSTEMD ".Manager", "JobRemoved", "uoss", job, path, unit, result);
}

static const char *result_of(const char *unit)
{
    return strstr(unit, "fails") ? "failed" : strstr(unit, "skips") ? "skipped" : "done";
}

static int on_unit_call(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
    const char *unit, *mode;
    char path[64];

    (void)userdata;
    if (sd_bus_message_read(call, "ss", &unit, &mode) < 0 || strcmp(mode, "replace") != 0)
        return sd_bus_error_set_errno(error, EINVAL);
    if (strstr(unit, "mute"))
        return 1;
    if (strstr(unit, "absent"))
        return sd_bus_error_setf(error, SYSTEMD ".NoSuchUnit", "Unit %s not found.", unit);
    if (strstr(unit, "refused"))
        return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "No.");
    jobs++;
    snprintf(path, sizeof path, MANAGER_PATH "/job/%u", jobs);
    /* As systemd does it, the job of another unit ends in between. */
    if (end_job(sd_bus_message_get_bus(call), jobs + 100, "other.service", "failed") < 0 ||
        sd_bus_reply_method_return(call, "o", path) < 0)
        return -EIO;
    return strstr(unit, "hangs") ? 1 : end_job(sd_bus_message_get_bus(call), jobs, unit, result_of(unit));
}

static int on_subscribe(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
    (void)userdata;
    (void)error;
    return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("StartUnit", "ss", "o", on_unit_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StopUnit", "ss", "o", on_unit_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
    SD_BUS_VTABLE_END,
};

/* Never returns; writes a byte when it has its name. */
static void be_systemd(const char *address, int ready)
{
    sd_bus *bus;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 || sd_bus_set_bus_client(bus, true) < 0 ||
        sd_bus_start(bus) < 0 ||
        sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, SYSTEMD ".Manager", manager, NULL) < 0 ||
        sd_bus_request_name(bus, SYSTEMD, 0) < 0 || write(ready, "", 1) != 1)
        _exit(1);
    for (;;) {
        int r = sd_bus_process(bus, NULL);

        if (r < 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
            _exit(0);
    }
}

/* The bus, the manager, and us. */

struct answer {
    uint64_t id;
    int error;
    char text[128];
};

struct world {
    char folder[32];
    char address[64];
    pid_t bus, systemd; /* 0: does not run */
    sd_event *loop;
    struct units *units;
    struct answer answers[16]; /* in the order in which they came */
    size_t n_answers;
    const char *next; /* asked for from within the first answer; NULL */
};

static void await_byte(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 1);
    close(fd);
}

static void start_bus(struct world *world)
{
    char config[64], text[1024], fd_option[32];
    int ready[2];
    FILE *file;

    snprintf(config, sizeof config, "%s/bus.conf", world->folder);
    snprintf(world->address, sizeof world->address, "unix:path=%s/bus", world->folder);
    snprintf(text, sizeof text,
             "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
             "<allow send_destination=\"*\"/><allow eavesdrop=\"false\"/><allow own=\"*\"/></policy></busconfig>\n",
             world->address);
    file = fopen(config, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(pipe(ready), 0);
    snprintf(fd_option, sizeof fd_option, "--print-pid=%d", ready[1]);
    snprintf(text, sizeof text, "--config-file=%s", config);
    world->bus = fork();
    if (world->bus == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("dbus-daemon", "dbus-daemon", text, "--nofork", "--nosyslog", fd_option, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    await_byte(ready[0]);
}

static void start_systemd(struct world *world)
{
    int ready[2];

    assert_int_equal(pipe(ready), 0);
    world->systemd = fork();
    if (world->systemd == 0)
        be_systemd(world->address, ready[1]);
    close(ready[1]);
    await_byte(ready[0]);
}

static void end_process(pid_t *pid)
{
    if (*pid == 0)
        return;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

static void on_done(void *userdata, uint64_t id, int error, const char *text)
{
    struct world *world = userdata;
    struct answer *answer = &world->answers[world->n_answers++];
    const char *next = world->next;

    assert_true(world->n_answers <= sizeof world->answers / sizeof *world->answers);
    answer->id = id;
    answer->error = error;
    snprintf(answer->text, sizeof answer->text, "%s", text);
    world->next = NULL;
    if (next)
        assert_int_equal(units_request(world->units, clock_ns(), 100, UNITS_START, next, PATIENCE_NS), 0);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    strcpy(world->folder, "/tmp/standin-units-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    start_bus(world);
    start_systemd(world);
    assert_int_equal(sd_event_new(&world->loop), 0);
    assert_int_equal(units_open(&world->units, world->loop, SD_EVENT_PRIORITY_NORMAL, world->address, on_done, world),
                     0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char path[64];

    units_close(world->units);
    sd_event_unref(world->loop);
    end_process(&world->systemd);
    end_process(&world->bus);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", world->folder, i == 0 ? "bus" : "bus.conf");
        unlink(path);
    }
    rmdir(world->folder);
    free(world);
    return 0;
}

static void ask(struct world *world, uint64_t id, enum units_operation operation, const char *name, nsec_t timeout_ns)
{
    size_t before = world->n_answers;

    assert_int_equal(units_request(world->units, clock_ns(), id, operation, name, timeout_ns), 0);
    assert_int_equal(world->n_answers, before); /* never from within */
}

/* Runs the loop until so many answers are there; false: not in time. */
static bool run_until(struct world *world, size_t n, nsec_t patience_ns)
{
    nsec_t end_ns = clock_ns() + patience_ns;

    while (world->n_answers < n && clock_ns() < end_ns) {
        assert_true(sd_event_run(world->loop, 10000) >= 0);
        if (units_deadline(world->units) <= clock_ns())
            units_on_time(world->units, clock_ns());
    }
    return world->n_answers >= n;
}

static const struct answer *await(struct world *world, uint64_t id)
{
    nsec_t end_ns = clock_ns() + PATIENCE_NS;

    for (size_t n = 0; clock_ns() < end_ns; n++) {
        for (size_t i = 0; i < world->n_answers; i++)
            if (world->answers[i].id == id)
                return &world->answers[i];
        run_until(world, world->n_answers + 1, PATIENCE_NS);
    }
    fail_msg("no answer to %lu", (unsigned long)id);
    return NULL;
}

static void assert_ends(struct world *world, uint64_t id, enum units_operation operation, const char *name, int error,
                        const char *text)
{
    const struct answer *answer;

    ask(world, id, operation, name, PATIENCE_NS);
    answer = await(world, id);
    assert_int_equal(answer->error, error);
    assert_string_equal(answer->text, text);
    assert_int_equal(units_deadline(world->units), NSEC_NEVER);
}

static void how_jobs_end(void **state)
{
    struct world *world = *state;

    assert_ends(world, 1, UNITS_START, "good.service", 0, "done");
    assert_ends(world, 2, UNITS_STOP, "good.service", 0, "done");
    assert_ends(world, 3, UNITS_START, "skips.service", 0, "skipped");
    assert_ends(world, 4, UNITS_START, "fails.service", -EREMOTEIO, "failed");
    assert_ends(world, 5, UNITS_STOP, "absent.service", -ENOENT, "Unit absent.service not found.");
    assert_ends(world, 6, UNITS_START, "refused.service", -EREMOTEIO, "No.");
    assert_int_equal(world->n_answers, 6);
}

static void a_time_limit(void **state)
{
    struct world *world = *state;
    nsec_t before_ns = clock_ns();

    ask(world, 1, UNITS_START, "hangs.service", 200 * NSEC_PER_MSEC);
    ask(world, 2, UNITS_START, "mute.service", 300 * NSEC_PER_MSEC);
    assert_int_equal(await(world, 1)->error, -ETIMEDOUT);
    assert_true(clock_ns() - before_ns >= 200 * NSEC_PER_MSEC);
    assert_int_equal(await(world, 2)->error, -ETIMEDOUT);
    assert_true(clock_ns() - before_ns >= 300 * NSEC_PER_MSEC);
    assert_int_equal(world->n_answers, 2);
    assert_ends(world, 3, UNITS_START, "good.service", 0, "done");
}

static void several_at_once(void **state)
{
    struct world *world = *state;

    ask(world, 1, UNITS_START, "hangs.service", PATIENCE_NS);
    ask(world, 2, UNITS_START, "fails.service", PATIENCE_NS);
    ask(world, 3, UNITS_START, "good.service", PATIENCE_NS);
    ask(world, 4, UNITS_START, "absent.service", PATIENCE_NS);
    assert_int_equal(await(world, 2)->error, -EREMOTEIO);
    assert_int_equal(await(world, 3)->error, 0);
    assert_int_equal(await(world, 4)->error, -ENOENT);
    assert_int_equal(world->n_answers, 3);
}

static void forgotten(void **state)
{
    struct world *world = *state;

    ask(world, 1, UNITS_START, "good.service", PATIENCE_NS);
    units_forget(world->units, 1);
    ask(world, 2, UNITS_START, "hangs.service", PATIENCE_NS);
    ask(world, 3, UNITS_START, "good.service", PATIENCE_NS);
    await(world, 3);
    units_forget(world->units, 2);
    units_forget(world->units, 77);
    assert_int_equal(units_deadline(world->units), NSEC_NEVER);
    assert_false(run_until(world, 2, 100 * NSEC_PER_MSEC));
}

/* One that is asked for from within an answer, also from an answer of units_on_time. */
static void from_within(void **state)
{
    struct world *world = *state;

    world->next = "good.service";
    ask(world, 1, UNITS_START, "fails.service", PATIENCE_NS);
    assert_int_equal(await(world, 100)->error, 0);
    world->n_answers = 0;
    world->next = "good.service";
    ask(world, 2, UNITS_START, "hangs.service", NSEC_PER_MSEC);
    assert_int_equal(await(world, 100)->error, 0);
}

static void systemd_goes_and_comes(void **state)
{
    struct world *world = *state;

    ask(world, 1, UNITS_START, "mute.service", PATIENCE_NS);
    ask(world, 2, UNITS_START, "good.service", PATIENCE_NS);
    await(world, 2);
    end_process(&world->systemd);
    assert_int_equal(await(world, 1)->error, -ENOTCONN);
    ask(world, 3, UNITS_START, "good.service", PATIENCE_NS);
    assert_int_equal(await(world, 3)->error, -ENOTCONN);
    start_systemd(world);
    assert_ends(world, 4, UNITS_START, "good.service", 0, "done");
}

static void the_bus_goes_and_comes(void **state)
{
    struct world *world = *state;

    ask(world, 1, UNITS_START, "hangs.service", PATIENCE_NS);
    ask(world, 2, UNITS_START, "good.service", PATIENCE_NS);
    await(world, 2);
    ask(world, 3, UNITS_START, "mute.service", PATIENCE_NS);
    end_process(&world->bus);
    assert_int_equal(await(world, 1)->error, -ENOTCONN);
    assert_int_equal(await(world, 3)->error, -ENOTCONN);
    ask(world, 4, UNITS_START, "good.service", PATIENCE_NS);
    assert_int_equal(await(world, 4)->error, -ENOTCONN);
    end_process(&world->systemd);
    start_bus(world);
    start_systemd(world);
    assert_ends(world, 5, UNITS_START, "good.service", 0, "done");
    assert_int_equal(world->n_answers, 5);
}

/* Closed while something is under way: nothing is called any more, and nothing is left (the sanitizers tell). */
static void closed(void **state)
{
    struct world *world = *state;

    ask(world, 1, UNITS_START, "hangs.service", PATIENCE_NS);
    ask(world, 2, UNITS_START, "good.service", PATIENCE_NS);
    await(world, 2);
    ask(world, 3, UNITS_START, "good.service", PATIENCE_NS);
    units_close(world->units);
    world->units = NULL;
    assert_true(sd_event_run(world->loop, 10000) >= 0);
    assert_int_equal(world->n_answers, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(how_jobs_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_time_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(from_within, set_up, tear_down),
        cmocka_unit_test_setup_teardown(systemd_goes_and_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_bus_goes_and_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
