/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard as the daemon sees it: started, fed, told what is held, put in charge, left behind. See agent/guard/guard.h
 * for what it does. Every function takes a guarding that has no guard (`guard off`) for what it is.
 */
#pragma once

#include <systemd/sd-event.h>

#include "netlink/claims.h"

struct guarding;

/* What a guarding asks of its owner. */
struct guarding_owner {
    /* The guard took addresses off because we hung. Called before the kernel's notices of that are read. */
    void (*hung)(void *userdata);
    /* A new guard has to be told, by guarding_hold, of all that is held. */
    void (*tell)(void *userdata, struct guarding *guarding);
    void *userdata;
};

/*
 * Starts a guard beside the control socket at `control`. patience_ns: NSEC_NEVER: none. It is put in charge once it was
 * told all. 0 or negative errno.
 */
int guarding_open(struct guarding **ret, sd_event *event, const char *control, nsec_t patience_ns,
                  const struct guarding_owner *owner);
/* From now on it may be put in charge: what an agent before us left was adopted. */
void guarding_adopted(struct guarding *guarding);
/* Ends our side. `all_released`: the guard ends too; else it waits for a successor, and removes when none comes. */
void guarding_close(struct guarding *guarding, bool all_released);
/* Another patience: a new guard takes over from the one before. */
int guarding_set_patience(struct guarding *guarding, nsec_t patience_ns);

bool guarding_is_on(const struct guarding *guarding);
/* A sentence for status. */
const char *guarding_text(const struct guarding *guarding);

/* Told of every claim before it is put on, and of every address that is off. */
void guarding_hold(struct guarding *guarding, int ifindex, const struct ip_address *ip, uint8_t prefix);
void guarding_drop(struct guarding *guarding, int ifindex, const struct ip_address *ip, uint8_t prefix);

/* After each event. `well`: no timer is overdue, which is a sign of life. */
void guarding_feed(struct guarding *guarding, nsec_t now_ns, bool well);
nsec_t guarding_deadline(const struct guarding *guarding);
