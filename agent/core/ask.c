/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broadcasts of verify. One for thousands of addresses leaves in parts: in between, other sources are probed, and
 * answers are read.
 */
#include "agent/core/internal.h"

#define ASK_AT_ONCE 256

void verify_forget_asks(struct core_nic *n)
{
    n->asks = n->n_asked = 0;
    n->intended = n->unasked = false;
    n->part_asked_ns = NSEC_UNSET;
}

void verify_ask_part(struct core *core, nsec_t now_ns, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];
    uint32_t first = n->n_asked, left = n->n_addresses - first, count = left < ASK_AT_ONCE ? left : ASK_AT_ONCE;

    for (uint32_t i = n->first_address + first; i < n->first_address + first + count; i++) {
        struct core_address *a = &core->addresses[i];
        struct core_action ask = {.type = CORE_ASK, .nic = nic, .address = i, .target = fit_target(core, a)};
        bool wanted = !n->ask_again || a->unasked;

        ask.intent = n->ask_intent;
        a->unasked = false;
        if (wanted && ask.target != CORE_NO_TARGET && a->claim != CORE_CLAIM_HELD)
            emit(core, &ask);
    }
    /* What many addresses take to be asked for is not time in which nobody answered. */
    if (first > 0 && n->state == CORE_VERIFYING)
        n->verify_until_ns += now_ns - n->last_ask_ns;
    n->last_ask_ns = now_ns;
    if (count < left) {
        n->n_asked += count;
        n->next_ask_ns = now_ns + VERIFY_ASK_PACE_NS;
        return;
    }
    n->n_asked = 0;
    n->asks += !n->unasked;
    if (n->intended && !n->unasked && n->part_asked_ns == NSEC_UNSET)
        n->part_asked_ns = now_ns;
}

/* The intent for those whose rounds ask for them, between two parts of a broadcast that goes on. */
static void intend_between(struct core *core, uint32_t nic)
{
    struct core_nic *n = &core->nics[nic];

    for (uint32_t i = n->first_address; i < n->first_address + n->n_addresses; i++) {
        const struct core_address *a = &core->addresses[i];
        struct core_action ask = {.type = CORE_ASK, .nic = nic, .address = i, .target = fit_target(core, a)};

        ask.intent = true;
        if (a->asked_by_link && ask.target != CORE_NO_TARGET && a->claim != CORE_CLAIM_HELD)
            emit(core, &ask);
    }
    n->ask_intent = n->intended = true;
}

void verify_ask(struct core *core, nsec_t now_ns, uint32_t nic, bool intent)
{
    struct core_nic *n = &core->nics[nic];

    if (intent && n->n_asked > 0 && !n->unasked && n->n_by_link > 0 && n->n_by_link <= ASK_AT_ONCE) {
        intend_between(core, nic);
        return;
    }
    n->ask_again = n->unasked && n->n_asked == 0;
    n->unasked = false;
    n->n_asked = 0;
    n->ask_intent = intent;
    n->ask_begun_ns = now_ns;
    n->intended = n->intended || intent;
    verify_ask_part(core, now_ns, nic);
    nic_set_timer(core, nic);
}

/* What did not leave is asked again, in verify alone, whose time ends: a queue that is full must not be kept full. */
void core_on_unasked(struct core *core, nsec_t now_ns, uint32_t address)
{
    struct core_address *a = &core->addresses[address];
    struct core_nic *n = &core->nics[a->nic];

    if (a->claim == CORE_CLAIM_HELD)
        return_on_unasked(core, address);
    /* Or it was asked for evidence that is void by now. */
    if (a->claim == CORE_CLAIM_HELD || (n->asks == 0 && n->n_asked == 0 && !n->unasked))
        return;
    a->unasked = true;
    if (n->unasked)
        return;
    n->unasked = true;
    n->intended = false;
    n->part_asked_ns = NSEC_UNSET;
    if (n->n_asked > 0)
        return; /* the broadcast under way goes on, and does not count */
    n->asks--;
    n->next_ask_ns = n->state == CORE_VERIFYING ? now_ns + core->sources[n->source].verify_spacing_ns : NSEC_NEVER;
    nic_set_timer(core, a->nic);
}
