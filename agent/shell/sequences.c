/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is run for a source, and when:
 *
 *   before a claim      pre-takeover hooks, the fence                       each NIC, or once for a failed service
 *   after it            units in order, standin-SOURCE.target, the DNS      with the first NIC of the source
 *                       post-takeover hooks                                 each NIC
 *   before a release    pre-failback hooks                                  each NIC
 *                       standin-SOURCE.target and units, in reverse         with the last NIC
 *   after it            the DNS, units that still run                       with the last NIC
 *                       post-failback hooks                                 each NIC
 *
 * The flag file of the source is there from the first NIC to the last. What an agent before us held has its units
 * started again, which does nothing where they run; its hooks are not run again. Where such a flag is found and nothing
 * is held, because the guard released it, the units are stopped.
 */
#include <string.h>

#include "agent/shell/internal.h"

static void add(struct agent *agent, uint32_t source, struct step step, enum step_kind kind, uint32_t item)
{
    step.kind = kind;
    step.item = item;
    steps_add(agent, source, &step);
}

static void add_hooks(struct agent *agent, uint32_t source, struct step step, enum ipmap_hook_point point)
{
    const struct ipmap_source *map = agent->plan->source_maps[source];

    for (size_t i = 0; i < map->n_hooks; i++)
        if (map->hooks[i].point == point)
            add(agent, source, step, STEP_HOOK, (uint32_t)i);
}

static void add_starts(struct agent *agent, uint32_t source, struct step step)
{
    const struct ipmap_source *map = agent->plan->source_maps[source];

    for (size_t i = 0; i < map->n_units; i++)
        add(agent, source, step, STEP_UNIT_START, (uint32_t)i);
    add(agent, source, step, STEP_UNIT_START, UNIT_OF_SOURCE);
}

static bool may_run(const struct unit *unit)
{
    return unit->state && strcmp(unit->state, "stopped") != 0 && strcmp(unit->state, "failed") != 0;
}

/* Those that may run. */
static void add_stops(struct agent *agent, uint32_t source, struct step step)
{
    const struct ipmap_source *map = agent->plan->source_maps[source];
    const struct services *s = agent->plan->services[source];

    if (may_run(&s->units[map->n_units]))
        add(agent, source, step, STEP_UNIT_STOP, UNIT_OF_SOURCE);
    for (size_t i = map->n_units; i-- > 0;)
        if (may_run(&s->units[i]))
            add(agent, source, step, STEP_UNIT_STOP, (uint32_t)i);
}

static enum cause cause_of(const struct core *core, uint32_t nic)
{
    const struct core_nic *n = &core->nics[nic];

    if (n->by_operator || n->reason == CORE_REASON_OPERATOR || n->reason == CORE_REASON_FORCED)
        return CAUSE_OPERATOR;
    if (n->reason == CORE_REASON_SERVICE || core->sources[n->source].service == CORE_SERVICE_FENCED)
        return CAUSE_SERVICE;
    return core_source_is_lost(core, n->source) ? CAUSE_HOST : CAUSE_NIC;
}

static enum cause cause_of_service(const struct core_source *s)
{
    return s->service_reason == CORE_REASON_OPERATOR ? CAUSE_OPERATOR : CAUSE_SERVICE;
}

/* An operator's word, or the source that is back. */
static enum cause cause_of_leaving(const struct core *core, uint32_t source, uint32_t nic)
{
    enum core_reason reason = nic == UINT32_MAX ? core->sources[source].service_leaves_for : core->nics[nic].leaves_for;

    return reason == CORE_REASON_OPERATOR ? CAUSE_OPERATOR : CAUSE_HOST;
}

void sequences_prepare(struct agent *agent, uint32_t source, uint32_t nic)
{
    const struct core *core = &agent->plan->core;
    struct step step = {.sequence = SEQUENCE_PREPARE, .nic = nic};

    step.cause = nic == UINT32_MAX ? cause_of_service(&core->sources[source]) : cause_of(core, nic);
    add_hooks(agent, source, step, IPMAP_HOOK_PRE_TAKEOVER);
    if (agent->plan->source_maps[source]->fence)
        add(agent, source, step, STEP_FENCE, 0);
    add(agent, source, step, STEP_END, 0);
}

void sequences_leave(struct agent *agent, uint32_t source, uint32_t nic)
{
    struct step step = {.sequence = SEQUENCE_LEAVE, .nic = nic};

    step.cause = cause_of_leaving(&agent->plan->core, source, nic);
    steps_drop(agent, source, SEQUENCE_TAKEN);
    add_hooks(agent, source, step, IPMAP_HOOK_PRE_FAILBACK);
    if (agent->plan->services[source]->n_standing <= 1)
        add_stops(agent, source, step);
    add(agent, source, step, STEP_END, 0);
}

void sequences_move_name(struct agent *agent, uint32_t source, bool here)
{
    struct step step = {.sequence = here ? SEQUENCE_CLAIM_NAME : SEQUENCE_RELEASE_NAME, .nic = UINT32_MAX};

    step.cause = cause_of_service(&agent->plan->core.sources[source]);
    add(agent, source, step, here ? STEP_NAME_CLAIM : STEP_NAME_RELEASE, 0);
    add(agent, source, step, STEP_END, 0);
}

/* We stand in for the NIC, or for the source's name (UINT32_MAX), from now on. */
static void taken(struct agent *agent, uint32_t source, uint32_t nic, enum cause cause, bool adopted)
{
    struct services *s = agent->plan->services[source];
    const struct ipmap_source *map = agent->plan->source_maps[source];
    struct step step = {.sequence = SEQUENCE_TAKEN, .nic = nic, .cause = cause};

    if (adopted && map->dns) {
        s->name_state = NAME_HERE;
        names_watch(agent);
    }
    if (s->n_standing++ == 0) {
        agent->ports->flag(agent->userdata, map->name, true);
        add_starts(agent, source, step);
        if (map->dns && nic != UINT32_MAX && !adopted)
            add(agent, source, step, STEP_NAME_CLAIM, 0);
    }
    if (!adopted)
        add_hooks(agent, source, step, IPMAP_HOOK_POST_TAKEOVER);
    add(agent, source, step, STEP_END, 0);
}

/* And no longer. */
static void given(struct agent *agent, uint32_t source, uint32_t nic, enum cause cause)
{
    struct services *s = agent->plan->services[source];
    const struct ipmap_source *map = agent->plan->source_maps[source];
    struct step step = {.sequence = SEQUENCE_GIVEN, .nic = nic, .cause = cause};

    if (--s->n_standing == 0) {
        agent->ports->flag(agent->userdata, map->name, false);
        steps_drop(agent, source, SEQUENCE_TAKEN);
        if (map->dns && nic != UINT32_MAX)
            add(agent, source, step, STEP_NAME_RELEASE, 0);
        add_stops(agent, source, step);
    }
    add_hooks(agent, source, step, IPMAP_HOOK_POST_FAILBACK);
    add(agent, source, step, STEP_END, 0);
}

/* Whether the NIC is given up, and not just on its way to another target NIC. */
static bool is_given(const struct core_nic *n)
{
    switch (n->state) {
    case CORE_UNSEEN:
    case CORE_UP:
    case CORE_LATE:
    case CORE_BLOCKED:
    case CORE_AWAITING:
    case CORE_LOST:
    case CORE_DISARMED:
        return n->n_held == 0 && !n->stands;
    case CORE_VERIFYING:
    case CORE_PREPARING:
    case CORE_CLAIMING:
    case CORE_HOLDING:
    case CORE_RELEASING:
    case CORE_STATES:
        break;
    }
    return false;
}

/* Where the file has nothing to be run for the source, it has a flag file all the same. */
static void flag_alone(struct agent *agent, uint32_t source, bool standing)
{
    const struct plan *plan = agent->plan;

    if (plan_count_standing(plan, source) == (standing ? 1 : 0))
        agent->ports->flag(agent->userdata, plan->source_maps[source]->name, standing);
}

void sequences_on_change(struct agent *agent, uint32_t nic)
{
    struct plan *plan = agent->plan;
    const struct core_nic *n = &plan->core.nics[nic];
    bool stood = plan->standing[nic], stands = stood ? !is_given(n) : n->state == CORE_HOLDING;

    if (stood == stands)
        return;
    plan->standing[nic] = stands;
    if (!plan->services[n->source])
        flag_alone(agent, n->source, stands);
    else if (stands)
        taken(agent, n->source, nic, cause_of(&plan->core, nic), n->reason == CORE_REASON_ADOPTED);
    else
        given(agent, n->source, nic, cause_of(&plan->core, nic));
}

void agent_on_left_over(struct agent *agent, const char *source)
{
    struct plan *plan = agent->plan;
    struct step step = {.sequence = SEQUENCE_GIVEN, .nic = UINT32_MAX, .cause = CAUSE_OPERATOR};
    uint32_t number;

    if (plan_find_source(plan, source, &number) < 0 || !plan->services[number])
        return;
    for (size_t i = 0; i <= plan->source_maps[number]->n_units; i++)
        plan->services[number]->units[i].state = "started";
    add_stops(agent, number, step);
    add(agent, number, step, STEP_END, 0);
}

void sequences_on_service_change(struct agent *agent, uint32_t source, enum core_service was)
{
    const struct core_source *s = &agent->plan->core.sources[source];
    bool stood = was == CORE_SERVICE_HOLDING || was == CORE_SERVICE_RELEASING;
    bool stands = s->service == CORE_SERVICE_HOLDING || s->service == CORE_SERVICE_RELEASING;

    if (!agent->plan->services[source] || s->n_nics > 0 || stood == stands)
        return;
    if (stands)
        taken(agent, source, UINT32_MAX, cause_of_service(s), s->service_reason == CORE_REASON_ADOPTED);
    else
        given(agent, source, UINT32_MAX, cause_of_service(s));
}

void sequences_alarm(struct agent *agent, uint32_t source, uint32_t nic, const char *text)
{
    struct services *s = agent->plan->services[source];
    struct step step = {.sequence = SEQUENCE_ALARM, .nic = nic, .cause = CAUSE_HOST};
    const struct ipmap_source *map = agent->plan->source_maps[source];
    bool any = false;

    for (size_t i = 0; i < map->n_hooks; i++)
        any = any || map->hooks[i].point == IPMAP_HOOK_ALARM;
    if (!s || !any)
        return;
    memset(s->alarm, 0, sizeof s->alarm);
    strncpy(s->alarm, text, sizeof s->alarm - 1);
    /* One that waits already tells of the newest. */
    if (steps_has(s, SEQUENCE_ALARM))
        return;
    step.cause = nic == UINT32_MAX ? CAUSE_SERVICE : cause_of(&agent->plan->core, nic);
    add_hooks(agent, source, step, IPMAP_HOOK_ALARM);
    add(agent, source, step, STEP_END, 0);
}
