/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's units, started and stopped over D-Bus (org.freedesktop.systemd1, sd-bus(3)). Nothing waits: a request is
 * queued, and done when systemd says how its job ended. Dependencies, mounts and restarts are systemd's business.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/base/time.h"

enum units_operation {
    UNITS_START,
    UNITS_STOP,
};

struct units;

/*
 * How a request ended: 0; -ENOENT: there is no such unit; -ENOTCONN: systemd cannot be reached; -ETIMEDOUT: not in
 * time (its job goes on); -EREMOTEIO: systemd refused it, or its job failed. `text`: in systemd's words, "" where it
 * has none.
 */
typedef void (*units_done_fn)(void *userdata, uint64_t id, int error, const char *text);

/*
 * `address`: of the bus; NULL: the system's. The connection is made with the first request, and anew when it is lost;
 * its events are served by `loop`, where `done` is called. 0 or negative errno.
 */
int units_open(struct units **ret, sd_event *loop, int64_t priority, const char *address, units_done_fn done,
               void *userdata);
void units_close(struct units *units);

/* `id`: the caller's, of no other request under way. 0: `done` tells how it ended, never from within; -ENOMEM. */
int units_request(struct units *units, nsec_t now_ns, uint64_t id, enum units_operation operation, const char *name,
                  nsec_t timeout_ns);
/* `done` is not called for it any more. What systemd has begun goes on. */
void units_forget(struct units *units, uint64_t id);

/* When units_on_time is to be called next; NSEC_NEVER. */
nsec_t units_deadline(const struct units *units);
/* Ends what took too long, or could not be sent. */
void units_on_time(struct units *units, nsec_t now_ns);
