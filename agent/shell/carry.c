/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the plan of the file before to that of a new one: whatever the new file did not change goes on as if nothing had
 * happened. Rounds keep their phase and what they asked, also where an address got another number (replies are told by
 * their address and nonce); announcements and leases keep their times; evidence that is being gathered stands.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "agent/base/cleanup.h"
#include "agent/shell/internal.h"

#define NOT_THERE UINT32_MAX

/* What became of the one plan in the other. */
struct carry {
    struct agent *agent;
    struct plan *from;
    struct plan *to;
    struct core_carried *addresses; /* by new address */
    uint32_t *nics;                 /* by new NIC: the old one, or NOT_THERE */
    uint16_t *targets;              /* by new target: the old one with the same witnesses, or CORE_NO_TARGET */
};

/* The NIC is the same, and its state known, whatever the file says of witnesses. */
static void carry_target(struct carry *c, uint16_t number, uint16_t old_number, bool alike)
{
    struct target *t = &c->to->targets[number], old = c->from->targets[old_number];

    old.witnesses = t->witnesses;
    old.n_ipv4 = t->n_ipv4;
    if (!alike)
        old.n_peers = 0;
    *t = old;
    core_carry_target(&c->to->core, number, &c->from->core, old_number, alike);
}

static void carry_targets(struct carry *c)
{
    for (uint16_t k = 0; k < c->to->core.n_targets; k++) {
        struct target *t = &c->to->targets[k];
        uint16_t same_nic = CORE_NO_TARGET;

        c->targets[k] = CORE_NO_TARGET;
        for (uint16_t i = 0; i < c->from->core.n_targets; i++) {
            if (strcmp(t->name, c->from->targets[i].name) != 0)
                continue;
            same_nic = i;
            if (plan_same_witnesses(t->witnesses, c->from->targets[i].witnesses))
                c->targets[k] = i;
        }
        if (c->targets[k] != CORE_NO_TARGET)
            carry_target(c, k, c->targets[k], true);
        else if (same_nic != CORE_NO_TARGET)
            carry_target(c, k, same_nic, false);
        if (c->targets[k] == CORE_NO_TARGET)
            c->agent->witness_idle_ns = c->agent->now_ns; /* new witnesses are asked before it matters */
    }
}

static bool same_owner(const struct plan *from, uint32_t from_nic, const struct plan *to, uint32_t to_nic)
{
    return strcmp(from->nic_maps[from_nic]->name, to->nic_maps[to_nic]->name) == 0 &&
           strcmp(from->source_maps[from->core.nics[from_nic].source]->name,
                  to->source_maps[to->core.nics[to_nic].source]->name) == 0;
}

/* The number of an old target NIC among those that the new file maps the address to, or CORE_NO_TARGET. */
static uint16_t target_as(const struct carry *c, uint32_t new, uint16_t old)
{
    for (int i = 0; i < 2 && old != CORE_NO_TARGET; i++) {
        uint16_t target = c->to->core.addresses[new].target[i];

        if (target != CORE_NO_TARGET && strcmp(c->to->targets[target].name, c->from->targets[old].name) == 0)
            return target;
    }
    return CORE_NO_TARGET;
}

/* Whether rounds of the address ask the same as before, at the same pace and by the same ways. */
static bool asks_alike(const struct carry *c, uint32_t old, uint32_t new)
{
    const struct monitor *was = &c->from->monitors[old], *is = &c->to->monitors[new];

    return was->tracker.interval_ns == is->tracker.interval_ns && was->kinds == is->kinds &&
           was->map->monitor == is->map->monitor && strcmp(was->map->dev, is->map->dev) == 0 &&
           strcmp(was->map->fallback, is->map->fallback) == 0;
}

/* What the new file leaves no place for goes off, and its source is told of where it is there. */
static void give_up(struct carry *c, uint32_t old, const char *why)
{
    const struct core_address *a = &c->from->core.addresses[old];
    char text[IP_ADDRESS_TEXT];

    agent_say(c->agent, LOG_NOTICE, "releasing %s from %s: %s",
              ip_address_format(&c->from->monitors[old].map->ip, text), c->from->targets[a->held_on].name, why);
    leaving_hand_back(c->agent, c->from, old);
    let_in_end(c->agent, &c->from->monitors[old]);
}

static void find_address(struct carry *c, uint32_t old)
{
    const struct core_address *a = &c->from->core.addresses[old];
    uint32_t new = plan_find(c->agent, c->to, &c->from->monitors[old].map->ip), nic;
    struct core_carried *carried;

    if (new == NOT_THERE || !same_owner(c->from, a->nic, c->to, c->to->core.addresses[new].nic)) {
        if (a->held_on != CORE_NO_TARGET)
            give_up(c, old,
                    new == NOT_THERE ? "it is no longer in the file" : "it is another source NIC's in the file");
        return;
    }
    nic = c->to->core.addresses[new].nic;
    c->nics[nic] = a->nic;
    carried = &c->addresses[new];
    *carried = (struct core_carried){.address = old,
                                     .held_on = CORE_NO_TARGET,
                                     .given_on = target_as(c, new, a->given_on),
                                     .alike = asks_alike(c, old, new)};
    if (a->held_on == CORE_NO_TARGET)
        return;
    carried->held_on = target_as(c, new, a->held_on);
    if (carried->held_on == CORE_NO_TARGET) {
        c->to->moved[nic] = true;
        give_up(c, old, "the file has another target NIC for it");
    }
}

/* Whether the new number of a target is that of the same NIC, asked with the same witnesses. */
static bool same_target(const struct carry *c, uint16_t old, uint16_t new)
{
    return new == CORE_NO_TARGET ? old == CORE_NO_TARGET : c->targets[new] == old;
}

/* Whether nothing that evidence about the NIC rests on was changed. */
static bool nic_alike(const struct carry *c, uint32_t new)
{
    const struct core_nic *n = &c->to->core.nics[new], *old = &c->from->core.nics[c->nics[new]];
    const struct core_source *is = &c->to->core.sources[n->source], *was = &c->from->core.sources[old->source];

    if (n->n_addresses != old->n_addresses || n->trigger_any != old->trigger_any || is->misses != was->misses ||
        is->verify_asks != was->verify_asks || is->verify_spacing_ns != was->verify_spacing_ns || c->to->moved[new])
        return false;
    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        const struct core_carried *carried = &c->addresses[i];
        const uint16_t *target = c->to->core.addresses[i].target;

        if (carried->address == NOT_THERE || !carried->alike)
            return false;
        for (int k = 0; k < 2; k++)
            if (!same_target(c, c->from->core.addresses[carried->address].target[k], target[k]))
                return false;
    }
    return true;
}

/* A tracker keeps what it measured; where it asks as before, its phase and its rounds under way, too. */
static void carry_tracker(struct monitor *m, const struct tracker *old, bool alike)
{
    struct tracker fresh = m->tracker;

    m->tracker = *old;
    tracker_set_burst(&m->tracker, fresh.burst_ns, fresh.burst_misses);
    if (alike)
        return;
    tracker_void(&m->tracker);
    if (fresh.interval_ns != old->interval_ns)
        m->tracker.next_round_ns = fresh.next_round_ns;
    tracker_set_pace(&m->tracker, fresh.interval_ns, fresh.wait_max_ns);
}

static void carry_monitor(struct carry *c, uint32_t number)
{
    const struct core_carried *carried = &c->addresses[number];
    struct monitor *m = &c->to->monitors[number], fresh = *m;
    const struct monitor *old = &c->from->monitors[carried->address];

    *m = *old;
    m->tracker = fresh.tracker;
    m->map = fresh.map;
    m->hold = fresh.hold;
    if (old->hold->ifindex != 0) /* it was claimed at some time */
        *m->hold = *old->hold;
    m->kinds = fresh.kinds;
    carry_tracker(m, &old->tracker, carried->alike);
    if (c->to->core.addresses[number].monitored)
        heap_set(&c->to->rounds, number, tracker_deadline(&m->tracker));
}

/* What is held goes on being announced, proved and renewed where it was. */
static void carry_holding(struct carry *c, uint32_t number)
{
    uint32_t old = c->addresses[number].address;
    const struct core_address *a = &c->to->core.addresses[number];
    nsec_t renewed_ns = heap_due(&c->from->leases, old);

    if (a->claim != CORE_CLAIM_HELD)
        return;
    announcer_carry(c->to->announcer, number, a->held_on, c->from->announcer, old);
    heap_set(&c->to->proofs, number, heap_due(&c->from->proofs, old));
    if (lease_seconds(c->to, number) != lease_seconds(c->from, old))
        renewed_ns = c->agent->now_ns;
    heap_set(&c->to->leases, number, renewed_ns);
}

static void carry_all(struct carry *c)
{
    for (uint32_t i = 0; i < c->to->core.n_nics; i++) {
        if (c->nics[i] == NOT_THERE)
            continue;
        core_carry(&c->to->core, i, &c->from->core, c->nics[i], &c->addresses[c->to->core.nics[i].first_address],
                   nic_alike(c, i));
        c->to->told[i] = c->from->told[c->nics[i]];
        c->to->told_reason[i] = c->from->told_reason[c->nics[i]];
    }
    for (uint32_t i = 0; i < c->to->core.n_addresses; i++) {
        if (c->addresses[i].address == NOT_THERE)
            continue;
        carry_monitor(c, i);
        carry_holding(c, i);
    }
}

/* Commands under way go on under the new numbers; where their source or NIC is gone, commands.c says so. */
static void carry_owed(struct carry *c)
{
    for (struct owed *owed = c->agent->owed; owed; owed = owed->next) {
        const char *nic = owed->nic == UINT32_MAX ? NULL : c->from->nic_maps[owed->nic]->name;
        uint32_t source;

        if (owed->source == UINT32_MAX)
            continue;
        if (plan_find_source(c->to, c->from->source_maps[owed->source]->name, &source) < 0 ||
            (nic && plan_find_nic(c->to, source, nic, &owed->nic) < 0))
            source = UINT32_MAX;
        owed->source = source;
    }
}

int carry_plan(struct agent *agent, struct plan *from, struct plan *to)
{
    CLEANUP_FREE struct core_carried *addresses = calloc(to->core.n_addresses + 1, sizeof *addresses);
    CLEANUP_FREE uint32_t *nics = calloc(to->core.n_nics + 1, sizeof *nics);
    CLEANUP_FREE uint16_t *targets = calloc(to->core.n_targets + 1u, sizeof *targets);
    struct carry c = {.agent = agent, .from = from, .to = to, .addresses = addresses, .nics = nics, .targets = targets};

    if (!addresses || !nics || !targets)
        return -ENOMEM;
    for (uint32_t i = 0; i < to->core.n_addresses; i++)
        addresses[i] = (struct core_carried){.address = NOT_THERE, .held_on = CORE_NO_TARGET};
    for (uint32_t i = 0; i < to->core.n_nics; i++)
        nics[i] = NOT_THERE;
    carry_targets(&c);
    for (uint32_t i = 0; i < from->core.n_addresses; i++)
        find_address(&c, i);
    carry_all(&c);
    services_carry(agent, from, to);
    carry_owed(&c);
    return 0;
}
