/* SPDX-License-Identifier: Apache-2.0 */
/* The services of sources, as files make them: room for their checks and steps, and what a new file keeps of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* Ids of jobs: whose they are stands in the lowest bits, so that they tell of what they are the answer. */
#define JOB_OWNER_BITS 20
_Static_assert(LIMIT_CHECKS < 1 << JOB_OWNER_BITS, "a check's number is part of a job's id");

uint64_t job_id(struct agent *agent, uint32_t check)
{
    return ++agent->jobs << JOB_OWNER_BITS | (check == UINT32_MAX ? 0 : check + 1);
}

uint32_t job_check(uint64_t id)
{
    uint64_t owner = id & ((1u << JOB_OWNER_BITS) - 1);

    return owner == 0 ? UINT32_MAX : (uint32_t)owner - 1;
}

void services_free(struct services *s)
{
    if (!s)
        return;
    free(s->units);
    free(s->steps);
    free(s);
}

void agent_name_target(const struct ipmap_source *map, char *text, size_t size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.-";
    size_t used = (size_t)snprintf(text, size, "standin-");

    for (const char *c = map->name; *c; c++)
        used += (size_t)snprintf(text + used, size - used, strchr(plain, *c) ? "%c" : "\\x%02x", (unsigned char)*c);
    snprintf(text + used, size - used, ".target");
}

const char *services_unit(const struct plan *plan, uint32_t source, uint32_t item)
{
    return item == UNIT_OF_SOURCE ? plan->services[source]->target : plan->source_maps[source]->units[item].name;
}

static bool has_any(const struct ipmap_source *map)
{
    return map->n_checks > 0 || map->n_hooks > 0 || map->n_units > 0 || map->fence || map->dns;
}

int services_plan(struct plan *plan, uint32_t source)
{
    const struct ipmap_source *map = plan->source_maps[source];
    struct services *s;

    if (!has_any(map))
        return 0;
    s = plan->services[source] = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    /* Each NIC may be prepared, taken, left and given in a row before the first step has ended. */
    s->steps_max = (uint32_t)((map->n_nics + 2) * 2 * (map->n_hooks + 2 * map->n_units + 8));
    s->steps = calloc(s->steps_max, sizeof *s->steps);
    s->units = calloc(map->n_units + 1, sizeof *s->units);
    if (!s->steps || !s->units)
        return -ENOMEM;
    agent_name_target(map, s->target, sizeof s->target);
    s->first_check = plan->n_checks;
    s->n_checks = (uint32_t)map->n_checks;
    for (size_t i = 0; i < map->n_checks; i++)
        plan->checks[plan->n_checks++] = (struct check){.map = &map->checks[i], .source = source};
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_command(const struct ipmap_command *a, const struct ipmap_command *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->text, b->text) == 0 && a->shell == b->shell && same_text(a->user, b->user);
}

/* Whether steps that were planned for the one file mean the same in the other. */
static bool same_steps(const struct ipmap_source *a, const struct ipmap_source *b)
{
    if (a->n_hooks != b->n_hooks || a->n_units != b->n_units || !a->dns != !b->dns || !same_command(a->fence, b->fence))
        return false;
    for (size_t i = 0; i < a->n_hooks; i++)
        if (a->hooks[i].point != b->hooks[i].point || a->hooks[i].veto != b->hooks[i].veto ||
            !same_command(&a->hooks[i].command, &b->hooks[i].command))
            return false;
    for (size_t i = 0; i < a->n_units; i++)
        if (strcmp(a->units[i].name, b->units[i].name) != 0)
            return false;
    return true;
}

/* The number of an old NIC in the new file; UINT32_MAX stays. False: it is gone. */
static bool new_nic(const struct plan *from, const struct plan *to, uint32_t source, uint32_t old, uint32_t *ret)
{
    *ret = UINT32_MAX;
    return old == UINT32_MAX || plan_find_nic(to, source, from->nic_maps[old]->name, ret) == 0;
}

/*
 * Steps that wait go on. Where the file has others now, none of them may run, and what the core waits for has failed:
 * it is tried again under the new file.
 */
static void carry_steps(struct agent *agent, struct plan *from, uint32_t old, struct plan *to, uint32_t source)
{
    struct services *was = from->services[old], *is = to->services[source];
    bool alike = same_steps(from->source_maps[old], to->source_maps[source]);

    for (uint32_t i = 0; i < was->n_steps; i++) {
        struct step step = was->steps[(was->first_step + i) % was->steps_max];
        bool there = new_nic(from, to, source, step.nic, &step.nic);

        if (!alike && step.kind == STEP_END)
            step.item = STEP_CUT_SHORT;
        if (!there || (!alike && step.kind != STEP_END) || is->n_steps == is->steps_max)
            continue;
        is->steps[is->n_steps++] = step;
        if (i == 0)
            is->job = was->job;
    }
    if (alike)
        is->verdict = was->verdict;
    is->begun_ns = was->begun_ns;
    agent->steps_changed = true;
}

/* What became of a unit stays with its name. */
static void carry_units(const struct ipmap_source *from, const struct services *was, const struct ipmap_source *to,
                        struct services *is)
{
    is->units[to->n_units] = was->units[from->n_units];
    for (size_t i = 0; i < to->n_units; i++)
        for (size_t k = 0; k < from->n_units; k++)
            if (strcmp(to->units[i].name, from->units[k].name) == 0)
                is->units[i] = was->units[k];
}

static void carry_standing(const struct plan *from, uint32_t old, struct plan *to, uint32_t source)
{
    const struct core_source *s = &to->core.sources[source];
    uint32_t nic;

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        if (plan_find_nic(from, old, to->nic_maps[i]->name, &nic) == 0)
            to->standing[i] = from->standing[nic];
    if (!to->services[source])
        return;
    to->services[source]->n_standing =
        s->n_nics == 0 && from->services[old] ? from->services[old]->n_standing : plan_count_standing(to, source);
}

static void carry_source(struct agent *agent, struct plan *from, uint32_t old, struct plan *to, uint32_t source)
{
    struct services *was = from->services[old], *is = to->services[source];

    carry_steps(agent, from, old, to, source);
    carry_units(from->source_maps[old], was, to->source_maps[source], is);
    checks_carry(agent, from, old, to, source);
    core_carry_service(&to->core, source, &from->core, old);
    is->fenced_ns = was->fenced_ns;
    is->name_state = was->name_state;
    memcpy(is->name_text, was->name_text, sizeof is->name_text);
    memcpy(is->trouble, was->trouble, sizeof is->trouble);
    memcpy(is->alarm, was->alarm, sizeof is->alarm);
}

/* The new file does without what we stand in for: what was started is ended, and nobody waits for it any more. */
static void farewell(struct agent *agent, const struct plan *from, uint32_t old)
{
    const struct services *was = from->services[old];
    const struct ipmap_source *map = from->source_maps[old];

    if (was->n_standing == 0)
        return;
    agent_say(agent, LOG_NOTICE, "%s: its units are stopped, because the file does without it now", map->name);
    agent->ports->unit(agent->userdata, job_id(agent, UINT32_MAX), UNITS_STOP, was->target, UNIT_OF_SOURCE_NS);
    for (size_t i = map->n_units; i-- > 0;)
        agent->ports->unit(agent->userdata, job_id(agent, UINT32_MAX), UNITS_STOP, map->units[i].name,
                           map->units[i].timeout_ns);
    if (map->dns)
        hooks_ask_name(agent, job_id(agent, UINT32_MAX), map->dns, JOB_DNS_RESTORE);
}

/* Whether this host stands in for a source of the plan, or a part of it. */
static bool stands_in(const struct plan *plan, uint32_t source)
{
    return plan->services[source] ? plan->services[source]->n_standing > 0 : plan_count_standing(plan, source) > 0;
}

void services_carry(struct agent *agent, struct plan *from, struct plan *to)
{
    checks_end(agent, from);
    for (uint32_t i = 0; i < from->core.n_sources; i++) {
        uint32_t source;
        bool there = plan_find_source(to, from->source_maps[i]->name, &source) == 0;

        if (there)
            carry_standing(from, i, to, source);
        if (stands_in(from, i) && !(there && stands_in(to, source)))
            agent->ports->flag(agent->userdata, from->source_maps[i]->name, false);
        if (from->services[i] && there && to->services[source])
            carry_source(agent, from, i, to, source);
        else if (from->services[i])
            farewell(agent, from, i);
    }
}

bool agent_stands_in(const struct agent *agent, const char *source)
{
    const struct core *core = &agent->plan->core;
    uint32_t number;
    const struct core_source *s;

    if (plan_find_source(agent->plan, source, &number) < 0)
        return false;
    s = &core->sources[number];
    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        if (core->nics[i].n_held > 0 || core->nics[i].state == CORE_HOLDING)
            return true;
    return s->service == CORE_SERVICE_HOLDING || s->service == CORE_SERVICE_RELEASING;
}
