/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent before us knew. Nothing of it claims anything: whatever was lost is lost and verified anew. */
#include <assert.h>

#include "agent/core/internal.h"

void core_restore_address(struct core *core, uint32_t address, const struct mac_address *mac, bool armed)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (!mac_address_is_unset(mac))
        a->mac = n->mac = *mac;
    if (armed)
        address_arm(core, address);
}

void core_restore_nic(struct core *core, nsec_t now_ns, uint32_t nic, const struct core_restored *restored)
{
    struct core_nic *n = &core->nics[nic];

    n->disarmed = restored->disarmed;
    n->armed = !n->disarmed && (n->armed || restored->armed || restored->state != CORE_UNSEEN);
    if (n->disarmed) {
        for (uint32_t i = 0; i < n->n_addresses; i++)
            address_start_over(core, n->first_address + i, false);
        nic_enter(core, now_ns, nic, CORE_DISARMED, CORE_REASON_OPERATOR);
        return;
    }
    if (restored->state == CORE_UNSEEN)
        return;
    assert(restored->state == CORE_AWAITING || restored->state == CORE_LOST);
    if (restored->state == CORE_AWAITING && !core->sources[n->source].paused)
        n->approval_until_ns = restored->approval_until_ns;
    nic_enter(core, now_ns, nic, restored->state, restored->reason);
}

void core_restore_held(struct core *core, uint32_t address, nsec_t since_ns)
{
    if (core->addresses[address].claim == CORE_CLAIM_HELD)
        core->addresses[address].held_since_ns = since_ns;
}
