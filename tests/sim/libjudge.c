/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold in every world. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

/* Things done within one virtual millisecond: so many, and so many more for each address. */
#define PACE_ALWAYS 100
#define PACE_EACH 40
/* While an address is held, its source is looked for at least this often; and everybody, by broadcast, for one address
 * of the NIC after the other. */
#define RETURN_WATCH_NS NSEC_PER_SEC
#define RETURN_ASK_ALL_NS (1500 * NSEC_PER_MSEC)

void sim_judge_pace(struct sim_agent *agent)
{
    struct sim_world *world = agent->host->world;
    nsec_t ms = world->clock.now_ns / NSEC_PER_MSEC;

    if (agent->pace_ms != ms) {
        agent->pace_ms = ms;
        agent->pace = 0;
    }
    if (++agent->pace > PACE_ALWAYS + PACE_EACH * agent->n_addresses)
        sim_violate(world, "%s spins: %zu things done within a millisecond", agent->host->name, agent->pace);
}

/* Since when the address on the NIC has surely been there for whoever asks from `nic`; NSEC_NEVER. */
static nsec_t reachable_since(const struct sim_nic *nic, const struct sim_nic *other, const struct ip_address *ip)
{
    nsec_t since_ns = sim_nics_joined_since(nic, other), there_ns = sim_nic_find(other, ip)->since_ns;

    if (other->host->alive_since_ns > there_ns)
        there_ns = other->host->alive_since_ns;
    return since_ns > there_ns ? since_ns : there_ns;
}

static unsigned count_agents(const struct sim_world *world)
{
    unsigned n = 0;

    for (size_t i = 0; i < world->n_hosts; i++)
        n += world->hosts[i]->agent != NULL;
    return n;
}

/* Whether somebody just took off what it held. */
static bool puts_back(const struct sim_agent *agent)
{
    return sim_agent_said_ns(agent, "another program took") == agent->host->world->clock.now_ns;
}

/*
 * What was found on one of two NICs, and the kernel refuses the claim on that one: nobody tells with `witness none`
 * that it is cut off; or it loses frames by chance, so that a witness is heard there and the source is not.
 */
static bool is_misled(const struct sim_agent *agent, const struct sim_nic *nic, const struct sim_nic *other)
{
    const struct sim_host *host = agent->host;

    for (size_t i = 0; i < host->n_nics; i++)
        if (host->nics[i] != nic && host->nics[i]->segment == nic->segment && host->nics[i]->refuse_claims &&
            sim_nics_joined_since(host->nics[i], other) == NSEC_NEVER)
            return strstr(agent->file, "witness none") != NULL || host->nics[i]->faults.loss_in_ppm > 0 ||
                   host->nics[i]->faults.loss_out_ppm > 0;
    return false;
}

/*
 * An address of a host that lives and can be reached is not claimed, unless a person forced it. A host that has been
 * there for two intervals and a round trip must have answered one of the rounds that count; while its address is held
 * it is asked for less often.
 */
void sim_judge_claim(struct sim_agent *agent, const struct sim_nic *nic, const struct ip_address *ip)
{
    struct sim_world *world = agent->host->world;
    char text[IP_ADDRESS_TEXT];

    for (size_t i = 0; i < world->n_hosts && !agent->forced; i++) {
        const struct sim_nic *other = sim_host_find(world->hosts[i], ip);
        nsec_t grace_ns, since_ns;

        if (!other || world->hosts[i] == agent->host || sim_nic_find(other, ip)->claimed)
            continue;
        since_ns = reachable_since(nic, other, ip);
        if (is_misled(agent, nic, other))
            continue;
        grace_ns = 2 * (agent->interval_ns + agent->lateness_ns) + sim_nics_round_trip(nic, other);
        /* Whoever answers later than the file waits for is not there for it. */
        if (sim_nics_round_trip(nic, other) > agent->patience_ns)
            continue;
        if (puts_back(agent)) {
            /* The MAC that a source is looked for at while its address is held may be that of a target that stood in
             * before: its return is seen by broadcast alone then. */
            grace_ns += count_agents(world) > 1 ? (nsec_t)other->n_addresses * RETURN_ASK_ALL_NS : RETURN_WATCH_NS;
            since_ns = nsec_max(since_ns, nsec_max(agent->refused_ns, agent->begun_ns));
        }
        if (since_ns != NSEC_NEVER && world->clock.now_ns - since_ns > grace_ns)
            sim_violate(world, "%s claims %s of %s, which has been alive and reachable for %lld ms", agent->host->name,
                        ip_address_format(ip, text), world->hosts[i]->name,
                        (long long)((world->clock.now_ns - since_ns) / NSEC_PER_MSEC));
    }
}

/* Somebody else took it off, or its lease ran out, and the agent has not read of it yet; or it went with its NIC, and
 * the agent moves what there was on it. */
static bool is_untold(const struct sim_agent *agent, const struct ip_address *ip)
{
    return sim_queue_tells_gone(&agent->others, ip) ||
           sim_agent_said_ns(agent, "went with") == agent->host->world->clock.now_ns;
}

void sim_judge_release(struct sim_agent *agent, const struct sim_nic *nic, const struct claims_request *request)
{
    const struct sim_address *there = sim_nic_find(nic, &request->ip);
    char text[IP_ADDRESS_TEXT];

    /* Or the kernel is still at the claim; or said no, and may have done it all the same. */
    if (!there && (agent->n_claims_failed > 0 || is_untold(agent, &request->ip) ||
                   agent->kernel_busy_ns > agent->host->world->clock.now_ns))
        return;
    if (!there || !there->claimed || there->prefix != request->prefix)
        sim_violate(agent->host->world, "%s releases %s/%u, which it did not claim so", agent->host->name,
                    ip_address_format(&request->ip, text), request->prefix);
}

/* What is announced as ours, and what speaks for an address, is what the kernel has. */
void sim_judge_frame(struct sim_agent *agent, const struct sim_nic *nic, const struct arp_heard *said)
{
    struct sim_world *world = agent->host->world;
    bool ours = mac_address_equal(&said->sender_mac, &nic->mac);
    const struct sim_address *there = sim_nic_find(nic, &said->sender_ip);
    char text[IP_ADDRESS_TEXT];

    if (said->kind == ARP_HEARD_PROBE)
        return;
    if (ours && !there && !is_untold(agent, &said->sender_ip))
        sim_violate(world, "%s speaks for %s without having it", agent->host->name,
                    ip_address_format(&said->sender_ip, text));
    if (!ours && (said->kind != ARP_HEARD_ANNOUNCEMENT || there))
        sim_violate(world, "%s says that %s, which it holds, is elsewhere", agent->host->name,
                    ip_address_format(&said->sender_ip, text));
}

static struct sim_overlap *find_overlap(struct sim_world *world, const struct ip_address *ip)
{
    for (size_t i = 0; i < world->n_overlaps; i++)
        if (ip_address_equal(&world->overlaps[i].ip, ip))
            return &world->overlaps[i];
    world->overlaps = sim_grow(world->overlaps, world->n_overlaps, sizeof *world->overlaps);
    world->overlaps[world->n_overlaps] = (struct sim_overlap){.ip = *ip, .since_ns = NSEC_NEVER};
    return &world->overlaps[world->n_overlaps++];
}

static unsigned count_claims(const struct sim_world *world, const struct ip_address *ip)
{
    unsigned n = 0;

    for (size_t i = 0; i < world->n_hosts; i++) {
        const struct sim_nic *nic = sim_host_find(world->hosts[i], ip);

        n += nic && sim_nic_find(nic, ip)->claimed;
    }
    return n;
}

void sim_judge_overlap(struct sim_world *world, const struct ip_address *ip)
{
    struct sim_overlap *overlap = find_overlap(world, ip);
    nsec_t now_ns = world->clock.now_ns;

    if (count_claims(world, ip) > 1) {
        if (overlap->since_ns == NSEC_NEVER)
            overlap->since_ns = now_ns;
        return;
    }
    if (overlap->since_ns != NSEC_NEVER && now_ns - overlap->since_ns > world->overlap_max_ns)
        world->overlap_max_ns = now_ns - overlap->since_ns;
    overlap->since_ns = NSEC_NEVER;
}

bool sim_overlaps(const struct sim_world *world, const char *text)
{
    struct ip_address ip;

    if (ip_address_parse(text, &ip) < 0)
        abort();
    return count_claims(world, &ip) > 1;
}
