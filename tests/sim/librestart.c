/* SPDX-License-Identifier: Apache-2.0 */
/* An agent that dies and is started again: what it finds in the kernel, and in its journal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

void sim_agent_keep_journal(struct sim_agent *agent, char *text, size_t length)
{
    free(agent->journal);
    agent->journal = text;
    agent->journal_length = length;
    agent->n_journals++;
}

void sim_agent_kill(struct sim_agent *agent)
{
    agent_free(agent->agent);
    agent->agent = NULL;
    agent->incarnation++;
    agent->paused = agent->hung = agent->lost_replies = false;
    agent->n_refused = 0;
    agent->due_ns = agent->turn_ns = NSEC_NEVER;
    sim_queue_free(&agent->replies);
    sim_queue_free(&agent->others);
    for (size_t i = 0; i < agent->host->n_nics; i++)
        agent->host->nics[i]->n_watched = 0;
    sim_agent_fall_silent(agent);
}

struct watch {
    unsigned incarnation;
    nsec_t since_ns; /* when the agent fell silent */
};

/* As the kernel tells it: rounded up, and 0 where it is over and was not looked at yet. */
static uint32_t seconds_left(const struct sim_address *address, nsec_t now_ns)
{
    if (address->valid_until_ns == NSEC_NEVER)
        return UINT32_MAX;
    return address->valid_until_ns <= now_ns
               ? 0
               : (uint32_t)((address->valid_until_ns - now_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
}

/* Everything of ours that the kernel has. */
static struct claims_held *list_held(const struct sim_host *host, size_t *ret)
{
    struct claims_held *held = NULL;
    size_t n = 0;

    for (size_t i = 0; i < host->n_nics; i++)
        for (size_t k = 0; k < host->nics[i]->n_addresses; k++) {
            const struct sim_address *address = &host->nics[i]->addresses[k];

            if (!address->claimed)
                continue;
            held = sim_grow(held, n, sizeof *held);
            held[n++] = (struct claims_held){.ifindex = host->nics[i]->ifindex,
                                             .ip = address->ip,
                                             .prefix = address->prefix,
                                             .valid_s = seconds_left(address, host->world->clock.now_ns)};
        }
    *ret = n;
    return held;
}

/* As the guard does: asks everybody for what it took off, so that who waits for it learns of it at once. */
static void ask_for(const struct sim_host *host, const struct claims_held *taken)
{
    struct sim_nic *nic = sim_host_nic(host, taken->ifindex);
    struct sim_frame frame;
    struct arp_frame link;

    for (size_t i = 0; i < nic->n_addresses; i++) {
        if (!ip_address_same_net(&nic->addresses[i].ip, &taken->ip, nic->addresses[i].prefix))
            continue;
        arp_frame_request(&link, &nic->mac, &nic->addresses[i].ip, &taken->ip, &(struct mac_address){{0}});
        frame = sim_frame_of_link(&link);
        sim_nic_send(nic, &frame);
        return;
    }
}

/* The guard's patience is over. */
static void guard(void *object, void *detail)
{
    struct sim_agent *agent = object;
    const struct watch *watch = detail;
    struct claims_held *held;
    size_t n;

    if (sim_agent_runs(agent) || !agent->host->alive || agent->incarnation != watch->incarnation ||
        agent->silent_ns != watch->since_ns)
        return;
    held = list_held(agent->host, &n);
    if (sim_host_drop_claims(agent->host) > 0)
        agent->hung = agent->agent;
    for (size_t i = 0; i < n; i++)
        ask_for(agent->host, &held[i]);
    free(held);
}

void sim_agent_fall_silent(struct sim_agent *agent)
{
    struct watch *watch;

    agent->silent_ns = agent->host->world->clock.now_ns;
    if (!agent->guarded || agent->guard_ns == NSEC_NEVER)
        return;
    watch = sim_alloc(sizeof *watch);
    *watch = (struct watch){.incarnation = agent->incarnation, .since_ns = agent->silent_ns};
    sim_clock_at(&agent->host->world->clock, agent->silent_ns + agent->guard_ns, guard, agent, watch);
}

void sim_agent_reboot(struct sim_agent *agent)
{
    sim_agent_kill(agent);
    agent->boot++;
    sim_host_drop_claims(agent->host);
}

void sim_agent_begin(struct sim_agent *agent, const char *ipmap)
{
    struct sim_world *world = agent->host->world;
    struct journal journal = {0};
    char boot[JOURNAL_BOOT_ID];
    struct claims_held *held;
    size_t n;

    if (agent_new(&agent->agent, &sim_ports, agent, sim_random_next(&world->random)) < 0)
        abort();
    if (agent->journal && journal_decode(agent->journal, agent->journal_length, &journal) < 0)
        sim_violate(world, "%s wrote a journal that cannot be read", agent->host->name);
    snprintf(boot, sizeof boot, "boot %u", agent->boot);
    agent_recall(agent->agent, boot, &journal);
    agent->seen_wall_ns = agent->host->wall_offset_ns;
    agent->silent_ns = NSEC_NEVER;
    agent->begun_ns = world->clock.now_ns;
    held = list_held(agent->host, &n);
    sim_agent_load(agent, ipmap, held, n);
    free(held);
}
