/* SPDX-License-Identifier: Apache-2.0 */
/* Fills in what the report says of services: checks, steps, units, the DNS. */
#include <string.h>

#include "agent/shell/report_internal.h"

size_t report_count_units(const struct plan *plan, size_t *ret_sources)
{
    size_t n = 0;

    *ret_sources = 0;
    for (uint32_t i = 0; i < plan->core.n_sources; i++)
        if (plan->services[i]) {
            n += plan->source_maps[i]->n_units + 1;
            (*ret_sources)++;
        }
    return n;
}

static const char *check_state(const struct check *c, bool resting)
{
    if (resting)
        return "resting";
    if (c->failed)
        return "failed";
    return c->judged ? "passing" : "unknown";
}

static void fill_check(const struct check *c, nsec_t now_ns, bool resting, struct report_check *r)
{
    *r = (struct report_check){
        .name = c->map->text,
        .state = check_state(c, resting),
        .running = c->job != 0,
        .misses = c->misses,
        .misses_limit = c->map->misses,
        .begun_age_ns = report_age_ns(now_ns, c->begun_ns),
        .passed_age_ns = report_age_ns(now_ns, c->passed_ns),
        .took_ns = c->took_ns,
        .outcome = c->outcome[0] ? c->outcome : NULL,
        .rounds = c->rounds,
        .passes = c->passes,
        .failures = c->failures,
        .unable = c->unable,
    };
}

static void fill_units(const struct plan *plan, uint32_t source, struct sheets *sheets, struct report_source *r)
{
    const struct services *s = plan->services[source];

    r->units = &sheets->units[sheets->n_units];
    r->n_units = plan->source_maps[source]->n_units + 1;
    for (uint32_t i = 0; i < r->n_units; i++)
        sheets->units[sheets->n_units++] = (struct report_unit){
            .name = i + 1 == r->n_units ? s->target : plan->source_maps[source]->units[i].name,
            .state = s->units[i].state,
            .text = s->units[i].text[0] ? s->units[i].text : NULL,
        };
}

void report_services(const struct agent *agent, nsec_t now_ns, uint32_t source, struct sheets *sheets)
{
    const struct plan *plan = agent->plan;
    const struct core_source *core = &plan->core.sources[source];
    const struct services *s = plan->services[source];
    struct report_source *r = &sheets->sources[source];
    const char *reason = tell_service_reason(core->service_reason);
    char *step = sheets->steps[sheets->n_steps++];
    bool resting = checks_rest(&plan->core, source);

    r->service = core_service_name(core->service);
    r->service_since_age_ns = now_ns - core->service_since_ns;
    r->service_reason = reason[0] ? reason : NULL;
    r->on_service = ipmap_takeover_name(plan->source_maps[source]->on_service);
    r->trouble = s->trouble[0] ? s->trouble : NULL;
    r->dns = s->name_state;
    r->dns_text = s->name_text[0] ? s->name_text : NULL;
    if (s->job != 0 && s->n_steps > 0) {
        tell_step(agent, source, &s->steps[s->first_step], step, STEP_TEXT);
        r->step = step;
        r->step_age_ns = now_ns - s->begun_ns;
    }
    r->checks = &sheets->checks[s->first_check];
    r->n_checks = s->n_checks;
    for (uint32_t i = s->first_check; i < s->first_check + s->n_checks; i++)
        fill_check(&plan->checks[i], now_ns, resting, &sheets->checks[i]);
    fill_units(plan, source, sheets, r);
}
