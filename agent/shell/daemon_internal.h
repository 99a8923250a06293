/* SPDX-License-Identifier: Apache-2.0 */
/* What daemon.c and daemon_load.c share. Nobody else includes this. */
#pragma once

#include "agent/control/server.h"
#include "agent/shell/guarding.h"
#include "agent/shell/keeper.h"
#include "agent/shell/loader.h"
#include "agent/shell/options.h"
#include "agent/shell/world.h"

/* Commands that wait for one reload at once. */
#define RELOAD_CLIENTS_MAX CONTROL_CLIENTS_MAX
struct daemon {
    struct options options;
    sd_event *event;
    struct world *world;
    struct control_server *control;
    struct guarding *guarding;
    struct keeper *keeper;          /* of the journal */
    struct ipmap *first;            /* the file as it was read at the start, until it is in effect */
    struct loader *loader;          /* the file is being read; NULL */
    sd_event_source *loader_source; /* of its end */
    bool applying;                  /* to take it into effect, not just to check it */
    bool reload_again;              /* a reload was asked for meanwhile */
    struct control_client *waiting[RELOAD_CLIENTS_MAX]; /* for its end */
    size_t n_waiting;
    size_t n_served;      /* of these: who asked before the reading under way began */
    char file_error[512]; /* of the last reload, for status */
    nsec_t started_ns;
    nsec_t leaving_until_ns; /* SIGTERM came; 0: it did not */
    nsec_t watchdog_ns;      /* how often systemd wants to hear of us; 0: not */
    nsec_t watchdog_due_ns;
    nsec_t status_due_ns;
    char status[160]; /* what systemd was last told */
};

/* Reads the file again, for a reload: at once, or after the reading that is under way. 0 or negative errno. */
int reload_start(struct daemon *d);
/* `reload` (apply) and `check`: answered when the file was read. */
void load_on_command(struct daemon *d, struct control_client *client, bool apply);
/* The client of one of those is gone. */
void load_forget(struct daemon *d, const struct control_client *client);
