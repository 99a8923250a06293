/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the journal in the state folder: takes the folder, reads what the agent before left, hands over what is to be
 * written, and tells people when that fails and when it works again. The agent works without.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/shell/agent.h"

struct keeper;

/* Reads the journal into the agent, which has no file yet. 0 or -ENOMEM: a bad disk is no error here. */
int keeper_open(struct keeper **ret, sd_event *event, const char *state, struct agent *agent);
/* Waits for the disk. */
void keeper_close(struct keeper *keeper);
/* Takes `text` (from malloc); never waits. */
void keeper_submit(struct keeper *keeper, char *text, size_t length);
/* For status: "kept in DIR", or what is wrong. */
const char *keeper_text(struct keeper *keeper);
