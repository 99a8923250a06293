/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the report behind status from the core, the trackers and the targets. */
#include <stdio.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/shell/report_internal.h"

static const char *life_name(const struct core_address *a)
{
    if (!a->monitored)
        return "not monitored";
    /* Held because it was lost; only its own MAC can say otherwise. */
    if (a->claim == CORE_CLAIM_HELD)
        return a->source_seen_ns != NSEC_UNSET ? "up" : "lost";
    switch (a->life) {
    case CORE_LIFE_UNKNOWN:
        return "unknown";
    case CORE_LIFE_UP:
        return "up";
    case CORE_LIFE_LATE:
        return "late";
    case CORE_LIFE_LOST:
        return "lost";
    }
    return "unknown";
}

static const char *claim_name(enum core_claim claim)
{
    switch (claim) {
    case CORE_CLAIM_FREE:
        return "free";
    case CORE_CLAIM_CLAIMING:
        return "claiming";
    case CORE_CLAIM_HELD:
        return "held";
    case CORE_CLAIM_RELEASING:
        return "releasing";
    case CORE_CLAIM_FAILED:
        return "failed";
    case CORE_CLAIM_REFUSED:
        return "refused";
    }
    return "free";
}

static const char *proof_name(enum proof proof)
{
    switch (proof) {
    case PROOF_NONE:
        return "unconfirmed";
    case PROOF_REACHED:
        return "reached";
    case PROOF_CONFIRMED:
        return "confirmed";
    }
    return "unconfirmed";
}

static const char *refusal_text(const struct core_address *a)
{
    if (a->claim == CORE_CLAIM_FAILED || a->error < 0)
        return strerror(-a->error);
    if (a->claim == CORE_CLAIM_REFUSED)
        return a->refusal == CORE_REASON_IN_USE ? "somebody answers for it" : "no fit target NIC with a witness";
    return NULL;
}

static const char *newest_probe(const struct tracker *t)
{
    int newest = -1;

    for (int kind = 0; kind < PROBE_KINDS; kind++)
        if (t->last_answer_by_kind_ns[kind] != NSEC_UNSET &&
            (newest < 0 || t->last_answer_by_kind_ns[kind] > t->last_answer_by_kind_ns[newest]))
            newest = kind;
    return newest < 0 ? NULL : probe_kind_name((enum probe_kind)newest);
}

static void fill_tracker(struct report_address *r, const struct tracker *t, nsec_t now_ns)
{
    r->cannot_probe = t->cannot_probe ? strerror(t->cannot_probe) : NULL;
    r->last_answer_age_ns = report_age_ns(now_ns, t->last_answer_ns);
    r->last_answer_probe = newest_probe(t);
    r->rtt_min_ns = t->rtt_min_ns;
    r->rtt_avg_ns = t->rtt_avg_ns;
    r->rtt_p99_ns = tracker_rtt_quantile(t, 99);
    r->wait_ns = tracker_wait(t);
    r->rounds = t->count_rounds;
    r->answered = t->count_answered;
    r->missed = t->count_missed;
    r->late = t->count_late;
    r->voided = t->count_void;
}

static void fill_address(const struct agent *agent, nsec_t now_ns, uint32_t address, struct report_address *r)
{
    const struct plan *plan = agent->plan;
    const struct core_address *a = &plan->core.addresses[address];
    const struct monitor *m = &plan->monitors[address];
    bool held = a->claim == CORE_CLAIM_HELD;

    *r = (struct report_address){
        .ip = m->map->ip,
        .prefix = m->map->prefix,
        .monitored = a->monitored,
        .life = life_name(a),
        .mac = a->mac,
        .misses = a->misses,
        .misses_limit = plan->core.sources[plan->core.nics[a->nic].source].misses,
        .dev = m->map->dev,
        .fallback = m->map->fallback[0] ? m->map->fallback : NULL,
        .claim = claim_name(a->claim),
        .claim_error = refusal_text(a),
        .held_on = held ? plan->targets[a->held_on].name : NULL,
        .proof = held ? proof_name(m->hold->proof) : NULL,
        .announced = held ? announcer_copies(plan->announcer, address) : 0,
        .source_answers = held && a->source_seen_ns && now_ns - a->source_seen_ns < SOURCE_SEEN_FRESH_NS,
    };
    if (held && m->hold->proof != PROOF_NONE) {
        r->proof_by = m->hold->proof_by;
        r->proof_after_ns = m->hold->proof_after_ns;
    }
    fill_tracker(r, &m->tracker, now_ns);
}

/* When the NIC will be lost if nothing answers any more. */
static nsec_t time_to_fail_ns(const struct plan *plan, const struct core_nic *n, nsec_t now_ns)
{
    const struct core_source *s = &plan->core.sources[n->source];
    nsec_t latest_ns = 0, earliest_ns = NSEC_NEVER;

    if (n->state != CORE_LATE)
        return NSEC_NEVER;
    for (uint32_t i = 0; i < n->n_addresses; i++) {
        const struct core_address *a = &plan->core.addresses[n->first_address + i];
        const struct tracker *t = &plan->monitors[n->first_address + i].tracker;
        nsec_t left_ns;

        if (!a->monitored)
            continue;
        left_ns = 0;
        if (a->misses < s->misses)
            left_ns = nsec_max(tracker_next_miss(t) - now_ns, 0) + (s->misses - a->misses - 1) * tracker_spacing(t);
        latest_ns = left_ns > latest_ns ? left_ns : latest_ns;
        earliest_ns = left_ns < earliest_ns ? left_ns : earliest_ns;
    }
    return n->trigger_any ? earliest_ns : latest_ns;
}

static void fill_nic(const struct agent *agent, nsec_t now_ns, uint32_t nic, struct sheets *sheets)
{
    const struct plan *plan = agent->plan;
    const struct core_nic *n = &plan->core.nics[nic];

    for (uint32_t i = 0; i < n->n_addresses; i++)
        fill_address(agent, now_ns, n->first_address + i, &sheets->addresses[n->first_address + i]);
    tell_reason(agent, nic, sheets->reasons[nic], SENTENCE);
    sheets->nics[nic] = (struct report_nic){
        .name = plan->nic_maps[nic]->name,
        .state = core_state_name(n->state),
        .since_age_ns = now_ns - n->since_ns,
        .reason = sheets->reasons[nic][0] ? sheets->reasons[nic] : NULL,
        .time_to_fail_ns = time_to_fail_ns(plan, n, now_ns),
        .approval_left_ns = n->approval_until_ns == NSEC_NEVER ? NSEC_NEVER : n->approval_until_ns - now_ns,
        .trigger = n->trigger_any ? "any" : "all",
        .addresses = &sheets->addresses[n->first_address],
        .n_addresses = n->n_addresses,
    };
}

/* States from best to worst, for the one word on a source. */
static const uint8_t badness[CORE_STATES] = {
    [CORE_UP] = 0,        [CORE_UNSEEN] = 1,    [CORE_DISARMED] = 2, [CORE_LATE] = 3,
    [CORE_HOLDING] = 4,   [CORE_RELEASING] = 5, [CORE_CLAIMING] = 6, [CORE_VERIFYING] = 7,
    [CORE_PREPARING] = 7, [CORE_AWAITING] = 8,  [CORE_LOST] = 9,     [CORE_BLOCKED] = 10,
};

static void fill_source(const struct agent *agent, nsec_t now_ns, uint32_t source, struct sheets *sheets)
{
    const struct plan *plan = agent->plan;
    const struct core_source *s = &plan->core.sources[source];
    const struct ipmap_source *map = plan->source_maps[source];
    enum core_state worst = CORE_UP;

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++) {
        fill_nic(agent, now_ns, i, sheets);
        if (badness[plan->core.nics[i].state] > badness[worst])
            worst = plan->core.nics[i].state;
    }
    sheets->sources[source] = (struct report_source){
        .name = map->name,
        .state = s->n_nics > 0 ? core_state_name(worst) : core_service_name(s->service),
        .healthy = worst == CORE_UP && s->service == (map->n_checks > 0 ? CORE_SERVICE_PASSING : CORE_SERVICE_UNKNOWN),
        .paused = s->paused,
        .takeover = ipmap_takeover_name(map->on_host),
        .interval_ns = map->interval_ns,
        .misses = map->misses,
        .nics = &sheets->nics[s->first_nic],
        .n_nics = s->n_nics,
        .step_age_ns = NSEC_NEVER,
    };
    if (plan->services[source])
        report_services(agent, now_ns, source, sheets);
}

static void tell_witness(const struct plan *plan, nsec_t now_ns, uint16_t target, char *text)
{
    const struct target *t = &plan->targets[target];
    const struct peer *best = NULL;
    char ip[IP_ADDRESS_TEXT];

    if (plan->core.targets[target].witness == CORE_WITNESS_NONE) {
        snprintf(text, SENTENCE, "none: the file says `witness none`");
        return;
    }
    for (size_t i = 0; i < t->n_peers; i++)
        if (!best || t->peers[i].answered_ns > best->answered_ns)
            best = &t->peers[i];
    if (!best)
        snprintf(text, SENTENCE, "none found: a takeover here needs approval");
    else if (best->answered_ns == NSEC_UNSET)
        snprintf(text, SENTENCE, "%s has not answered%s", ip_address_format(&best->ip, ip),
                 t->n_peers > 1 ? ", nor any other" : "");
    else
        snprintf(text, SENTENCE, "%s answered %.1f s ago", ip_address_format(&best->ip, ip),
                 (double)(now_ns - best->answered_ns) / NSEC_PER_SEC);
}

/* An own address in the subnet of every address that is mapped here, or else the target cannot ask for all of them. */
static const char *asking_address(const struct plan *plan, uint16_t target, char *text)
{
    const struct ip_address *own = NULL;

    for (uint32_t i = 0; i < plan->core.n_addresses; i++) {
        const struct core_address *a = &plan->core.addresses[i];

        if (a->target[0] != target && a->target[1] != target)
            continue;
        own = target_own_address(&plan->targets[target], &plan->monitors[i].map->ip);
        if (!own)
            return NULL;
    }
    return own ? ip_address_format(own, text) : NULL;
}

static void fill_target(const struct plan *plan, nsec_t now_ns, uint16_t target, struct sheets *sheets)
{
    const struct target *t = &plan->targets[target];

    tell_witness(plan, now_ns, target, sheets->witnesses[target]);
    sheets->targets[target] = (struct report_target){
        .name = t->name,
        .present = t->link.ifindex != 0,
        .up = t->link.up,
        .carrier = t->link.carrier,
        .own_address = asking_address(plan, target, sheets->own[target]),
        .witness = sheets->witnesses[target],
    };
}

static char *build(struct agent *agent, nsec_t now_ns, uint32_t only_source, struct sheets *sheets)
{
    const struct plan *plan = agent->plan;
    struct report report = {.agent = agent->header, .targets = sheets->targets, .n_targets = plan->core.n_targets};

    lateness_report(&agent->lateness, &report.agent);
    report.agent.paused = plan->core.n_sources > 0;
    for (uint16_t i = 0; i < plan->core.n_targets; i++)
        fill_target(plan, now_ns, i, sheets);
    for (uint32_t i = 0; i < plan->core.n_sources; i++) {
        if (only_source == UINT32_MAX || only_source == i)
            fill_source(agent, now_ns, i, sheets);
        report.agent.paused = report.agent.paused && plan->core.sources[i].paused;
    }
    report.sources = only_source == UINT32_MAX ? sheets->sources : &sheets->sources[only_source];
    report.n_sources = only_source == UINT32_MAX ? plan->core.n_sources : 1;
    return report_to_answer(&report);
}

char *report_build(struct agent *agent, nsec_t now_ns, uint32_t only_source)
{
    const struct core *core = &agent->plan->core;
    CLEANUP_FREE struct report_source *sources = calloc(core->n_sources + 1, sizeof *sources);
    CLEANUP_FREE struct report_nic *nics = calloc(core->n_nics + 1, sizeof *nics);
    CLEANUP_FREE struct report_address *addresses = calloc(core->n_addresses + 1, sizeof *addresses);
    CLEANUP_FREE struct report_target *targets = calloc(core->n_targets + 1u, sizeof *targets);
    CLEANUP_FREE char(*reasons)[SENTENCE] = calloc(core->n_nics + 1, sizeof *reasons);
    CLEANUP_FREE char(*witnesses)[SENTENCE] = calloc(core->n_targets + 1u, sizeof *witnesses);
    CLEANUP_FREE char(*own)[IP_ADDRESS_TEXT] = calloc(core->n_targets + 1u, sizeof *own);
    CLEANUP_FREE struct report_check *checks = calloc(agent->plan->n_checks + 1u, sizeof *checks);
    size_t n_serving, n_units = report_count_units(agent->plan, &n_serving);
    CLEANUP_FREE struct report_unit *units = calloc(n_units + 1, sizeof *units);
    CLEANUP_FREE char(*steps)[STEP_TEXT] = calloc(n_serving + 1, sizeof *steps);
    struct sheets sheets = {sources, nics, addresses, targets, reasons, witnesses, own, checks, units, 0, steps, 0};

    if (!sources || !nics || !addresses || !targets || !reasons || !witnesses || !own || !checks || !units || !steps)
        return NULL;
    return build(agent, now_ns, only_source, &sheets);
}

void agent_summary(const struct agent *agent, char *text, size_t size)
{
    const struct core *core = agent->plan ? &agent->plan->core : NULL;
    uint32_t up = 0, held = 0, wrong = 0;

    for (uint32_t i = 0; core && i < core->n_nics; i++) {
        up += core->nics[i].state == CORE_UP;
        held += core->nics[i].n_held > 0;
        wrong += core->nics[i].state == CORE_BLOCKED || core->nics[i].state == CORE_AWAITING ||
                 core->nics[i].state == CORE_LOST;
    }
    snprintf(text, size, "%u source NICs: %u up, %u held here, %u need a look", core ? core->n_nics : 0, up, held,
             wrong);
}
