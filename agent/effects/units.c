/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
/* Object paths of jobs are "/org/freedesktop/systemd1/job/NUMBER". */
#define PATH_MAX_BYTES 128

struct request {
    struct request *next;
    struct units *units;
    uint64_t id;
    sd_bus_slot *call;        /* the call that asks for the job; NULL once it was answered */
    char job[PATH_MAX_BYTES]; /* object path of the job; "": not known yet */
    nsec_t until_ns;
    int error; /* it could not even be asked for: told with the next units_on_time; 0 */
};

struct units {
    sd_event *loop;
    int64_t priority;
    char *address; /* NULL: the system's bus */
    sd_bus *bus;   /* NULL: not connected */
    struct request *requests;
    units_done_fn done;
    void *userdata;
};

int units_open(struct units **ret, sd_event *loop, int64_t priority, const char *address, units_done_fn done,
               void *userdata)
{
    struct units *units = calloc(1, sizeof *units);

    if (!units || (address && !(units->address = strdup(address)))) {
        free(units);
        return -ENOMEM;
    }
    units->loop = sd_event_ref(loop);
    units->priority = priority;
    units->done = done;
    units->userdata = userdata;
    *ret = units;
    return 0;
}

static void request_free(struct request *request)
{
    sd_bus_slot_unref(request->call);
    free(request);
}

static void disconnect(struct units *units)
{
    sd_bus *bus = units->bus;

    units->bus = NULL;
    if (bus) {
        sd_bus_detach_event(bus);
        sd_bus_close_unref(bus);
    }
}

void units_close(struct units *units)
{
    if (!units)
        return;
    for (struct request *request = units->requests, *next; request; request = next) {
        next = request->next;
        request_free(request);
    }
    disconnect(units);
    sd_event_unref(units->loop);
    free(units->address);
    free(units);
}

/* Takes the request out of the list. */
static void unlink_request(struct units *units, const struct request *request)
{
    for (struct request **slot = &units->requests; *slot; slot = &(*slot)->next)
        if (*slot == request) {
            *slot = request->next;
            return;
        }
}

static void end(struct request *request, int error, const char *text)
{
    struct units *units = request->units;
    uint64_t id = request->id;

    unlink_request(units, request);
    request_free(request);
    units->done(units->userdata, id, error, text);
}

void units_forget(struct units *units, uint64_t id)
{
    for (struct request *request = units->requests; request; request = request->next)
        if (request->id == id) {
            unlink_request(units, request);
            request_free(request);
            return;
        }
}

/* The connection is gone, and the answers with it. */
static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct units *units = userdata;

    (void)message;
    (void)error;
    disconnect(units);
    for (struct request *request = units->requests; request; request = request->next) {
        request->call = sd_bus_slot_unref(request->call);
        request->error = -ENOTCONN;
    }
    return 0;
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct units *units = userdata;
    const char *path = NULL, *unit = NULL, *result = NULL;
    uint32_t number;

    (void)error;
    if (sd_bus_message_read(message, "uoss", &number, &path, &unit, &result) < 0)
        return 0;
    for (struct request *request = units->requests; request; request = request->next)
        if (request->job[0] && strcmp(request->job, path) == 0) {
            /* "skipped": a condition of the unit's own says that there is nothing to do. */
            end(request, strcmp(result, "done") == 0 || strcmp(result, "skipped") == 0 ? 0 : -EREMOTEIO, result);
            break;
        }
    return 0;
}

static int on_called(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct request *request = userdata;
    const sd_bus_error *refused = sd_bus_message_get_error(message);
    const char *path = NULL;

    (void)error;
    request->call = sd_bus_slot_unref(request->call);
    if (refused && (sd_bus_error_has_name(refused, SD_BUS_ERROR_NO_REPLY) ||
                    sd_bus_error_has_name(refused, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                    sd_bus_error_has_name(refused, SD_BUS_ERROR_NAME_HAS_NO_OWNER)))
        end(request, -ENOTCONN, refused->message ? refused->message : "");
    else if (refused)
        end(request, sd_bus_error_has_name(refused, "org.freedesktop.systemd1.NoSuchUnit") ? -ENOENT : -EREMOTEIO,
            refused->message ? refused->message : "");
    else if (sd_bus_message_read(message, "o", &path) < 0 || strlen(path) >= sizeof request->job)
        end(request, -EREMOTEIO, "systemd's answer is not understood");
    else
        snprintf(request->job, sizeof request->job, "%s", path);
    return 0;
}

/* Asks systemd for the signals about jobs. Nothing of it waits for an answer. */
static int set_up(struct units *units)
{
    int r = sd_bus_match_signal_async(units->bus, NULL, SYSTEMD, SYSTEMD_PATH, MANAGER, "JobRemoved", on_job_removed,
                                      NULL, units);

    if (r >= 0)
        r = sd_bus_match_signal_async(units->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                      "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, units);
    if (r >= 0)
        r = sd_bus_call_method_async(units->bus, NULL, SYSTEMD, SYSTEMD_PATH, MANAGER, "Subscribe", NULL, NULL, "");
    if (r >= 0)
        r = sd_bus_attach_event(units->bus, units->loop, (int)units->priority);
    return r;
}

static int connect_bus(struct units *units)
{
    int r;

    if (units->bus)
        return 0;
    if (!units->address)
        r = sd_bus_open_system(&units->bus);
    else if ((r = sd_bus_new(&units->bus)) >= 0 && (r = sd_bus_set_address(units->bus, units->address)) >= 0 &&
             (r = sd_bus_set_bus_client(units->bus, true)) >= 0)
        r = sd_bus_start(units->bus);
    if (r >= 0)
        r = set_up(units);
    if (r < 0)
        disconnect(units);
    return r;
}

int units_request(struct units *units, nsec_t now_ns, uint64_t id, enum units_operation operation, const char *name,
                  nsec_t timeout_ns)
{
    struct request *request = calloc(1, sizeof *request);
    int r;

    if (!request)
        return -ENOMEM;
    *request = (struct request){.next = units->requests, .units = units, .id = id, .until_ns = now_ns + timeout_ns};
    units->requests = request;
    r = connect_bus(units);
    if (r >= 0)
        r = sd_bus_call_method_async(units->bus, &request->call, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                     operation == UNITS_START ? "StartUnit" : "StopUnit", on_called, request, "ss",
                                     name, "replace");
    if (r < 0)
        request->error = r == -ENOMEM ? r : -ENOTCONN;
    return 0;
}

nsec_t units_deadline(const struct units *units)
{
    nsec_t due_ns = NSEC_NEVER;

    for (const struct request *request = units->requests; request; request = request->next)
        due_ns = nsec_min(due_ns, request->error ? 0 : request->until_ns);
    return due_ns;
}

/* One that is over; NULL where none is. */
static struct request *next_over(const struct units *units, nsec_t now_ns)
{
    for (struct request *request = units->requests; request; request = request->next)
        if (request->error || request->until_ns <= now_ns)
            return request;
    return NULL;
}

void units_on_time(struct units *units, nsec_t now_ns)
{
    struct request *request;

    /* `done` may ask for more, and forget others: the list is looked at from its head each time. */
    while ((request = next_over(units, now_ns)))
        end(request, request->error ? request->error : -ETIMEDOUT, "");
}
