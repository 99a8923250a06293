/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fails in the modelled world: the Nth chance of one kind, or all from the Nth on. One plan is in force at a time.
 * ports.c puts faults in front of the model's ports.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_kind {
    FAULT_MEMORY,  /* an allocation of the product, or of jansson on its behalf */
    FAULT_PORT,    /* a call through a port */
    FAULT_RESULT,  /* what the kernel answers to a claim, release or renewal, later */
    FAULT_UNHEARD, /* the same, but what was asked for is done: the true answer was lost */
    FAULT_UNSENT,  /* a request that the kernel refuses on flush */
    FAULT_KINDS,
};

/* Begins a plan: the chances are counted from 1; `nth` 0: nothing fails, they are only counted. error > 0. */
void fault_begin(enum fault_kind kind, uint64_t nth, bool lasting, int error);
/* Faults happen while this is on. Off at first. */
void fault_arm(bool on);
/* Takes one chance: the errno (> 0) that it fails with, or 0. */
int fault_hit(enum fault_kind kind);
/* Chances of the plan's kind so far. */
uint64_t fault_count(void);
/* How often something failed. */
uint64_t fault_hits(void);

/* memory.c: the product is linked with these in the place of malloc and its like. */
void *fault_malloc(size_t size);
/* What the product has allocated and not freed. */
size_t fault_living(void);

/* load.c: a new file takes effect; 0 or negative errno, and then the one before stays in effect. */
struct sim_agent;
int fault_reload(struct sim_agent *agent, const char *text);
/* How many loads were refused. */
unsigned fault_loads_refused(void);
