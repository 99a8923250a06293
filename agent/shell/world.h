/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world as it is: the agent's ports over real sockets, netlink and packet capture. Everything that becomes readable
 * is handed to the agent: probes' sockets by the loop here, which is the one of the process, the rest by sd-event.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/shell/agent.h"

struct world;

/* Bytes of a path here, with its NUL: sockets have no longer ones. */
#define WORLD_PATH 256

/* Opens everything and makes the agent. 0 or negative errno; *ret_what then names what could not be opened. */
int world_open(struct world **ret, sd_event *event, const char **ret_what);
void world_close(struct world *world);

struct agent *world_agent(struct world *world);
/* CLOCK_MONOTONIC now. */
nsec_t world_now(void);

/* From now on the guard is told of every claim and release. NULL: there is none. */
struct guarding;
void world_set_guarding(struct world *world, struct guarding *guarding);

/* From now on journals are handed to it. */
struct keeper;
void world_set_keeper(struct world *world, struct keeper *keeper);

/* Starts what the file wants for services, while there still are all rights; `folder`: of sockets and flag files. */
int world_prepare_services(struct world *world, const char *folder, const struct ipmap *ipmap);

/* Loads the ipmap into the agent and opens a port on each target NIC. `first`: adopt what the kernel holds for us. */
int world_load(struct world *world, struct ipmap *ipmap, bool first);

/* After every event: what it set off goes out. The time of that. */
nsec_t world_flush(struct world *world);
/* Then it has ended. */
void world_end_event(struct world *world);
/*
 * Waits for what comes next, at the latest for the agent's next deadline or the daemon's own (NSEC_NEVER: none), and
 * hands it over. Above 0: it was an event; 0: it was nothing; or negative errno.
 */
int world_wait(struct world *world, nsec_t also_ns);
/* `on_due` is called whenever a deadline was reached, after the agent's turn. */
void world_on_due(struct world *world, void (*on_due)(void *userdata, nsec_t now_ns), void *userdata);
