/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/faults/fault.h"

static struct {
    enum fault_kind kind;
    uint64_t nth; /* 0: none */
    bool lasting;
    int error;
    bool armed;
    uint64_t count, hits;
} plan;

void fault_begin(enum fault_kind kind, uint64_t nth, bool lasting, int error)
{
    plan.kind = kind;
    plan.nth = nth;
    plan.lasting = lasting;
    plan.error = error;
    plan.count = plan.hits = 0;
}

void fault_arm(bool on)
{
    plan.armed = on;
}

int fault_hit(enum fault_kind kind)
{
    if (!plan.armed || kind != plan.kind)
        return 0;
    plan.count++;
    if (plan.nth == 0 || plan.count < plan.nth || (!plan.lasting && plan.count > plan.nth))
        return 0;
    plan.hits++;
    return plan.error;
}

uint64_t fault_count(void)
{
    return plan.count;
}

uint64_t fault_hits(void)
{
    return plan.hits;
}
