/* SPDX-License-Identifier: Apache-2.0 */
/* What one address adds to the counts of its NIC. Life, misses and claim change nowhere else. */
#include "agent/core/internal.h"

/*
 * Whether an address counts for the trigger. With `trigger any`, one that did not answer yet, or not since it was given
 * back, says nothing: it may just not be there, and would take the others down with it.
 */
static bool counts(const struct core *core, const struct core_address *a)
{
    return a->monitored && (!core->nics[a->nic].trigger_any || a->armed);
}

/* Adds what the address contributes to its NIC, or takes it away: before and after each change of the address. */
static void contribute(struct core *core, const struct core_address *a, int sign)
{
    struct core_nic *n = &core->nics[a->nic];
    uint32_t limit = core->sources[n->source].misses, by = (uint32_t)sign;

    n->n_claiming += a->claim == CORE_CLAIM_CLAIMING ? by : 0;
    n->n_held += a->claim == CORE_CLAIM_HELD ? by : 0;
    n->n_releasing += a->claim == CORE_CLAIM_RELEASING ? by : 0;
    if (a->claim == CORE_CLAIM_HELD || !counts(core, a))
        return;
    n->n_watched += by;
    n->n_up += a->life == CORE_LIFE_UP ? by : 0;
    n->n_doubtful += a->misses > 0 ? by : 0;
    n->n_near += a->misses > 0 && a->misses + 1 >= limit ? by : 0;
    n->n_lost += a->life == CORE_LIFE_LOST ? by : 0;
}

void address_join(struct core *core, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    a->held_on = CORE_NO_TARGET;
    a->armed = core->sources[core->nics[a->nic].source].claim_unseen;
    contribute(core, a, +1);
}

void address_alive(struct core *core, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    contribute(core, a, -1);
    a->life = CORE_LIFE_UP;
    a->misses = 0;
    a->seen = true;
    a->armed = true;
    contribute(core, a, +1);
}

void address_missed(struct core *core, uint32_t address, uint32_t misses)
{
    struct core_address *a = &core->addresses[address];

    contribute(core, a, -1);
    a->misses = misses;
    if (misses >= core->sources[core->nics[a->nic].source].misses)
        a->life = CORE_LIFE_LOST;
    else if (a->life != CORE_LIFE_UNKNOWN)
        a->life = CORE_LIFE_LATE;
    contribute(core, a, +1);
}

void address_forget_misses(struct core *core, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    contribute(core, a, -1);
    a->misses = 0;
    if (a->life != CORE_LIFE_UP)
        a->life = CORE_LIFE_UNKNOWN;
    contribute(core, a, +1);
}

void address_arm(struct core *core, uint32_t address)
{
    struct core_address *a = &core->addresses[address];

    if (a->armed)
        return;
    contribute(core, a, -1);
    a->armed = true;
    contribute(core, a, +1);
}

void address_start_over(struct core *core, uint32_t address, bool armed)
{
    struct core_address *a = &core->addresses[address];

    contribute(core, a, -1);
    a->life = CORE_LIFE_UNKNOWN;
    a->misses = 0;
    a->armed = armed;
    contribute(core, a, +1);
}

void address_set_claim(struct core *core, uint32_t address, enum core_claim claim)
{
    struct core_address *a = &core->addresses[address];

    contribute(core, a, -1);
    a->claim = claim;
    core->lasting_changed = true;
    contribute(core, a, +1);
}

void address_carry(struct core *core, uint32_t address, const struct core_address *old,
                   const struct core_carried *carried, bool arms)
{
    struct core_address *a = &core->addresses[address];
    struct core_address fresh = *a;
    uint32_t limit = core->sources[core->nics[a->nic].source].misses;

    contribute(core, a, -1);
    *a = *old;
    a->nic = fresh.nic;
    a->target[0] = fresh.target[0];
    a->target[1] = fresh.target[1];
    a->monitored = fresh.monitored;
    a->asked_by_link = fresh.asked_by_link;
    a->armed = old->armed || (arms && !old->seen); /* seen and not armed: it was given back */
    a->held_on = carried->held_on;
    a->given_on = carried->given_on;
    if (a->given_on == CORE_NO_TARGET)
        a->give_backs = 0;
    if (old->held_on != CORE_NO_TARGET && a->held_on == CORE_NO_TARGET) {
        a->claim = CORE_CLAIM_FREE;
        a->source_asked_ns = a->source_seen_ns = a->defended_ns = NSEC_UNSET;
    }
    if (!carried->alike) {
        a->misses = 0;
        a->life = old->life == CORE_LIFE_UP && a->monitored ? CORE_LIFE_UP : CORE_LIFE_UNKNOWN;
    } else if (a->life == CORE_LIFE_LOST && a->misses < limit) {
        a->life = CORE_LIFE_LATE;
    }
    contribute(core, a, +1);
}
