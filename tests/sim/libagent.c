/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/libagent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/sim/libworld.h"

/* What a socket of the probes holds by default. */
#define QUEUE_MAX 1000
#define KERNEL_NS (20 * NSEC_PER_USEC)

static nsec_t now_of(const struct sim_agent *agent)
{
    return agent->host->world->clock.now_ns;
}

/* One `now` for the event at hand; whether the guard acted or the wall clock was set since the last. */
static void take_time(struct sim_agent *agent)
{
    if (agent->hung)
        agent_on_hung(agent->agent, now_of(agent));
    agent->hung = false;
    if (agent->seen_wall_ns != agent->host->wall_offset_ns)
        agent_on_clock_step(agent->agent, now_of(agent));
    agent->seen_wall_ns = agent->host->wall_offset_ns;
}

bool sim_agent_runs(const struct sim_agent *agent)
{
    return agent->agent && !agent->paused && agent->host->alive;
}

static void turn(void *object, void *detail);

/* Ends an event: whatever was asked goes out, and the timer is set. */
static void settle(struct sim_agent *agent)
{
    struct sim_world *world = agent->host->world;
    nsec_t due_ns;

    agent_flush(agent->agent, now_of(agent));
    agent->busy_ns = now_of(agent) + agent->work_ns;
    agent->work_ns = 0;
    agent_worked(agent->agent, now_of(agent), agent->busy_ns);
    due_ns = agent_deadline(agent->agent);
    if (due_ns == agent->due_ns && agent->turn_ns != NSEC_NEVER)
        return;
    agent->due_ns = due_ns;
    agent->turn_ns = NSEC_NEVER;
    if (due_ns == NSEC_NEVER)
        return;
    /* Timers have microseconds, and are never early. */
    agent->turn_ns = (due_ns + NSEC_PER_USEC - 1) / NSEC_PER_USEC * NSEC_PER_USEC;
    agent->turn_ns += (nsec_t)sim_random_below(&world->random, (uint64_t)agent->lateness_ns);
    if (agent->turn_ns < now_of(agent))
        agent->turn_ns = now_of(agent);
    sim_clock_at(&world->clock, agent->turn_ns, turn, agent, NULL);
}

/* Timers that were moved meanwhile find another turn_ns. */
static void turn(void *object, void *detail)
{
    struct sim_agent *agent = object;

    (void)detail;
    if (!sim_agent_runs(agent) || agent->turn_ns != now_of(agent))
        return;
    if (agent->busy_ns > now_of(agent)) {
        agent->turn_ns = agent->busy_ns;
        sim_clock_at(&agent->host->world->clock, agent->turn_ns, turn, agent, NULL);
        return;
    }
    sim_judge_pace(agent);
    agent->turn_ns = NSEC_NEVER;
    take_time(agent);
    agent_turn(agent->agent, now_of(agent));
    settle(agent);
}

static void serve(void *object, void *detail)
{
    struct sim_agent *agent = object;

    (void)detail;
    agent->wake_planned = false;
    if (!sim_agent_runs(agent))
        return;
    if (agent->busy_ns > now_of(agent)) {
        agent->wake_planned = true;
        sim_clock_at(&agent->host->world->clock, agent->busy_ns, serve, agent, NULL);
        return;
    }
    take_time(agent);
    sim_queue_serve(&agent->replies, agent);
    sim_queue_serve(&agent->others, agent);
    settle(agent);
}

void sim_agent_wake(struct sim_agent *agent)
{
    if (agent->wake_planned || !sim_agent_runs(agent))
        return;
    agent->wake_planned = true;
    sim_clock_at(&agent->host->world->clock, now_of(agent), serve, agent, NULL);
}

void sim_agent_load(struct sim_agent *agent, const char *ipmap_text, const struct claims_held *held, size_t n_held)
{
    struct ipmap_messages messages;
    struct ipmap *ipmap;
    char *copy = strdup(ipmap_text); /* may be agent->file itself */

    if (ipmap_parse("ipmap.conf", ipmap_text, strlen(ipmap_text), NULL, &ipmap, &messages) < 0) {
        ipmap_messages_print(&messages, stderr);
        abort();
    }
    ipmap_messages_free(&messages);
    free(agent->file);
    agent->file = copy;
    agent->guard_ns = ipmap->guard_ns;
    agent->interval_ns = 0;
    agent->patience_ns = NSEC_NEVER;
    agent->n_addresses = ipmap->n_addresses;
    for (size_t i = 0; i < ipmap->n_sources; i++) {
        const struct ipmap_source *s = &ipmap->sources[i];

        if (s->interval_ns > agent->interval_ns)
            agent->interval_ns = s->interval_ns;
        agent->patience_ns =
            nsec_min(agent->patience_ns, nsec_min(s->verify_within_ns / s->verify_asks, s->interval_ns));
    }
    if (agent_load(agent->agent, now_of(agent), ipmap, held, n_held) < 0)
        abort();
    settle(agent);
}

struct sim_agent *sim_agent_start(struct sim_host *host, const char *ipmap)
{
    struct sim_agent *agent = sim_alloc(sizeof *agent);

    agent->host = host;
    agent->claim_delay_ns = KERNEL_NS;
    agent->queue_max = QUEUE_MAX;
    agent->due_ns = agent->turn_ns = NSEC_NEVER;
    sim_queue_init(&agent->replies);
    sim_queue_init(&agent->others);
    host->agent = agent;
    sim_agent_begin(agent, ipmap);
    return agent;
}

void sim_agent_free(struct sim_agent *agent)
{
    if (!agent)
        return;
    agent_free(agent->agent);
    sim_queue_free(&agent->replies);
    sim_queue_free(&agent->others);
    for (size_t i = 0; i < agent->n_lines; i++)
        free(agent->lines[i].text);
    free(agent->lines);
    free(agent->deeds);
    free(agent->journal);
    free(agent->file);
    free(agent);
}

void sim_agent_reload(struct sim_agent *agent, const char *ipmap)
{
    sim_agent_load(agent, ipmap, NULL, 0);
}

void sim_agent_pause(struct sim_agent *agent)
{
    agent->paused = true;
    sim_agent_fall_silent(agent);
}

void sim_agent_resume(struct sim_agent *agent)
{
    agent->paused = false;
    agent->silent_ns = NSEC_NEVER;
    sim_agent_catch_up(agent);
}

void sim_agent_catch_up(struct sim_agent *agent)
{
    struct sim_world *world = agent->host->world;
    bool turn_first = sim_random_hit(&world->random, 500000);

    if (!sim_agent_runs(agent))
        return;
    if (!turn_first)
        sim_agent_wake(agent);
    if (agent->turn_ns <= now_of(agent)) {
        agent->turn_ns = now_of(agent);
        sim_clock_at(&world->clock, agent->turn_ns, turn, agent, NULL);
    }
    sim_agent_wake(agent);
}

static void command(struct sim_agent *agent, json_t *request)
{
    if (!request)
        abort();
    take_time(agent);
    agent_command(agent->agent, now_of(agent), request, sim_agent_keep_answer, agent);
    json_decref(request);
    settle(agent);
}

void sim_agent_command(struct sim_agent *agent, const char *name, const char *source, const char *nic)
{
    command(agent, json_pack("{s:s, s:s*, s:s*}", "command", name, "source", source, "nic", nic));
}

void sim_agent_force(struct sim_agent *agent, const char *source)
{
    agent->forced = true;
    command(agent, json_pack("{s:s, s:s, s:b}", "command", "failover", "source", source, "force", 1));
}

void sim_agent_force_failback(struct sim_agent *agent, const char *source)
{
    command(agent, json_pack("{s:s, s:s, s:b}", "command", "failback", "source", source, "force", 1));
}

static void put_reply(struct sim_agent *agent, const struct probe_reply *reply)
{
    if (!agent->agent)
        return;
    if (agent->replies.n >= agent->queue_max) {
        agent->lost_replies = true;
        return;
    }
    sim_queue_put(&agent->replies, &(struct sim_arrival){.kind = SIM_ARRIVED_REPLY,
                                                         .wall_ns = now_of(agent) + agent->host->wall_offset_ns,
                                                         .reply = *reply});
    sim_agent_wake(agent);
}

static void put_other(struct sim_agent *agent, const struct sim_arrival *arrival)
{
    if (!agent->agent)
        return;
    sim_queue_put(&agent->others, arrival);
    sim_agent_wake(agent);
}

/* As the filters of probes/arp.c and probes/nd.c, and as arp/port.c. */
static void receive_link(struct sim_agent *agent, const struct sim_nic *nic, const struct sim_frame *frame)
{
    struct arp_heard heard;
    bool to_us = mac_address_equal(&frame->target, &nic->mac);

    if (arp_frame_parse(frame->link.bytes, frame->link.length, &heard) < 0)
        return;
    if (heard.kind == ARP_HEARD_REPLY &&
        (to_us || (heard.sender_ip.family == AF_INET && mac_address_equal(&heard.target_mac, &nic->mac))))
        put_reply(agent, &(struct probe_reply){.kind = heard.sender_ip.family == AF_INET ? PROBE_ARP : PROBE_ND,
                                               .ifindex = nic->ifindex,
                                               .from = heard.sender_ip,
                                               .to = heard.target_ip,
                                               .peer = heard.sender_mac});
    if (!mac_address_equal(&heard.ethernet_source, &nic->mac) && !(heard.kind == ARP_HEARD_REPLY && to_us))
        put_other(agent, &(struct sim_arrival){.kind = SIM_ARRIVED_HEARD, .ifindex = nic->ifindex, .heard = heard});
}

static bool is_watched(const struct sim_nic *nic, const struct ip_address *ip)
{
    for (size_t i = 0; i < nic->n_watched; i++)
        if (ip_address_equal(&nic->watched[i], ip))
            return true;
    return false;
}

void sim_agent_receive(struct sim_agent *agent, const struct sim_nic *nic, const struct sim_frame *frame)
{
    if (!agent->agent)
        return;
    if (frame->kind == SIM_LINK) {
        receive_link(agent, nic, frame);
        return;
    }
    if (is_watched(nic, &frame->to))
        put_other(agent,
                  &(struct sim_arrival){
                      .kind = SIM_ARRIVED_TRAFFIC, .ifindex = nic->ifindex, .from = frame->from, .to = frame->to});
    if (frame->kind == SIM_ECHO_REPLY && frame->asker == SIM_ASKER_AGENT && sim_host_find(agent->host, &frame->to))
        put_reply(agent, &(struct probe_reply){.kind = PROBE_ICMP,
                                               .ifindex = nic->ifindex,
                                               .from = frame->from,
                                               .to = frame->to,
                                               .has_token = true,
                                               .token = frame->token});
}

void sim_agent_links_changed(struct sim_agent *agent)
{
    put_other(agent, &(struct sim_arrival){.kind = SIM_ARRIVED_LINKS});
}

void sim_agent_address_changed(struct sim_agent *agent, const struct sim_nic *nic, const struct ip_address *ip,
                               uint8_t prefix, bool present)
{
    put_other(agent, &(struct sim_arrival){.kind = SIM_ARRIVED_ADDRESS,
                                           .ifindex = nic->ifindex,
                                           .address = {.ifindex = nic->ifindex, .ip = *ip, .prefix = prefix},
                                           .present = present});
}
