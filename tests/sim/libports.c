/* SPDX-License-Identifier: Apache-2.0 */
/* Every way out of the agent, into the model. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libworld.h"

/* How often a host that stands still is looked at. */
#define STILL_NS (10 * NSEC_PER_MSEC)
/* Wall clocks of the model are about this year's; only what is written down shows it. */
#define WALL_AHEAD_NS (INT64_C(1700000000) * NSEC_PER_SEC)

/* The NIC that the agent means; that it means none at all must not happen. */
static struct sim_nic *named_nic(struct sim_agent *agent, int ifindex)
{
    sim_judge_pace(agent);
    if (ifindex <= 0)
        sim_violate(agent->host->world, "%s uses a port with ifindex %d", agent->host->name, ifindex);
    return sim_host_nic(agent->host, ifindex);
}

static int send_link(struct sim_agent *agent, struct sim_nic *nic, const struct arp_frame *link)
{
    struct sim_frame frame = sim_frame_of_link(link);
    struct arp_heard said;

    if (!nic->up)
        return -ENETDOWN;
    if (arp_frame_parse(link->bytes, link->length, &said) < 0)
        sim_violate(agent->host->world, "%s sends a frame that is none", agent->host->name);
    else
        sim_judge_frame(agent, nic, &said);
    sim_nic_send(nic, &frame);
    return 0;
}

static int send_echo(struct sim_agent *agent, struct sim_nic *nic, const struct probe_request *request)
{
    struct sim_frame echo = {
        .kind = SIM_ECHO_REQUEST,
        .from = request->from,
        .to = request->to,
        .asker = SIM_ASKER_AGENT,
        .token = request->token,
    };

    if (request->token.sequence == 0)
        sim_violate(agent->host->world, "%s sends an echo whose sequence is 0", agent->host->name);
    /* Unset: the kernel takes the first address of the family. */
    for (size_t i = 0; echo.from.family == 0 && i < nic->n_addresses; i++)
        if (nic->addresses[i].ip.family == request->to.family)
            echo.from = nic->addresses[i].ip;
    return nic->up ? sim_host_send_echo(nic, &echo) : -ENETDOWN;
}

static int port_probe(void *userdata, const struct probe_request *request)
{
    struct sim_agent *agent = userdata;
    struct sim_nic *nic = named_nic(agent, request->ifindex);
    struct arp_frame link;

    if (!nic)
        return -ENODEV;
    agent->work_ns += agent->send_ns;
    if (agent->refuse_probes && (!agent->refuse_kinds || agent->refuse_kinds & 1u << request->kind)) {
        agent->refused_ns = agent->host->world->clock.now_ns;
        if (agent->refuse_at_once || agent->n_refused == SIM_REFUSED_MAX)
            return -agent->refuse_probes;
        agent->refused[agent->n_refused++] = *request;
        return 0;
    }
    if (request->kind == PROBE_ICMP)
        return send_echo(agent, nic, request);
    if (!mac_address_equal(&request->own, &nic->mac))
        sim_violate(agent->host->world, "%s asks with a MAC that is not its own", agent->host->name);
    arp_frame_request(&link, &request->own, &request->from, &request->to, &request->peer);
    return send_link(agent, nic, &link);
}

static void port_flush(void *userdata)
{
    struct sim_agent *agent = userdata;
    size_t n = agent->n_refused;

    agent->n_refused = 0;
    for (size_t i = 0; i < n; i++)
        agent_on_unsent(agent->agent, agent->host->world->clock.now_ns, &agent->refused[i], agent->refuse_probes);
}

static bool port_drain(void *userdata)
{
    struct sim_agent *agent = userdata;
    bool all = !agent->lost_replies;

    agent->lost_replies = false;
    sim_queue_serve(&agent->replies, agent);
    return all;
}

static int port_frame(void *userdata, int ifindex, const struct arp_frame *frame)
{
    struct sim_agent *agent = userdata;
    struct sim_nic *nic = named_nic(agent, ifindex);
    struct arp_heard said;

    if (!nic)
        return -ENODEV;
    if (agent->refuse_frames)
        return agent->refuse_frames;
    if (arp_frame_parse(frame->bytes, frame->length, &said) == 0 && said.kind == ARP_HEARD_ANNOUNCEMENT)
        sim_agent_note(agent, mac_address_equal(&said.sender_mac, &nic->mac) ? SIM_ANNOUNCE : SIM_ANNOUNCE_SOURCE,
                       &said.sender_ip, ifindex);
    return send_link(agent, nic, frame);
}

static void port_watch(void *userdata, int ifindex, const struct ip_address *addresses, size_t count)
{
    struct sim_agent *agent = userdata;
    struct sim_nic *nic = named_nic(agent, ifindex);

    if (count > sizeof nic->watched / sizeof *nic->watched) {
        sim_violate(agent->host->world, "%s watches for %zu addresses", agent->host->name, count);
        return;
    }
    if (!nic)
        return;
    nic->n_watched = count;
    if (count > 0)
        memcpy(nic->watched, addresses, count * sizeof *addresses);
}

/* What the kernel makes of a request. */
static int apply(struct sim_agent *agent, struct sim_nic *nic, const struct claims_request *request)
{
    int r = -EINVAL;

    switch (request->operation) {
    case CLAIMS_ADD:
        r = sim_host_claim(nic, &request->ip, request->prefix, request->valid_s);
        break;
    case CLAIMS_REMOVE:
        r = sim_host_release(nic, &request->ip, request->prefix);
        break;
    case CLAIMS_RENEW:
        return sim_host_renew(nic, &request->ip, request->prefix, request->valid_s);
    }
    if (r < 0)
        return r;
    sim_judge_overlap(agent->host->world, &request->ip);
    sim_agent_address_changed(agent, nic, &request->ip, request->prefix, request->operation == CLAIMS_ADD);
    return 0;
}

/* What waits for the kernel, and who asked for it. */
struct order {
    struct claims_request request;
    unsigned incarnation;
    int unheard; /* of the agent, when it asked */
};

static void claim_done(void *object, void *detail)
{
    struct sim_agent *agent = object;
    struct sim_clock *clock = &agent->host->world->clock;
    const struct order *order = detail;
    const struct claims_request *request = &order->request;
    struct sim_nic *nic = sim_host_nic(agent->host, request->ifindex);
    struct sim_arrival result = {.kind = SIM_ARRIVED_RESULT, .request = *request, .error = -ENODEV};

    /* What was not done when it was killed was not asked for yet. */
    if (order->incarnation != agent->incarnation)
        return;
    /* A host that stands still goes on with it later. */
    if (!agent->host->alive) {
        struct order *again = sim_alloc(sizeof *again);

        *again = *order;
        sim_clock_at(clock, clock->now_ns + STILL_NS, claim_done, agent, again);
        return;
    }
    if (nic)
        result.error = apply(agent, nic, request);
    if (order->unheard != 0)
        result.error = -order->unheard;
    agent->n_claims_failed += request->operation == CLAIMS_ADD && result.error < 0;
    sim_queue_put(&agent->others, &result);
    sim_agent_wake(agent);
}

static void judge_request(struct sim_agent *agent, const struct sim_nic *nic, const struct claims_request *request)
{
    switch (request->operation) {
    case CLAIMS_ADD:
        sim_judge_claim(agent, nic, &request->ip);
        sim_agent_note(agent, SIM_CLAIM, &request->ip, request->ifindex);
        break;
    case CLAIMS_REMOVE:
        sim_judge_release(agent, nic, request);
        sim_agent_note(agent, SIM_RELEASE, &request->ip, request->ifindex);
        break;
    case CLAIMS_RENEW:
        agent->renewals++;
        break;
    }
}

static int port_claim(void *userdata, const struct claims_request *request)
{
    struct sim_agent *agent = userdata;
    struct sim_clock *clock = &agent->host->world->clock;
    const struct sim_nic *nic = named_nic(agent, request->ifindex);
    struct order *order = sim_alloc(sizeof *order);

    *order = (struct order){*request, agent->incarnation, agent->unheard};
    if (nic)
        judge_request(agent, nic, request);
    /* In the order of submission, however fast the kernel has become meanwhile. */
    agent->kernel_busy_ns = nsec_max(agent->kernel_busy_ns, clock->now_ns + agent->claim_delay_ns);
    sim_clock_at(clock, agent->kernel_busy_ns, claim_done, agent, order);
    return 0;
}

static int port_carrier(void *userdata, int ifindex)
{
    const struct sim_nic *nic = named_nic(userdata, ifindex);

    return nic ? sim_nic_has_carrier(nic) : -ENODEV;
}

static int port_link_by_name(void *userdata, const char *name, struct link_info *ret)
{
    const struct sim_agent *agent = userdata;

    for (size_t i = 0; i < agent->host->n_nics; i++) {
        const struct sim_nic *nic = agent->host->nics[i];

        if (strcmp(nic->name, name) != 0 || nic->ifindex == 0)
            continue;
        *ret = (struct link_info){
            .ifindex = nic->ifindex, .mac = nic->mac, .up = nic->up, .carrier = nic->carrier_told, .ethernet = true};
        strcpy(ret->name, nic->name);
        return 0;
    }
    return -ENODEV;
}

static void port_each_address(void *userdata, int ifindex, bool (*each)(void *cookie, const struct link_address *),
                              void *cookie)
{
    const struct sim_nic *nic = named_nic(userdata, ifindex);

    for (size_t i = 0; nic && i < nic->n_addresses; i++)
        if (!each(cookie, &(struct link_address){
                              .ifindex = ifindex, .ip = nic->addresses[i].ip, .prefix = nic->addresses[i].prefix}))
            return;
}

static size_t port_neighbours(void *userdata, int ifindex, uint8_t family, struct link_neighbour *ret, size_t max)
{
    const struct sim_agent *agent = userdata;
    const struct sim_nic *nic = named_nic(userdata, ifindex);
    size_t count = 0;

    for (size_t i = 0; nic && i < nic->n_neighbours && count < max; i++) {
        const struct sim_neighbour *n = &nic->neighbours[i];

        if (n->ip.family == family && n->resolved)
            ret[count++] =
                (struct link_neighbour){.ip = n->ip,
                                        .mac = n->mac,
                                        .gateway = ip_address_equal(&n->ip, &agent->host->gateways[family != AF_INET])};
    }
    return count;
}

static size_t port_gateways(void *userdata, int ifindex, uint8_t family, struct ip_address *ret, size_t max)
{
    const struct sim_agent *agent = userdata;
    const struct sim_nic *nic = named_nic(userdata, ifindex);
    const struct ip_address *gateway = &agent->host->gateways[family != AF_INET];

    for (size_t i = 0; nic && max > 0 && gateway->family == family && i < nic->n_addresses; i++)
        if (ip_address_same_net(&nic->addresses[i].ip, gateway, nic->addresses[i].prefix)) {
            *ret = *gateway;
            return 1;
        }
    return 0;
}

static void port_let_in(void *userdata, const struct ip_address *ip, const struct mac_address *mac, bool let_in)
{
    struct sim_agent *agent = userdata;

    sim_host_let_in(agent->host, ip, mac, let_in);
}

static void port_journal(void *userdata, char *text, size_t length)
{
    sim_agent_keep_journal(userdata, text, length);
}

static nsec_t port_wall_ahead(void *userdata)
{
    const struct sim_agent *agent = userdata;

    return WALL_AHEAD_NS + agent->host->wall_offset_ns;
}

static int port_shelf(void *userdata, int target, unsigned number)
{
    (void)userdata;
    (void)target;
    (void)number;
    return 0;
}

static int port_shelf_of(void *userdata, int ifindex)
{
    (void)userdata;
    (void)ifindex;
    return 0;
}

static enum manager port_manager(void *userdata, int ifindex)
{
    (void)userdata;
    (void)ifindex;
    return MANAGER_NONE;
}

static void port_say(void *userdata, int priority, const char *text)
{
    sim_agent_hear(userdata, priority, text);
}

const struct agent_ports sim_ports = {
    .probe = port_probe,
    .flush = port_flush,
    .drain = port_drain,
    .frame = port_frame,
    .watch = port_watch,
    .claim = port_claim,
    .shelf = port_shelf,
    .shelf_of = port_shelf_of,
    .carrier = port_carrier,
    .link_by_name = port_link_by_name,
    .each_address = port_each_address,
    .neighbours = port_neighbours,
    .gateways = port_gateways,
    .let_in = port_let_in,
    .journal = port_journal,
    .wall_ahead = port_wall_ahead,
    .manager = port_manager,
    .tcp = sim_port_tcp,
    .tcp_cancel = sim_port_tcp_cancel,
    .job = sim_port_job,
    .job_cancel = sim_port_job_cancel,
    .unit = sim_port_unit,
    .flag = sim_port_flag,
    .say = port_say,
};
