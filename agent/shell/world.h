/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world as it is: the agent's ports over real sockets, netlink and packet capture, on an sd-event loop. Everything
 * that becomes readable is handed to the agent; one timer stands for all its deadlines.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/shell/agent.h"

struct world;

/* Opens everything and makes the agent. 0 or negative errno; *ret_what then names what could not be opened. */
int world_open(struct world **ret, sd_event *event, const char **ret_what);
void world_close(struct world *world);

struct agent *world_agent(struct world *world);
/* CLOCK_MONOTONIC now. */
nsec_t world_now(void);

/* Loads the ipmap into the agent and opens a port on each target NIC. `first`: adopt what the kernel holds for us. */
int world_load(struct world *world, struct ipmap *ipmap, bool first);

/*
 * Ends an event that the daemon handled itself: flushes the agent and sets the timer. `also_ns`: a deadline of the
 * daemon's own, NSEC_NEVER where it has none; on_due is called when any has come.
 */
void world_settle(struct world *world, nsec_t also_ns);
void world_on_timer(struct world *world, void (*on_due)(void *userdata, nsec_t now_ns), void *userdata);
