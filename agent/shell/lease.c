/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: what is held carries a valid lifetime in the kernel, which takes it off by itself when nobody renews it. It
 * is renewed at about a third of its length, so that a renewal may be late by as much again on a busy host. Many are
 * renewed in batches, each with a turn of its own, at times that are spread over that third: so the kernel is never
 * busy with all of them at once, neither with renewals nor, when nobody is left to renew them, with their ends.
 */
#include <errno.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* Parts of a lease: renewed after one, tried again after a tenth where the kernel could not say. */
#define RENEW_PART 3
#define RETRY_PART 10
/* A renewal is early or late by so much of a third, so that each batch comes to its own time. */
#define SHIFT_PART 8
/* The same for what is to have no end, which is asked for once. */
#define RETRY_ENDLESS_NS (1 * NSEC_PER_SEC)
/* Renewals of one turn; the rest gets its own turns. */
#define RENEW_AT_ONCE 64
/* What is due within this part of its lease goes along with what is due: a batch costs hardly more than one. */
#define ALONG_PART (RENEW_PART * SHIFT_PART)
/*
 * With many addresses on one NIC a renewal of all takes the kernel long (it walks lists, for IPv6 the square of them).
 * So that it is not busy with nothing else, the lease grows by a second for so many.
 */
#define IPV4_A_SECOND 1000
#define IPV6_A_SECOND 100
/* The kernel counts whole seconds, and looks about once a second. */
#define LEASE_SLACK_NS (100 * NSEC_PER_MSEC)

uint32_t lease_seconds(const struct plan *plan, uint32_t address)
{
    nsec_t lease_ns = plan->source_maps[plan->core.nics[plan->core.addresses[address].nic].source]->lease_ns;

    if (lease_ns == NSEC_NEVER)
        return 0;
    return (uint32_t)((lease_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC) + plan->n_ipv4 / IPV4_A_SECOND +
           plan->n_ipv6 / IPV6_A_SECOND;
}

/* When the address is renewed next: about a third of the lease from now, at the time of its batch in each third. */
static nsec_t next_renewal(const struct agent *agent, uint32_t address, nsec_t length_ns)
{
    nsec_t period_ns = length_ns / RENEW_PART, earliest_ns = agent->now_ns + period_ns / SHIFT_PART;
    uint32_t n_batches = (agent->plan->core.n_addresses + RENEW_AT_ONCE - 1) / RENEW_AT_ONCE;
    nsec_t phase_ns = period_ns / n_batches * (address / RENEW_AT_ONCE);

    return earliest_ns + period_ns - (earliest_ns + period_ns - phase_ns) % period_ns;
}

/* The kernel acknowledged a lease that was asked for at asked_ns. */
static void granted(struct agent *agent, uint32_t address, nsec_t asked_ns)
{
    struct monitor *m = &agent->plan->monitors[address];
    nsec_t length_ns = lease_seconds(agent->plan, address) * NSEC_PER_SEC;

    m->hold->lease_until_ns = length_ns ? asked_ns + length_ns : NSEC_NEVER;
    if (length_ns)
        heap_set(&agent->plan->leases, address, next_renewal(agent, address, length_ns));
}

void lease_begin(struct agent *agent, uint32_t address)
{
    struct monitor *m = &agent->plan->monitors[address];

    granted(agent, address, m->hold->lease_asked_ns);
    m->hold->lease_asked_ns = NSEC_UNSET;
}

/* The renewal comes at once, and yet it may be too late. The kernel rounds up what is left. */
void lease_resume(struct agent *agent, uint32_t address, uint32_t valid_s)
{
    nsec_t left_ns = ((nsec_t)valid_s - 1) * NSEC_PER_SEC;

    agent->plan->monitors[address].hold->lease_until_ns = valid_s == UINT32_MAX ? NSEC_NEVER : agent->now_ns + left_ns;
    heap_set(&agent->plan->leases, address, agent->now_ns);
}

void lease_end(struct agent *agent, uint32_t address)
{
    heap_set(&agent->plan->leases, address, NSEC_NEVER);
}

bool lease_ran_out(const struct agent *agent, uint32_t address)
{
    const struct monitor *m = &agent->plan->monitors[address];

    return m->hold->lease_until_ns != NSEC_NEVER && agent->now_ns >= m->hold->lease_until_ns - LEASE_SLACK_NS;
}

static void retry(struct agent *agent, uint32_t address)
{
    nsec_t length_ns = lease_seconds(agent->plan, address) * NSEC_PER_SEC;

    heap_set(&agent->plan->leases, address, agent->now_ns + (length_ns ? length_ns / RETRY_PART : RETRY_ENDLESS_NS));
}

static void renew(struct agent *agent, uint32_t address)
{
    struct monitor *m = &agent->plan->monitors[address];
    nsec_t length_ns = lease_seconds(agent->plan, address) * NSEC_PER_SEC;

    /* The next try, unless the answer comes before. */
    heap_set(&agent->plan->leases, address, length_ns ? agent->now_ns + length_ns / RENEW_PART : NSEC_NEVER);
    /* An answer may be that to the request before: the lease counts from the oldest that is open. */
    if (m->hold->lease_asked_ns == NSEC_UNSET)
        m->hold->lease_asked_ns = agent->now_ns;
    if (agent->ports->claim(agent->userdata, &(struct claims_request){.operation = CLAIMS_RENEW,
                                                                      .id = address,
                                                                      .ifindex = m->hold->ifindex,
                                                                      .ip = m->map->ip,
                                                                      .prefix = m->hold->prefix,
                                                                      .valid_s = lease_seconds(agent->plan, address)}) <
        0)
        retry(agent, address);
}

void lease_run(struct agent *agent, nsec_t now_ns)
{
    uint32_t address;
    nsec_t along_ns;

    if (heap_first(&agent->plan->leases, &address) > now_ns)
        return;
    along_ns = lease_seconds(agent->plan, address) * NSEC_PER_SEC / ALONG_PART;
    for (unsigned n = 0; n < RENEW_AT_ONCE && heap_first(&agent->plan->leases, &address) <= now_ns + along_ns; n++)
        renew(agent, address);
}

void lease_on_result(struct agent *agent, uint32_t address, int error)
{
    const struct core_address *a = &agent->plan->core.addresses[address];
    struct monitor *m = &agent->plan->monitors[address];
    nsec_t asked_ns = m->hold->lease_asked_ns;

    if (a->claim != CORE_CLAIM_HELD)
        return;
    m->hold->lease_asked_ns = NSEC_UNSET;
    if (error == 0) {
        if (asked_ns != NSEC_UNSET)
            granted(agent, address, asked_ns);
        return;
    }
    /* Not there, or not ours any more: no renewal may bring back what is gone. */
    if (error == -EADDRNOTAVAIL || error == -EACCES || error == -ENODEV)
        agent_lost_address(agent, address);
    else
        retry(agent, address);
}

void lease_lapse(struct agent *agent, uint32_t address)
{
    struct monitor *m = &agent->plan->monitors[address];

    m->hold->lease_until_ns = agent->now_ns;
    agent_lost_address(agent, address);
    agent_take_off(agent, &m->map->ip, m->hold->ifindex, m->hold->prefix);
}
