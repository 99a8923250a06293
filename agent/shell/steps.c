/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of a source, one after the other: hooks, a fence, units, the DNS. A sequence of them ends with STEP_END, which
 * tells the core how it went where the core waits for that. After a step that decides has failed, the rest of its
 * sequence is passed over. Nothing here waits: a step is asked for, and its answer comes back as an event.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* Steps begun or passed over for one source in one turn. */
#define STEPS_AT_ONCE 64

static struct step *first_of(const struct services *s)
{
    return &s->steps[s->first_step];
}

void steps_add(struct agent *agent, uint32_t source, const struct step *step)
{
    struct services *s = agent->plan->services[source];

    if (!s || s->n_steps == s->steps_max) {
        agent_say(agent, LOG_ERR, "%s: too much is to be run at once: a hook or unit was left out",
                  agent->plan->source_maps[source]->name);
        return;
    }
    s->steps[(s->first_step + s->n_steps++) % s->steps_max] = *step;
    agent->steps_changed = true;
}

bool steps_has(const struct services *s, enum sequence sequence)
{
    for (uint32_t i = 0; i < s->n_steps; i++)
        if (s->steps[(s->first_step + i) % s->steps_max].sequence == sequence)
            return true;
    return false;
}

void steps_drop(struct agent *agent, uint32_t source, enum sequence sequence)
{
    struct services *s = agent->plan->services[source];
    uint32_t left = 0;

    for (uint32_t i = 0; i < s->n_steps; i++) {
        struct step step = s->steps[(s->first_step + i) % s->steps_max];

        if (step.sequence == sequence && (i > 0 || s->job == 0))
            continue;
        s->steps[(s->first_step + left++) % s->steps_max] = step;
    }
    s->n_steps = left;
}

static void drop_first(struct services *s)
{
    s->first_step = (s->first_step + 1) % s->steps_max;
    s->n_steps--;
    s->job = 0;
}

static struct unit *unit_of(const struct plan *plan, uint32_t source, uint32_t item)
{
    struct services *s = plan->services[source];

    return &s->units[item == UNIT_OF_SOURCE ? plan->source_maps[source]->n_units : item];
}

/* Whether the core still waits for what this step is part of, or nobody does. */
static bool is_wanted(const struct core *core, uint32_t source, const struct step *step)
{
    const struct core_source *s = &core->sources[source];

    switch (step->sequence) {
    case SEQUENCE_PREPARE:
        return step->nic == UINT32_MAX ? s->service_preparing : core->nics[step->nic].preparing;
    case SEQUENCE_LEAVE:
        return step->nic == UINT32_MAX ? s->service_leaving : core->nics[step->nic].leaving;
    case SEQUENCE_CLAIM_NAME:
        return s->service == CORE_SERVICE_CLAIMING;
    case SEQUENCE_RELEASE_NAME:
        return s->service == CORE_SERVICE_RELEASING;
    case SEQUENCE_TAKEN:
    case SEQUENCE_GIVEN:
    case SEQUENCE_ALARM:
        break;
    }
    return true;
}

/* A fence that has succeeded need not again, unless the source was seen alive since. */
static bool is_fenced(const struct plan *plan, uint32_t source)
{
    const struct core_source *s = &plan->core.sources[source];
    nsec_t fenced_ns = plan->services[source]->fenced_ns;

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        for (uint32_t k = 0; k < plan->core.nics[i].n_addresses; k++)
            if (plan->monitors[plan->core.nics[i].first_address + k].tracker.last_answer_ns >= fenced_ns)
                return false;
    return fenced_ns != NSEC_UNSET;
}

static int ask_unit(struct agent *agent, uint64_t id, uint32_t source, const struct step *step)
{
    const struct ipmap_source *map = agent->plan->source_maps[source];
    bool starts = step->kind == STEP_UNIT_START;
    nsec_t timeout_ns = step->item == UNIT_OF_SOURCE ? UNIT_OF_SOURCE_NS : map->units[step->item].timeout_ns;

    unit_of(agent->plan, source, step->item)->state = starts ? "starting" : "stopping";
    return agent->ports->unit(agent->userdata, id, starts ? UNITS_START : UNITS_STOP,
                              services_unit(agent->plan, source, step->item), timeout_ns);
}

/* 0: under way. Negative errno: it could not be asked for. */
static int begin(struct agent *agent, uint32_t source, uint64_t id, const struct step *step)
{
    const struct ipmap_source *map = agent->plan->source_maps[source];

    switch (step->kind) {
    case STEP_HOOK:
    case STEP_FENCE:
        return hooks_ask_command(agent, id, source, step);
    case STEP_UNIT_START:
    case STEP_UNIT_STOP:
        return ask_unit(agent, id, source, step);
    case STEP_NAME_CLAIM:
        return hooks_ask_name(agent, id, map->dns, JOB_DNS_CLAIM);
    case STEP_NAME_RELEASE:
        return hooks_ask_name(agent, id, map->dns, JOB_DNS_RESTORE);
    case STEP_END:
        break;
    }
    return -EINVAL;
}

/* What the core is told of a sequence that a new file has cut short. */
static enum core_reason cut_short(enum sequence sequence)
{
    switch (sequence) {
    case SEQUENCE_PREPARE:
        return CORE_REASON_VETOED;
    case SEQUENCE_LEAVE:
        return CORE_REASON_STAYS;
    case SEQUENCE_CLAIM_NAME:
    case SEQUENCE_RELEASE_NAME:
        return CORE_REASON_NAME_FAILED;
    case SEQUENCE_TAKEN:
    case SEQUENCE_GIVEN:
    case SEQUENCE_ALARM:
        break;
    }
    return CORE_REASON_NONE;
}

static void tell_core(struct agent *agent, uint32_t source, const struct step *step, enum core_reason verdict)
{
    struct core *core = &agent->plan->core;
    int error = verdict == CORE_REASON_NONE ? 0 : -EREMOTEIO;

    switch (step->sequence) {
    case SEQUENCE_PREPARE:
        if (step->nic == UINT32_MAX)
            core_on_service_prepared(core, agent->now_ns, source, verdict);
        else
            core_on_prepared(core, agent->now_ns, step->nic, verdict);
        break;
    case SEQUENCE_LEAVE:
        if (step->nic == UINT32_MAX)
            core_on_service_left(core, agent->now_ns, source, verdict);
        else
            core_on_left(core, agent->now_ns, step->nic, verdict);
        break;
    case SEQUENCE_CLAIM_NAME:
        core_on_name_claimed(core, agent->now_ns, source, error);
        break;
    case SEQUENCE_RELEASE_NAME:
        core_on_name_released(core, agent->now_ns, source, error);
        break;
    case SEQUENCE_TAKEN:
    case SEQUENCE_GIVEN:
    case SEQUENCE_ALARM:
        break;
    }
}

/* What a failed step of this kind means for its sequence; CORE_REASON_NONE: it goes on. */
static enum core_reason verdict_of(const struct ipmap_source *map, const struct step *step)
{
    switch (step->kind) {
    case STEP_HOOK:
        if (step->sequence == SEQUENCE_LEAVE)
            return CORE_REASON_STAYS;
        return step->sequence == SEQUENCE_PREPARE && map->hooks[step->item].veto ? CORE_REASON_VETOED
                                                                                 : CORE_REASON_NONE;
    case STEP_FENCE:
        return CORE_REASON_NOT_FENCED;
    case STEP_UNIT_STOP:
        return step->sequence == SEQUENCE_LEAVE ? CORE_REASON_STAYS : CORE_REASON_NONE;
    case STEP_NAME_CLAIM:
    case STEP_NAME_RELEASE:
        return CORE_REASON_NAME_FAILED;
    case STEP_UNIT_START:
    case STEP_END:
        break;
    }
    return CORE_REASON_NONE;
}

/* A unit that does not start, where the file says that nothing is held without it. */
static void release_without(struct agent *agent, uint32_t source)
{
    struct core *core = &agent->plan->core;
    const struct core_source *s = &core->sources[source];

    agent_say(agent, LOG_ALERT, "%s: released, because the file says `on-failure release` of that unit",
              agent->plan->source_maps[source]->name);
    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        core_failback(core, agent->now_ns, i);
    if (s->n_nics == 0)
        core_failback_service(core, agent->now_ns, source);
}

/* The first step has ended; `trouble` NULL: well. */
static void finish(struct agent *agent, uint32_t source, const char *trouble)
{
    struct services *s = agent->plan->services[source];
    const struct ipmap_source *map = agent->plan->source_maps[source];
    struct step step = *first_of(s);
    char what[STEP_TEXT];

    agent->changed = agent->steps_changed = true;
    drop_first(s);
    if (step.kind == STEP_FENCE && !trouble)
        s->fenced_ns = agent->now_ns;
    tell_step(agent, source, &step, what, sizeof what);
    if (!trouble) {
        agent_say(agent, LOG_INFO, "%s: %s: done", map->name, what);
        return;
    }
    snprintf(s->trouble, sizeof s->trouble, "%s: %s", what, trouble);
    agent_say(agent, LOG_ERR, "%s: %s", map->name, s->trouble);
    if (s->verdict == CORE_REASON_NONE)
        s->verdict = verdict_of(map, &step);
    if (step.kind == STEP_UNIT_START && step.item != UNIT_OF_SOURCE) {
        sequences_alarm(agent, source, step.nic, s->trouble);
        if (map->units[step.item].release_on_failure)
            release_without(agent, source);
    }
}

/* Begins the first step, or passes over it. False: it is under way, or there is none. */
static bool advance(struct agent *agent, uint32_t source)
{
    struct services *s = agent->plan->services[source];
    struct step step;
    int r;

    if (s->n_steps == 0 || s->job != 0)
        return false;
    step = *first_of(s);
    if (step.kind == STEP_END) {
        enum core_reason verdict = step.item == STEP_CUT_SHORT ? cut_short(step.sequence) : s->verdict;

        s->verdict = CORE_REASON_NONE;
        drop_first(s);
        tell_core(agent, source, &step, verdict);
        agent->changed = true;
        return true;
    }
    if (s->verdict != CORE_REASON_NONE || !is_wanted(&agent->plan->core, source, &step) ||
        (step.kind == STEP_FENCE && is_fenced(agent->plan, source))) {
        drop_first(s);
        return true;
    }
    s->job = job_id(agent, UINT32_MAX);
    s->begun_ns = agent->now_ns;
    r = begin(agent, source, s->job, &step);
    if (r < 0)
        finish(agent, source, strerror(-r));
    return r < 0;
}

void steps_run(struct agent *agent, nsec_t now_ns)
{
    struct plan *plan = agent->plan;

    agent->now_ns = now_ns;
    while (agent->steps_changed) {
        agent->steps_changed = false;
        for (uint32_t i = 0; i < plan->core.n_sources; i++)
            for (int n = 0; plan->services[i] && n < STEPS_AT_ONCE && advance(agent, i); n++)
                ;
    }
}

/* Whose first step the job is; UINT32_MAX: nobody's any more. */
static uint32_t owner_of(const struct plan *plan, uint64_t id)
{
    for (uint32_t i = 0; i < plan->core.n_sources; i++)
        if (plan->services[i] && plan->services[i]->job == id && plan->services[i]->n_steps > 0)
            return i;
    return UINT32_MAX;
}

static void on_command_ended(struct agent *agent, uint32_t source, const struct job_answer *answer)
{
    char trouble[OUTCOME_TEXT];
    bool good = answer->outcome == JOB_PASSED || (answer->outcome == JOB_EXITED && answer->status == 0);
    struct services *s = agent->plan->services[source];

    if (first_of(s)->kind == STEP_NAME_CLAIM || first_of(s)->kind == STEP_NAME_RELEASE) {
        snprintf(s->name_text, sizeof s->name_text, "%s", answer->text);
        if (good)
            s->name_state = first_of(s)->kind == STEP_NAME_CLAIM ? NAME_HERE : NAME_GIVEN_BACK;
        names_watch(agent);
    }
    tell_outcome(answer, trouble, sizeof trouble);
    finish(agent, source, good ? NULL : trouble);
}

void agent_on_job(struct agent *agent, nsec_t now_ns, const struct job_answer *answer)
{
    uint32_t check = job_check(answer->tag), source;

    if (!agent->plan)
        return;
    agent->now_ns = now_ns;
    if (check != UINT32_MAX) {
        checks_on_answer(agent, now_ns, check, answer);
        return;
    }
    if (names_on_answer(agent, answer))
        return;
    source = owner_of(agent->plan, answer->tag);
    if (source != UINT32_MAX && answer->outcome != JOB_STARTED)
        on_command_ended(agent, source, answer);
}

void agent_on_unit(struct agent *agent, nsec_t now_ns, uint64_t id, int error, const char *text)
{
    uint32_t source = agent->plan ? owner_of(agent->plan, id) : UINT32_MAX;
    struct step step;
    struct unit *unit;
    bool starts;

    if (source == UINT32_MAX)
        return;
    agent->now_ns = now_ns;
    step = *first_of(agent->plan->services[source]);
    unit = unit_of(agent->plan, source, step.item);
    starts = step.kind == STEP_UNIT_START;
    snprintf(unit->text, sizeof unit->text, "%s", text);
    /* Nobody has to hang anything on the source's own target. */
    if (step.item == UNIT_OF_SOURCE && (error == -ENOENT || error == -ENOTCONN))
        error = 0;
    if (error)
        unit->state = starts ? "failed" : "not stopped";
    else
        unit->state = starts ? "started" : "stopped";
    finish(agent, source, error == 0 ? NULL : text[0] ? text : strerror(-error));
}
