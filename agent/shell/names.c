/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that were moved here: are they still? A source that comes back may register its own address again, and nobody
 * tells us of it. So the name server is asked now and then; nothing is changed by it.
 */
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* From one look to the next. */
#define LOOK_NS (30 * NSEC_PER_SEC)

static bool is_here(const struct services *s)
{
    return s && s->n_standing > 0 && s->name_state && strcmp(s->name_state, NAME_GIVEN_BACK) != 0;
}

nsec_t names_deadline(const struct agent *agent)
{
    return agent->names_due_ns;
}

void names_watch(struct agent *agent)
{
    agent->names_due_ns = nsec_min(agent->names_due_ns, agent->now_ns + LOOK_NS);
}

void names_run(struct agent *agent, nsec_t now_ns)
{
    const struct plan *plan = agent->plan;

    if (now_ns < agent->names_due_ns)
        return;
    agent->now_ns = now_ns;
    agent->names_due_ns = NSEC_NEVER;
    for (uint32_t i = 0; i < plan->core.n_sources; i++) {
        struct services *s = plan->services[i];

        if (!is_here(s))
            continue;
        names_watch(agent);
        s->look = job_id(agent, UINT32_MAX);
        if (hooks_ask_name(agent, s->look, plan->source_maps[i]->dns, JOB_DNS_LOOK) < 0)
            s->look = 0;
    }
}

/* The answer to a look. False: it is to something else. */
bool names_on_answer(struct agent *agent, const struct job_answer *answer)
{
    const struct plan *plan = agent->plan;
    uint32_t source = 0;
    struct services *s;

    while (source < plan->core.n_sources && !(plan->services[source] && plan->services[source]->look == answer->tag))
        source++;
    if (source == plan->core.n_sources)
        return false;
    s = plan->services[source];
    s->look = 0;
    /* What could not be asked is asked again. */
    if (!is_here(s) || (answer->outcome != JOB_PASSED && answer->outcome != JOB_MISSED))
        return true;
    if (answer->outcome == JOB_PASSED) {
        s->name_state = NAME_HERE;
        return true;
    }
    if (strcmp(s->name_state, NAME_CHANGED) != 0) {
        agent_say(agent, LOG_ALERT, "%s: somebody else changed its DNS name, as a source does that comes back: %s",
                  plan->source_maps[source]->name, answer->text);
        sequences_alarm(agent, source, UINT32_MAX, "somebody else changed its DNS name");
    }
    s->name_state = NAME_CHANGED;
    return true;
}
