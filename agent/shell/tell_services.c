/* SPDX-License-Identifier: Apache-2.0 */
/* Words for people about what a source serves. */
#include <stdio.h>
#include <syslog.h>

#include "agent/shell/internal.h"

void tell_outcome(const struct job_answer *answer, char *text, size_t size)
{
    char number[32] = "";

    if (answer->outcome == JOB_EXITED || answer->outcome == JOB_SIGNALLED)
        snprintf(number, sizeof number, " %d", answer->status);
    snprintf(text, size, "%s%s%s%s", job_outcome_name(answer->outcome), number, answer->text[0] ? ": " : "",
             answer->text);
}

void tell_check(struct agent *agent, uint32_t check)
{
    const struct check *c = &agent->plan->checks[check];
    const char *source = agent->plan->source_maps[c->source]->name;

    if (c->failed)
        agent_say(agent, LOG_WARNING, "%s: check %s failed, %u rounds in a row: %s", source, c->map->text, c->misses,
                  c->outcome);
    else
        agent_say(agent, LOG_NOTICE, "%s: check %s passes again", source, c->map->text);
}

/* Of all reasons there are, these two are worded for a host. */
const char *tell_service_reason(enum core_reason reason)
{
    if (reason == CORE_REASON_POLICY_MANUAL)
        return "the file says `on service manual`: standinctl approve or deny";
    if (reason == CORE_REASON_POLICY_NOTIFY)
        return "the file says `on service notify`: for a person to act";
    return tell_reason_text(reason);
}

static int priority_of(enum core_service service)
{
    switch (service) {
    case CORE_SERVICE_UNKNOWN:
    case CORE_SERVICE_PREPARING:
    case CORE_SERVICE_FENCED:
    case CORE_SERVICE_CLAIMING:
    case CORE_SERVICE_HOLDING:
        return LOG_WARNING;
    case CORE_SERVICE_PASSING:
    case CORE_SERVICE_RELEASING:
    case CORE_SERVICE_DISARMED:
        return LOG_NOTICE;
    case CORE_SERVICE_FAILED:
    case CORE_SERVICE_AWAITING:
    case CORE_SERVICES:
        break;
    }
    return LOG_ALERT;
}

void tell_service(struct agent *agent, uint32_t source, enum core_service was)
{
    const struct core_source *s = &agent->plan->core.sources[source];
    const char *name = agent->plan->source_maps[source]->name, *reason = tell_service_reason(s->service_reason);
    int priority = priority_of(s->service);
    char text[OUTCOME_TEXT];

    /* Nothing is done about what is decided elsewhere. */
    if (s->service == CORE_SERVICE_FAILED && s->service_reason == CORE_REASON_NONE)
        priority = LOG_NOTICE;
    snprintf(text, sizeof text, "services %s%s%s", core_service_name(s->service), reason[0] ? ": " : "", reason);
    agent_say(agent, priority, "%s: %s (were %s)", name, text, core_service_name(was));
    if (priority == LOG_ALERT)
        sequences_alarm(agent, source, UINT32_MAX, text);
}
