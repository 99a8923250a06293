/* SPDX-License-Identifier: Apache-2.0 */
/* A new ipmap takes effect: state is carried over, what is no longer in the file is released. */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "agent/base/cleanup.h"
#include "agent/shell/internal.h"

/* The new number of each old target: the same NIC, asked with the same witnesses, or else just the same NIC. */
static void map_targets(const struct plan *from, struct plan *to, uint16_t *map)
{
    for (uint16_t i = 0; i < from->core.n_targets; i++) {
        map[i] = CORE_NO_TARGET;
        for (uint16_t k = to->core.n_targets; k-- > 0;)
            if (strcmp(from->targets[i].name, to->targets[k].name) == 0) {
                to->targets[k].told_there = from->targets[i].told_there;
                to->targets[k].told_fit = from->targets[i].told_fit;
                map[i] = k;
            }
    }
}

/* A tracker keeps what it measured, under the new pace and number. */
static void carry_monitor(struct plan *to, uint32_t address, const struct monitor *old)
{
    struct monitor *m = &to->monitors[address];
    struct tracker fresh = m->tracker;

    m->tracker = old->tracker;
    m->tracker.id = address;
    m->tracker.next_round_ns = fresh.next_round_ns;
    tracker_set_pace(&m->tracker, fresh.interval_ns, fresh.wait_ns);
    if (old->tracker.id != address)
        tracker_void(&m->tracker); /* replies on their way carry the old number */
    m->ifindex = old->ifindex;
    m->prefix = old->prefix;
    m->claimed_ns = old->claimed_ns;
    m->lease_asked_ns = old->lease_asked_ns;
    m->lease_until_ns = old->lease_until_ns;
    m->is_ours_otherwise = old->is_ours_otherwise;
    m->let_in = old->let_in;
    m->proof = old->proof;
    m->proof_by = old->proof_by;
    m->proof_after_ns = old->proof_after_ns;
    if (to->core.addresses[address].monitored)
        heap_set(&to->rounds, address, tracker_deadline(&m->tracker));
}

/* Held addresses go on being announced and proved where they were. */
static void carry_holding(struct agent *agent, struct plan *to, uint32_t address)
{
    const struct core_address *a = &to->core.addresses[address];
    struct monitor *m = &to->monitors[address];

    if (a->claim != CORE_CLAIM_HELD || a->held_on == CORE_NO_TARGET)
        return;
    announcer_start(to->announcer, address, a->held_on, agent->now_ns);
    heap_set(&to->leases, address, agent->now_ns); /* the file may say another lease */
    if (m->proof == PROOF_CONFIRMED)
        announcer_confirmed(to->announcer, address);
    else
        heap_set(&to->proofs, address, agent->now_ns);
}

/* Takes an address off that no file speaks of any more. */
static void release_orphan(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    char text[IP_ADDRESS_TEXT];

    agent_say(agent, LOG_NOTICE, "releasing %s: it is no longer in the file", ip_address_format(ip, text));
    agent_take_off(agent, ip, ifindex, prefix);
}

/* An address that stays must stay with the same source NIC and on a target NIC that is still mapped for it. */
static bool stays(const struct plan *from, uint32_t old, const struct plan *to, uint32_t new, const uint16_t *targets)
{
    const struct core_address *a = &to->core.addresses[new];
    uint16_t held_on = from->core.addresses[old].held_on;

    if (held_on == CORE_NO_TARGET)
        return true;
    return targets[held_on] != CORE_NO_TARGET && (a->target[0] == targets[held_on] || a->target[1] == targets[held_on]);
}

static bool same_owner(const struct plan *from, uint32_t from_nic, const struct plan *to, uint32_t to_nic)
{
    return strcmp(from->nic_maps[from_nic]->name, to->nic_maps[to_nic]->name) == 0 &&
           strcmp(from->source_maps[from->core.nics[from_nic].source]->name,
                  to->source_maps[to->core.nics[to_nic].source]->name) == 0;
}

static int carry(struct agent *agent, const struct plan *from, struct plan *to)
{
    CLEANUP_FREE uint32_t *pairs = malloc((to->core.n_addresses + 1) * sizeof *pairs);
    CLEANUP_FREE uint32_t *nics = malloc((to->core.n_nics + 1) * sizeof *nics);
    CLEANUP_FREE uint16_t *targets = malloc((from->core.n_targets + 1u) * sizeof *targets);

    if (!pairs || !nics || !targets)
        return -ENOMEM;
    map_targets(from, to, targets);
    memset(pairs, 0xff, to->core.n_addresses * sizeof *pairs);
    memset(nics, 0xff, to->core.n_nics * sizeof *nics);
    for (uint32_t i = 0; i < from->core.n_addresses; i++) {
        uint32_t number = plan_find(agent, to, &from->monitors[i].map->ip);
        uint32_t from_nic = from->core.addresses[i].nic;

        bool owned = number != UINT32_MAX && same_owner(from, from_nic, to, to->core.addresses[number].nic);

        if (owned)
            nics[to->core.addresses[number].nic] = from_nic;
        if (owned && stays(from, i, to, number, targets)) {
            pairs[number] = i;
        } else if (from->core.addresses[i].held_on != CORE_NO_TARGET) {
            release_orphan(agent, &from->monitors[i].map->ip, from->monitors[i].ifindex, from->monitors[i].prefix);
            let_in_end(agent, &from->monitors[i]);
        }
    }
    for (uint32_t i = 0; i < to->core.n_nics; i++) {
        if (nics[i] == UINT32_MAX)
            continue;
        core_carry(&to->core, i, &from->core, nics[i], &pairs[to->core.nics[i].first_address], targets);
        to->told[i] = from->told[nics[i]];
        to->told_reason[i] = from->told_reason[nics[i]];
    }
    for (uint32_t i = 0; i < to->core.n_addresses; i++) {
        if (pairs[i] == UINT32_MAX)
            continue;
        carry_monitor(to, i, &from->monitors[pairs[i]]);
        carry_holding(agent, to, i);
    }
    return 0;
}

/* What an agent before us left on this host: ours to hold, if the file still says so. */
static void adopt(struct agent *agent, const struct claims_held *held)
{
    struct plan *plan = agent->plan;
    uint32_t address = plan_find(agent, plan, &held->ip);
    const struct core_address *a = address == UINT32_MAX ? NULL : &plan->core.addresses[address];

    for (int i = 0; a && i < 2; i++) {
        if (a->target[i] == CORE_NO_TARGET || plan->targets[a->target[i]].link.ifindex != held->ifindex)
            continue;
        plan->monitors[address].ifindex = held->ifindex;
        plan->monitors[address].prefix = held->prefix;
        core_on_adopted(&plan->core, agent->now_ns, address, a->target[i]);
        lease_resume(agent, address, held->valid_s);
        return;
    }
    release_orphan(agent, &held->ip, held->ifindex, held->prefix);
}

int agent_load(struct agent *agent, nsec_t now_ns, struct ipmap *ipmap, const struct claims_held *held, size_t n_held)
{
    struct plan *from = agent->plan, *to;
    int r;

    agent->now_ns = now_ns;
    r = plan_new(agent, ipmap, now_ns, &to);
    if (r < 0)
        return r;
    if (from) {
        r = carry(agent, from, to);
        if (r < 0) {
            to->ipmap = NULL; /* stays the caller's */
            plan_free(to);
            return r;
        }
    }
    agent->plan = to;
    agent->generation++;
    agent->header.file_generation = agent->generation;
    agent->changed = true;
    agent->watch_changed = true;
    agent->witness_idle_ns = now_ns;
    plan_free(from);
    links_refresh(agent, now_ns);
    if (!from)
        journaling_restore(agent);
    for (size_t i = 0; i < n_held; i++)
        adopt(agent, &held[i]);
    if (!from)
        journaling_after_adoption(agent);
    let_in_refresh_all(agent);
    to->core.lasting_changed = true;
    return 0;
}
