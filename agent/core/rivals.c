/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several targets with the same ipmap: in the last round before the verdict a target broadcasts its intent in the probe
 * form of RFC 5227 section 1.1. Whoever hears another's intent before having sent one gives way; where both were sent,
 * the higher MAC gives way (section 2.1.1: simultaneous probes are a conflict). Giving way means fresh misses, and no
 * claim for CORE_YIELD_NS, which the other's kernel may take; after CORE_YIELDS_MAX times in a row it goes on, as the
 * other has not claimed.
 */
#include "agent/core/internal.h"

/* Whether a claim may follow by itself. A NIC that is held in part does not give way. */
static bool may_yield(const struct core_nic *n)
{
    return n->suspected && !n->by_operator && !nic_is_ours(n) &&
           (n->state == CORE_UNSEEN || n->state == CORE_LATE || n->state == CORE_VERIFYING ||
            n->state == CORE_PREPARING || n->state == CORE_BLOCKED);
}

void core_on_rival(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac)
{
    const struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];
    uint16_t target = fit_target(core, a);

    if (a->claim == CORE_CLAIM_HELD) {
        return_on_probe(core, now_ns, address, mac);
        return;
    }
    /* RFC 5227 section 2.1.1: the source itself, about to configure its address again, is alive. */
    if (mac_address_equal(mac, &n->mac)) {
        core_on_heard(core, now_ns, address, mac);
        return;
    }
    if (target == CORE_NO_TARGET || !may_yield(n))
        return;
    if (n->intended && mac_address_compare(&core->targets[target].mac, mac) < 0)
        return;
    if (n->yields >= CORE_YIELDS_MAX)
        return;
    n->yields++;
    n->hold_off_ns = nsec_max(n->hold_off_ns, now_ns + CORE_YIELD_NS);
    n->stands = n->stands || n->moving;
    nic_blame(n, address, mac, 0);
    if (n->state == CORE_VERIFYING || n->state == CORE_PREPARING || n->state == CORE_LATE)
        nic_enter(core, now_ns, a->nic, n->armed ? CORE_BLOCKED : nic_idle_state(n), CORE_REASON_RIVAL);
    nic_restart(core, a->nic);
}
