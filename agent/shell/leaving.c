/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strays: addresses that the kernel has from us and that no claim of the core stands for, or does any more. They are
 * taken off, and tried again until they are: nobody else would ever know of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent/shell/internal.h"

/* What could not be taken off is tried again after this. */
#define AGAIN_NS (1 * NSEC_PER_SEC)

int leaving_reserve(struct agent *agent, size_t more)
{
    struct stray *grown;

    if (agent->n_strays + more <= agent->strays_max)
        return 0;
    grown = reallocarray(agent->strays, agent->n_strays + more, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    agent->strays = grown;
    agent->strays_max = agent->n_strays + more;
    return 0;
}

static void submit(struct agent *agent, struct stray *stray)
{
    int r = agent->ports->claim(agent->userdata, &(struct claims_request){.operation = CLAIMS_REMOVE,
                                                                          .id = UINT32_MAX,
                                                                          .ifindex = stray->ifindex,
                                                                          .ip = stray->ip,
                                                                          .prefix = stray->prefix});

    stray->due_ns = r < 0 ? agent->now_ns + AGAIN_NS : NSEC_NEVER;
}

static struct stray *find(const struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    for (size_t i = 0; i < agent->n_strays; i++)
        if (agent->strays[i].ifindex == ifindex && agent->strays[i].prefix == prefix &&
            ip_address_equal(&agent->strays[i].ip, ip))
            return &agent->strays[i];
    return NULL;
}

/* NULL without room, which leaving_reserve has seen to. */
static struct stray *add(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    struct stray *stray = find(agent, ip, ifindex, prefix);

    if (stray || agent->n_strays == agent->strays_max)
        return stray;
    stray = &agent->strays[agent->n_strays++];
    *stray = (struct stray){.ip = *ip, .ifindex = ifindex, .prefix = prefix};
    return stray;
}

void agent_take_off(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    struct stray *stray = add(agent, ip, ifindex, prefix);

    if (stray)
        submit(agent, stray);
}

void leaving_hand_back(struct agent *agent, const struct plan *plan, uint32_t address)
{
    const struct core_address *a = &plan->core.addresses[address];
    const struct monitor *m = &plan->monitors[address];
    struct stray *stray = add(agent, &m->map->ip, m->hold->ifindex, m->hold->prefix);

    if (!stray)
        return;
    if (a->source_seen_ns != NSEC_UNSET && plan->core.sources[plan->core.nics[a->nic].source].announce_source) {
        stray->own = plan->targets[a->held_on].link.mac;
        stray->back = a->mac;
    }
    submit(agent, stray);
}

/* It is off; its source has it again where that was seen. */
static void part(struct agent *agent, struct stray *stray)
{
    if (!mac_address_is_unset(&stray->back))
        actions_announce_source(agent, stray->ifindex, &stray->own, &stray->ip, &stray->back);
    *stray = agent->strays[--agent->n_strays];
}

void leaving_gone(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    struct stray *stray = find(agent, ip, ifindex, prefix);

    if (stray && stray->due_ns != NSEC_NEVER)
        part(agent, stray);
}

void leaving_on_result(struct agent *agent, const struct claims_request *request, int error)
{
    struct stray *stray = find(agent, &request->ip, request->ifindex, request->prefix);
    char text[IP_ADDRESS_TEXT];

    if (!stray)
        return;
    if (error == 0 || error == -EADDRNOTAVAIL || error == -ENODEV || error == -EACCES) {
        part(agent, stray);
        return;
    }
    if (!stray->told)
        agent_say(agent, LOG_ERR, "cannot take %s off, which is tried again: %s", ip_address_format(&request->ip, text),
                  strerror(-error));
    stray->told = true;
    if (!stray->claiming)
        stray->due_ns = agent->now_ns + AGAIN_NS;
}

void leaving_claimed(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    struct stray *stray = find(agent, ip, ifindex, prefix);

    if (!stray)
        return;
    stray->claiming = true;
    stray->due_ns = NSEC_NEVER;
}

void leaving_unclaimed(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    struct stray *stray = find(agent, ip, ifindex, prefix);

    if (!stray)
        return;
    stray->claiming = false;
    stray->due_ns = agent->now_ns;
}

void leaving_doubt(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    (void)add(agent, ip, ifindex, prefix);
    leaving_unclaimed(agent, ip, ifindex, prefix);
}

bool leaving_has(const struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    return find(agent, ip, ifindex, prefix) != NULL;
}

void leaving_forget(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix)
{
    struct stray *stray = find(agent, ip, ifindex, prefix);

    if (stray)
        *stray = agent->strays[--agent->n_strays];
}

void leaving_run(struct agent *agent, nsec_t now_ns)
{
    for (size_t i = 0; i < agent->n_strays; i++)
        if (agent->strays[i].due_ns <= now_ns)
            submit(agent, &agent->strays[i]);
}

nsec_t leaving_deadline(const struct agent *agent)
{
    nsec_t due_ns = NSEC_NEVER;

    for (size_t i = 0; i < agent->n_strays; i++)
        due_ns = nsec_min(due_ns, agent->strays[i].due_ns);
    return due_ns;
}
