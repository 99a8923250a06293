/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services of sources: each check has its own rounds, one at a time, and what they add up to is told to the core. A
 * round that this host could not run is none. While an address of the source is held here, its checks rest: whatever
 * answered would be this host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/shell/internal.h"

/* Rounds begun in one turn: a thousand that are due at once must not keep probes waiting. */
#define BEGIN_AT_ONCE 32

bool checks_rest(const struct core *core, uint32_t source)
{
    const struct core_source *s = &core->sources[source];

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        if (core->nics[i].n_held > 0 || core->nics[i].n_claiming > 0 || core->nics[i].n_releasing > 0)
            return true;
    return false;
}

void checks_begin(struct plan *plan, nsec_t now_ns)
{
    for (uint32_t i = 0; i < plan->n_checks; i++) {
        nsec_t interval_ns = plan->checks[i].map->interval_ns;

        heap_set(&plan->check_rounds, i, now_ns + (nsec_t)((__int128)interval_ns * i / plan->n_checks));
    }
}

nsec_t checks_deadline(const struct agent *agent)
{
    return heap_first(&agent->plan->check_rounds, NULL);
}

void checks_void(struct agent *agent, uint32_t source)
{
    const struct services *s = agent->plan->services[source];

    for (uint32_t i = 0; s && i < s->n_checks; i++)
        agent->plan->checks[s->first_check + i].voided = true;
}

/* Whether one check of the source failed; in *ret_known whether that can be said. */
static bool is_failed(const struct plan *plan, const struct services *s, bool *ret_known)
{
    bool all = true;

    for (uint32_t i = s->first_check; i < s->first_check + s->n_checks; i++) {
        if (plan->checks[i].failed) {
            *ret_known = true;
            return true;
        }
        all = all && plan->checks[i].judged;
    }
    *ret_known = all;
    return false;
}

/* A round passed, or failed. */
static void judge(struct agent *agent, uint32_t check, bool passed)
{
    struct plan *plan = agent->plan;
    struct check *c = &plan->checks[check];
    bool was = c->failed, known, failed;

    c->judged = c->judged || passed || c->misses + 1 >= c->map->misses;
    if (passed) {
        c->passes++;
        c->misses = 0;
        c->failed = false;
        c->passed_ns = agent->now_ns;
    } else {
        c->failures++;
        c->misses++;
        c->failed = c->misses >= c->map->misses;
    }
    if (was != c->failed)
        tell_check(agent, check);
    failed = is_failed(plan, plan->services[c->source], &known);
    if (known && !checks_rest(&plan->core, c->source))
        core_on_service(&plan->core, agent->now_ns, c->source, failed);
}

/* The round under way has ended. */
static void finish(struct agent *agent, uint32_t check, nsec_t took_ns)
{
    struct check *c = &agent->plan->checks[check];

    c->job = 0;
    c->took_ns = took_ns;
    agent->changed = true;
    /* The next begins an interval after this one did, or when this one ended where that took longer. */
    heap_set(&agent->plan->check_rounds, check, nsec_max(c->begun_ns + c->map->interval_ns, agent->now_ns));
}

void agent_on_tcp(struct agent *agent, nsec_t now_ns, uint32_t check, enum tcp_outcome outcome, int error,
                  nsec_t took_ns)
{
    struct check *c;

    if (!agent->plan || check >= agent->plan->n_checks || agent->plan->checks[check].job == 0)
        return;
    agent->now_ns = now_ns;
    c = &agent->plan->checks[check];
    finish(agent, check, took_ns);
    snprintf(c->outcome, sizeof c->outcome, "%s", error ? strerror(-error) : "accepted");
    switch (outcome) {
    case TCP_CONNECTED:
        judge(agent, check, true);
        break;
    case TCP_REFUSED:
        if (!c->voided)
            judge(agent, check, false);
        break;
    case TCP_UNABLE:
        c->unable++;
        break;
    }
}

void checks_on_answer(struct agent *agent, nsec_t now_ns, uint32_t check, const struct job_answer *answer)
{
    struct check *c;

    if (check >= agent->plan->n_checks || agent->plan->checks[check].job != answer->tag ||
        answer->outcome == JOB_STARTED)
        return;
    agent->now_ns = now_ns;
    c = &agent->plan->checks[check];
    finish(agent, check, answer->took_ns);
    tell_outcome(answer, c->outcome, sizeof c->outcome);
    switch (answer->outcome) {
    case JOB_STARTED:
        break;
    case JOB_PASSED:
        judge(agent, check, true);
        break;
    case JOB_EXITED:
        if (answer->status == 0 || !c->voided)
            judge(agent, check, answer->status == 0);
        break;
    case JOB_SIGNALLED:
    case JOB_TIMED_OUT:
    case JOB_MISSED:
        if (!c->voided)
            judge(agent, check, false);
        break;
    case JOB_REFUSED: /* a command that is not safe says nothing of the service */
    case JOB_FAILED:
    case JOB_UNABLE:
        c->unable++;
        break;
    }
}

static int begin_tcp(struct agent *agent, uint32_t check)
{
    const struct check *c = &agent->plan->checks[check];
    struct tcp_request request = {
        .to = c->map->address, .from = c->map->from, .port = c->map->port, .timeout_ns = c->map->timeout_ns};
    struct link_info link;

    if (c->map->from_dev[0] && agent->ports->link_by_name(agent->userdata, c->map->from_dev, &link) < 0)
        return -ENODEV;
    if (c->map->from_dev[0])
        request.ifindex = link.ifindex;
    return agent->ports->tcp(agent->userdata, check, &request);
}

static void begin(struct agent *agent, uint32_t check)
{
    struct check *c = &agent->plan->checks[check];
    uint32_t source = c->source;
    int r = 0;

    heap_set(&agent->plan->check_rounds, check, NSEC_NEVER);
    c->begun_ns = agent->now_ns;
    c->voided = false;
    if (checks_rest(&agent->plan->core, source)) {
        heap_set(&agent->plan->check_rounds, check, agent->now_ns + c->map->interval_ns);
        return;
    }
    c->rounds++;
    c->job = 1;
    switch (c->map->kind) {
    case IPMAP_CHECK_TCP:
        r = begin_tcp(agent, check);
        break;
    case IPMAP_CHECK_URL:
    case IPMAP_CHECK_EXEC:
        c->job = job_id(agent, check);
        r = hooks_ask_check(agent, c->job, source, c->map);
        break;
    }
    if (r < 0) {
        finish(agent, check, 0);
        c->unable++;
        snprintf(c->outcome, sizeof c->outcome, "cannot run: %s", strerror(-r));
    }
}

void checks_run(struct agent *agent, nsec_t now_ns)
{
    uint32_t check;

    agent->now_ns = now_ns;
    for (unsigned n = 0; n < BEGIN_AT_ONCE && heap_first(&agent->plan->check_rounds, &check) <= now_ns; n++)
        begin(agent, check);
}

static bool is_alike(const struct ipmap_check *a, const struct ipmap_check *b)
{
    return a->kind == b->kind && strcmp(a->text, b->text) == 0 && ip_address_equal(&a->address, &b->address);
}

/* What was found out stays; what is under way is asked anew, since its answer would come for another number. */
void checks_carry(struct agent *agent, struct plan *from, uint32_t old, struct plan *to, uint32_t source)
{
    const struct services *was = from->services[old], *is = to->services[source];

    for (uint32_t i = 0; was && is && i < is->n_checks; i++)
        for (uint32_t k = 0; k < was->n_checks; k++) {
            struct check *c = &to->checks[is->first_check + i];
            const struct check *before = &from->checks[was->first_check + k];

            if (!is_alike(c->map, before->map))
                continue;
            *c = (struct check){.map = c->map,
                                .source = source,
                                .judged = before->judged,
                                .misses = before->misses,
                                .failed = before->misses >= c->map->misses,
                                .begun_ns = before->begun_ns,
                                .took_ns = before->took_ns,
                                .passed_ns = before->passed_ns,
                                .rounds = before->rounds,
                                .passes = before->passes,
                                .failures = before->failures,
                                .unable = before->unable};
            memcpy(c->outcome, before->outcome, sizeof c->outcome);
            heap_set(&to->check_rounds, is->first_check + i,
                     nsec_min(nsec_max(before->begun_ns + c->map->interval_ns, agent->now_ns),
                              heap_due(&to->check_rounds, is->first_check + i)));
            break;
        }
}

void checks_end(struct agent *agent, struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_checks; i++) {
        if (plan->checks[i].job == 0)
            continue;
        if (plan->checks[i].map->kind == IPMAP_CHECK_TCP)
            agent->ports->tcp_cancel(agent->userdata, i);
        else
            agent->ports->job_cancel(agent->userdata, plan->checks[i].job);
    }
}
