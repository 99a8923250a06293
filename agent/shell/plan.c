/* SPDX-License-Identifier: Apache-2.0 */
/* From an ipmap to the numbered arrays that the core, the trackers and the announcer work on. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/shell/internal.h"

/* A returning source, and another target that holds the same, are looked for at twice the pace of the probes, within
 * these limits: whoever wants a quick takeover does not want two hosts to answer for long either. */
#define LOOK_MIN_NS (20 * NSEC_PER_MSEC)
#define LOOK_MAX_NS (250 * NSEC_PER_MSEC)

/* The file's bits are the probes' numbers; config and probes do not know each other, so it is held here. */
_Static_assert(IPMAP_PROBE_ARP == 1u << PROBE_ARP && IPMAP_PROBE_ND == 1u << PROBE_ND &&
                   IPMAP_PROBE_ICMP == 1u << PROBE_ICMP,
               "bits of enum ipmap_probe are numbers of enum probe_kind");

static void *plan_alloc(struct plan *plan, size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size);

    if (memory)
        plan->memory[plan->n_memory++] = memory;
    return memory;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    announcer_free(plan->announcer);
    for (uint32_t i = 0; plan->services && i < plan->core.n_sources; i++)
        services_free(plan->services[i]);
    ipmap_free(plan->ipmap);
    while (plan->n_memory > 0)
        free(plan->memory[--plan->n_memory]);
    free(plan);
}

static void cleanup_plan(struct plan **plan)
{
    plan_free(*plan);
}

bool plan_same_witnesses(const struct ipmap_source *a, const struct ipmap_source *b)
{
    return a->witness_none == b->witness_none && a->n_witnesses == b->n_witnesses &&
           memcmp(a->witnesses, b->witnesses, a->n_witnesses * sizeof *a->witnesses) == 0;
}

/* The number of the target NIC `name` for this source; made where it is new. CORE_NO_TARGET for "". */
static int plan_target(struct plan *plan, const struct ipmap_source *source, const char *name, uint16_t *ret)
{
    struct core *core = &plan->core;

    *ret = CORE_NO_TARGET;
    if (name[0] == '\0')
        return 0;
    for (uint16_t i = 0; i < core->n_targets; i++)
        if (strcmp(plan->targets[i].name, name) == 0 && plan_same_witnesses(plan->targets[i].witnesses, source)) {
            *ret = i;
            return 0;
        }
    if (core->n_targets == LIMIT_TARGETS)
        return -E2BIG;
    *ret = core->n_targets++;
    plan->targets[*ret].witnesses = source;
    memcpy(plan->targets[*ret].name, name, strnlen(name, LIMIT_NIC_NAME - 1));
    core->targets[*ret].witness = source->witness_none ? CORE_WITNESS_NONE : CORE_WITNESS_MISSING;
    return 0;
}

static enum core_policy policy_of(enum ipmap_takeover takeover)
{
    switch (takeover) {
    case IPMAP_TAKEOVER_AUTOMATIC:
        return CORE_POLICY_AUTOMATIC;
    case IPMAP_TAKEOVER_MANUAL:
        return CORE_POLICY_MANUAL;
    case IPMAP_TAKEOVER_NOTIFY:
        return CORE_POLICY_NOTIFY;
    }
    return CORE_POLICY_MANUAL;
}

/* `arp` and `nd` are one thing said in the words of the two families. */
static uint8_t kinds_for(uint8_t probes, uint8_t family)
{
    const uint8_t link = 1u << PROBE_ARP | 1u << PROBE_ND;
    uint8_t kinds = probes & (uint8_t)~link;

    if (probes & link)
        kinds |= family == AF_INET ? 1u << PROBE_ARP : 1u << PROBE_ND;
    return kinds;
}

static int plan_address(struct plan *plan, const struct ipmap_source *source, const struct ipmap_address *map,
                        uint32_t nic)
{
    uint32_t number = plan->core.n_addresses++;
    struct core_address *a = &plan->core.addresses[number];
    struct monitor *m = &plan->monitors[number];
    int r;

    m->map = map;
    m->hold = &plan->holdings[number];
    plan->n_ipv4 += map->ip.family == AF_INET;
    plan->n_ipv6 += map->ip.family == AF_INET6;
    m->kinds = kinds_for(source->probes, map->ip.family);
    a->nic = nic;
    a->monitored = map->monitor;
    a->asked_by_link = map->monitor && (m->kinds & (1u << PROBE_ARP | 1u << PROBE_ND));
    r = plan_target(plan, source, map->dev, &a->target[0]);
    if (r == 0)
        r = plan_target(plan, source, map->fallback, &a->target[1]);
    for (int i = 0; r == 0 && i < 2; i++)
        if (a->target[i] != CORE_NO_TARGET)
            plan->targets[a->target[i]].n_ipv4 += map->ip.family == AF_INET;
    return r;
}

static bool has_hook(const struct ipmap_source *map, enum ipmap_hook_point point)
{
    for (size_t i = 0; i < map->n_hooks; i++)
        if (map->hooks[i].point == point)
            return true;
    return false;
}

static int plan_source(struct plan *plan, const struct ipmap_source *map)
{
    struct core *core = &plan->core;
    uint32_t number = core->n_sources++;

    plan->source_maps[number] = map;
    core->sources[number] = (struct core_source){
        .first_nic = core->n_nics,
        .n_nics = (uint32_t)map->n_nics,
        .misses = map->misses,
        .on_host = policy_of(map->on_host),
        .on_nic = policy_of(map->on_nic),
        .claim_unseen = map->claim_unseen,
        .announce_source = map->announce_source,
        .failback_automatic = map->failback == IPMAP_FAILBACK_AUTOMATIC,
        .hold_down_ns = map->hold_down_ns,
        .verify_asks = map->verify_asks,
        .look_ns = nsec_min(nsec_max(map->interval_ns / 2, LOOK_MIN_NS), LOOK_MAX_NS),
        /* An answer to a broadcast is waited for as long as one to a round. */
        .verify_spacing_ns = nsec_min(map->verify_within_ns / map->verify_asks, map->interval_ns),
        .approval_timeout_ns = map->approval_timeout_ns,
        .max_takeovers = map->max_takeovers,
        .takeovers_within_ns = map->max_takeovers_per_ns,
        .approval_default_approve = map->approval_default == IPMAP_APPROVAL_APPROVE,
        .on_service = policy_of(map->on_service),
        .service_force = map->force,
        .has_fence = map->fence != NULL,
        .gated = map->fence || has_hook(map, IPMAP_HOOK_PRE_TAKEOVER),
        .leaves_first = map->n_units > 0 || has_hook(map, IPMAP_HOOK_PRE_FAILBACK),
    };
    for (size_t i = 0; i < map->n_nics; i++) {
        uint32_t nic = core->n_nics++;

        plan->nic_maps[nic] = &map->nics[i];
        core->nics[nic] = (struct core_nic){
            .source = number,
            .first_address = core->n_addresses,
            .n_addresses = (uint32_t)map->nics[i].n_addresses,
            .trigger_any = map->nics[i].trigger == IPMAP_TRIGGER_ANY,
        };
        for (size_t k = 0; k < map->nics[i].n_addresses; k++) {
            int r = plan_address(plan, map, &map->nics[i].addresses[k], nic);

            if (r < 0)
                return r;
        }
    }
    return services_plan(plan, number);
}

/*
 * When the first rounds start: NICs are spread over their source's interval, and the addresses of one NIC follow each
 * other closely, over a quarter of it at most, because the NIC is lost only with the last of them.
 */
static void plan_phases(struct plan *plan, nsec_t now_ns)
{
    const struct core *core = &plan->core;

    for (uint32_t i = 0; i < core->n_nics; i++) {
        const struct core_nic *n = &core->nics[i];
        nsec_t interval_ns = plan->source_maps[n->source]->interval_ns;
        nsec_t offset_ns = (nsec_t)((__int128)interval_ns * i / core->n_nics);
        nsec_t step_ns = nsec_min(50 * NSEC_PER_USEC, interval_ns / 4 / n->n_addresses);

        for (uint32_t k = 0; k < n->n_addresses; k++) {
            uint32_t address = n->first_address + k;
            struct monitor *m = &plan->monitors[address];

            tracker_init(&m->tracker, address, interval_ns, interval_ns, now_ns + offset_ns + k * step_ns);
            tracker_set_burst(&m->tracker, plan->source_maps[n->source]->burst_ns, core->sources[n->source].misses);
            if (core->addresses[address].monitored)
                heap_set(&plan->rounds, address, tracker_deadline(&m->tracker));
        }
    }
}

static void plan_index(const struct agent *agent, struct plan *plan)
{
    for (uint32_t i = 0; i < plan->core.n_addresses; i++) {
        size_t slot = ip_address_hash(&plan->monitors[i].map->ip, agent->hash_seed);

        while (plan->by_address[slot & (plan->by_address_size - 1)])
            slot++;
        plan->by_address[slot & (plan->by_address_size - 1)] = i + 1;
    }
}

uint32_t plan_find(const struct agent *agent, const struct plan *plan, const struct ip_address *ip)
{
    size_t slot = ip_address_hash(ip, agent->hash_seed);

    for (;; slot++) {
        uint32_t entry = plan->by_address[slot & (plan->by_address_size - 1)];

        if (entry == 0)
            return UINT32_MAX;
        if (ip_address_equal(&plan->monitors[entry - 1].map->ip, ip))
            return entry - 1;
    }
}

int plan_find_source(const struct plan *plan, const char *name, uint32_t *ret)
{
    for (uint32_t i = 0; i < plan->core.n_sources; i++)
        if (strcmp(plan->source_maps[i]->name, name) == 0) {
            *ret = i;
            return 0;
        }
    return -ENOENT;
}

uint32_t plan_count_standing(const struct plan *plan, uint32_t source)
{
    const struct core_source *s = &plan->core.sources[source];
    uint32_t n = 0;

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        n += plan->standing[i];
    return n;
}

int plan_find_nic(const struct plan *plan, uint32_t source, const char *name, uint32_t *ret)
{
    const struct core_source *s = &plan->core.sources[source];

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++)
        if (strcmp(plan->nic_maps[i]->name, name) == 0) {
            *ret = i;
            return 0;
        }
    return -ENOENT;
}

static size_t count_checks(const struct ipmap *ipmap)
{
    size_t n = 0;

    for (size_t i = 0; i < ipmap->n_sources; i++)
        n += ipmap->sources[i].n_checks;
    return n;
}

static size_t count_nics(const struct ipmap *ipmap)
{
    size_t n = 0;

    for (size_t i = 0; i < ipmap->n_sources; i++)
        n += ipmap->sources[i].n_nics;
    return n;
}

/* Everything whose size the ipmap tells. */
static int plan_allocate(struct plan *plan, const struct ipmap *ipmap)
{
    size_t n_addresses = ipmap->n_addresses, n_nics = count_nics(ipmap), n_checks = count_checks(ipmap);
    struct heap_entry *entries[5];
    uint32_t *positions[5];

    plan->by_address_size = 16;
    while (plan->by_address_size < 2 * n_addresses)
        plan->by_address_size *= 2;
    plan->core.sources = plan_alloc(plan, ipmap->n_sources, sizeof *plan->core.sources);
    plan->core.nics = plan_alloc(plan, n_nics, sizeof *plan->core.nics);
    plan->core.addresses = plan_alloc(plan, n_addresses, sizeof *plan->core.addresses);
    plan->core.targets = plan_alloc(plan, LIMIT_TARGETS, sizeof *plan->core.targets);
    plan->monitors = plan_alloc(plan, n_addresses, sizeof *plan->monitors);
    plan->holdings = plan_alloc(plan, n_addresses, sizeof *plan->holdings);
    plan->targets = plan_alloc(plan, LIMIT_TARGETS, sizeof *plan->targets);
    plan->source_maps = plan_alloc(plan, ipmap->n_sources, sizeof *plan->source_maps);
    plan->nic_maps = plan_alloc(plan, n_nics, sizeof *plan->nic_maps);
    plan->told = plan_alloc(plan, n_nics, sizeof *plan->told);
    plan->told_reason = plan_alloc(plan, n_nics, sizeof *plan->told_reason);
    plan->moved = plan_alloc(plan, n_nics, sizeof *plan->moved);
    plan->standing = plan_alloc(plan, n_nics, sizeof *plan->standing);
    plan->checks = plan_alloc(plan, n_checks, sizeof *plan->checks);
    plan->services = plan_alloc(plan, ipmap->n_sources, sizeof(struct services *));
    plan->by_address = plan_alloc(plan, plan->by_address_size, sizeof *plan->by_address);
    for (int i = 0; i < 3; i++) {
        entries[i] = plan_alloc(plan, n_addresses, sizeof **entries);
        positions[i] = plan_alloc(plan, n_addresses, sizeof **positions);
    }
    entries[3] = plan_alloc(plan, n_nics, sizeof **entries);
    positions[3] = plan_alloc(plan, n_nics, sizeof **positions);
    entries[4] = plan_alloc(plan, n_checks, sizeof **entries);
    positions[4] = plan_alloc(plan, n_checks, sizeof **positions);
    if (plan->n_memory < 26)
        return -ENOMEM;
    heap_init(&plan->rounds, entries[0], positions[0], (uint32_t)n_addresses);
    heap_init(&plan->proofs, entries[1], positions[1], (uint32_t)n_addresses);
    heap_init(&plan->leases, entries[2], positions[2], (uint32_t)n_addresses);
    heap_init(&plan->check_rounds, entries[4], positions[4], (uint32_t)n_checks);
    heap_init(&plan->core.timers, entries[3], positions[3], (uint32_t)n_nics);
    return 0;
}

int plan_new(struct agent *agent, struct ipmap *ipmap, nsec_t now_ns, struct plan **ret)
{
    CLEANUP(cleanup_plan) struct plan *plan = calloc(1, sizeof *plan);
    int r;

    if (!plan)
        return -ENOMEM;
    r = plan_allocate(plan, ipmap);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ipmap->n_sources; i++) {
        r = plan_source(plan, &ipmap->sources[i]);
        if (r < 0)
            return r;
    }
    r = announcer_new(&plan->announcer, plan->core.n_addresses, plan->core.n_targets, actions_announce, agent);
    if (r < 0)
        return r;
    plan->core.act = actions_handle;
    plan->core.userdata = agent;
    core_init(&plan->core, now_ns);
    plan_index(agent, plan);
    plan_phases(plan, now_ns);
    checks_begin(plan, now_ns);
    plan->ipmap = ipmap;
    *ret = TAKE_POINTER(plan);
    return 0;
}
