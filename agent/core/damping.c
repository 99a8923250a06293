/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flap damping: a source that was taken over so often within so long is a question for a person, not a takeover.
 *
 * What counts is a claim that begins by itself for a NIC of which nothing is held: no operator's word, no move to
 * another target NIC, no address that follows the others of its NIC. NICs of one source that are lost together are one
 * event: while another one is being claimed, or was so less than CORE_SAME_EVENT_NS ago, a claim counts with its.
 * Nor does it count that what was released for a source's return is claimed again because the source did not come.
 */
#include <string.h>

#include "agent/core/internal.h"

/* Whether another NIC of the source has just been taken over, and still is. */
static bool goes_with_another(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    const struct core_source *s = &core->sources[n->source];

    for (uint32_t i = s->first_nic; i < s->first_nic + s->n_nics; i++) {
        const struct core_nic *other = &core->nics[i];

        if (other != n && (other->state == CORE_CLAIMING || other->state == CORE_HOLDING || other->in_parts) &&
            now_ns - other->since_ns < CORE_SAME_EVENT_NS)
            return true;
    }
    return false;
}

static bool counts(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    return !nic_is_ours(n) && !n->awaited && !goes_with_another(core, now_ns, n);
}

bool damping_is_full(const struct core_source *s, nsec_t now_ns)
{
    uint32_t recent = 0;

    for (uint32_t i = 0; i < s->n_takeovers; i++)
        recent += s->takeovers_ns[i] > now_ns - s->takeovers_within_ns;
    return s->max_takeovers > 0 && recent >= s->max_takeovers;
}

bool damping_applies(const struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    return counts(core, now_ns, n) && damping_is_full(&core->sources[n->source], now_ns);
}

/* In the place of the oldest, where there is no other. */
static void note(struct core_source *s, nsec_t at_ns)
{
    uint32_t place = 0;

    if (s->n_takeovers < LIMIT_TAKEOVERS_MAX) {
        place = s->n_takeovers++;
    } else {
        for (uint32_t i = 1; i < LIMIT_TAKEOVERS_MAX; i++)
            if (s->takeovers_ns[i] < s->takeovers_ns[place])
                place = i;
        if (at_ns < s->takeovers_ns[place])
            return;
    }
    s->takeovers_ns[place] = at_ns;
}

void damping_note(struct core *core, nsec_t now_ns, uint32_t source)
{
    note(&core->sources[source], now_ns);
    core->lasting_changed = true;
}

void damping_count(struct core *core, nsec_t now_ns, const struct core_nic *n)
{
    if (counts(core, now_ns, n))
        damping_note(core, now_ns, n->source);
}

void damping_carry(struct core_source *to, const struct core_source *from)
{
    memcpy(to->takeovers_ns, from->takeovers_ns, sizeof to->takeovers_ns);
    to->n_takeovers = from->n_takeovers;
}

void core_restore_takeover(struct core *core, nsec_t now_ns, uint32_t source, nsec_t at_ns)
{
    /* One of the future is that of a clock that was set: as good as now. */
    note(&core->sources[source], nsec_min(at_ns, now_ns));
}
