/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

void sim_queue_init(struct sim_queue *queue)
{
    *queue = (struct sim_queue){.last = &queue->first};
}

static struct sim_arrival *take(struct sim_queue *queue)
{
    struct sim_arrival *arrival = queue->first;

    if (!arrival)
        return NULL;
    queue->first = arrival->next;
    if (!queue->first)
        queue->last = &queue->first;
    queue->n--;
    return arrival;
}

void sim_queue_free(struct sim_queue *queue)
{
    struct sim_arrival *arrival;

    while ((arrival = take(queue)))
        free(arrival);
}

void sim_queue_put(struct sim_queue *queue, const struct sim_arrival *arrival)
{
    struct sim_arrival *copy = sim_alloc(sizeof *copy);

    *copy = *arrival;
    copy->next = NULL;
    *queue->last = copy;
    queue->last = &copy->next;
    queue->n++;
}

bool sim_queue_tells_gone(const struct sim_queue *queue, const struct ip_address *ip)
{
    for (const struct sim_arrival *arrival = queue->first; arrival; arrival = arrival->next)
        if (arrival->kind == SIM_ARRIVED_ADDRESS && !arrival->present && ip_address_equal(&arrival->address.ip, ip))
            return true;
    return false;
}

static void hand_over(struct sim_agent *agent, struct sim_arrival *arrival)
{
    nsec_t now_ns = agent->host->world->clock.now_ns;

    switch (arrival->kind) {
    case SIM_ARRIVED_REPLY:
        /* Stamps are of the wall clock as it was; what turns them into our time is as it is now. */
        arrival->reply.received_ns = arrival->wall_ns - agent->host->wall_offset_ns;
        if (arrival->reply.received_ns > now_ns)
            arrival->reply.received_ns = now_ns;
        agent_on_reply(agent->agent, now_ns, &arrival->reply);
        break;
    case SIM_ARRIVED_HEARD:
        agent_on_heard(agent->agent, now_ns, arrival->ifindex, &arrival->heard);
        break;
    case SIM_ARRIVED_TRAFFIC:
        agent_on_traffic(agent->agent, now_ns, &arrival->from, &arrival->to);
        break;
    case SIM_ARRIVED_RESULT:
        agent_on_claim_result(agent->agent, now_ns, &arrival->request, arrival->error);
        break;
    case SIM_ARRIVED_LINKS:
        agent_on_links_changed(agent->agent, now_ns);
        break;
    case SIM_ARRIVED_ADDRESS:
        agent_on_address_changed(agent->agent, now_ns, &arrival->address, arrival->present);
        break;
    case SIM_ARRIVED_TCP:
        agent_on_tcp(agent->agent, now_ns, (uint32_t)arrival->id, arrival->outcome, arrival->error, NSEC_PER_MSEC);
        break;
    case SIM_ARRIVED_JOB:
        agent_on_job(agent->agent, now_ns, &arrival->answer);
        break;
    case SIM_ARRIVED_UNIT:
        agent_on_unit(agent->agent, now_ns, arrival->id, arrival->error, arrival->answer.text);
        break;
    }
}

void sim_queue_serve(struct sim_queue *queue, struct sim_agent *agent)
{
    struct sim_arrival *arrival;

    while ((arrival = take(queue))) {
        hand_over(agent, arrival);
        free(arrival);
    }
}
