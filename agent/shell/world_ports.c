/* SPDX-License-Identifier: Apache-2.0 */
/* Out: every way out of the agent, over the world's sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/shell/guarding.h"
#include "agent/shell/keeper.h"
#include "agent/shell/log.h"
#include "agent/shell/world_internal.h"

/* Packets read from one socket in a drain before judging: more than its queue can hold. */
#define DRAIN_AT_MOST (1 << 16)
/* When the kernel takes no batch at all, the next try comes after this. */
#define CLAIMS_RETRY_NS (5 * NSEC_PER_MSEC)

static void on_unsent(void *userdata, const struct probe_request *request, int error)
{
    struct world *world = userdata;

    agent_on_unsent(world->agent, world->clock.now_ns, request, error);
}

static int port_probe(void *userdata, const struct probe_request *request)
{
    struct world *world = userdata;

    switch (request->kind) {
    case PROBE_ARP:
        return link_probe_send(world->arp, request);
    case PROBE_ND:
        return link_probe_send(world->nd, request);
    case PROBE_ICMP:
        return icmp_probe_send(request->to.family == AF_INET ? world->icmp4 : world->icmp6, request);
    case PROBE_KINDS:
        break;
    }
    return -EINVAL;
}

/* After the claims, which are more urgent; one batch a turn, too. */
static int flush_quiet(struct world *world)
{
    int left = quiet_flush(world->quiet);

    if (left >= 0)
        return left;
    if (!world->told_not_quiet)
        log_format(world->clock.now_ns, LOG_WARNING,
                   "the kernel takes no filter (%s): a source that comes back and probes for its addresses finds them "
                   "in use, and has to configure them again after the failback",
                   strerror(-left));
    world->told_not_quiet = true;
    return 1; /* the other family may have something left */
}

static void port_flush(void *userdata)
{
    struct world *world = userdata;

    link_probe_flush(world->arp, on_unsent);
    link_probe_flush(world->nd, on_unsent);
    icmp_probe_flush(world->icmp4, on_unsent);
    icmp_probe_flush(world->icmp6, on_unsent);
}

bool world_flush_claims(struct world *world)
{
    uint32_t before = claims_queued(world->claims);
    int left = claims_flush(world->claims);

    if (left == 0)
        world->claims_due_ns = NSEC_NEVER;
    else
        world->claims_due_ns = world->clock.now_ns + (left < 0 ? CLAIMS_RETRY_NS : 0);
    if (flush_quiet(world) > 0)
        world->claims_due_ns = nsec_min(world->claims_due_ns, world->clock.now_ns);
    return left >= 0 && (uint32_t)left < before;
}

/* Reads one socket to its end. False when that end was not reached. */
#define DRAIN(world, read, probe) (read((probe), &(world)->clock, DRAIN_AT_MOST) < DRAIN_AT_MOST)

static uint64_t dropped(struct world *world)
{
    return link_probe_dropped(world->arp) + link_probe_dropped(world->nd) + icmp_probe_dropped(world->icmp4) +
           icmp_probe_dropped(world->icmp6);
}

static bool port_drain(void *userdata)
{
    struct world *world = userdata;
    bool all = true;
    uint64_t now_dropped;

    all = DRAIN(world, link_probe_drain, world->arp) && all;
    all = DRAIN(world, link_probe_drain, world->nd) && all;
    all = DRAIN(world, icmp_probe_drain, world->icmp4) && all;
    all = DRAIN(world, icmp_probe_drain, world->icmp6) && all;
    now_dropped = dropped(world);
    all = all && now_dropped == world->dropped;
    world->dropped = now_dropped;
    return all;
}

static int port_frame(void *userdata, int ifindex, const struct arp_frame *frame)
{
    struct arp_port *port = listeners_find(userdata, ifindex);

    return port ? arp_port_send(port, frame) : -ENODEV;
}

static void port_watch(void *userdata, int ifindex, const struct ip_address *addresses, size_t count)
{
    struct arp_port *port = listeners_find(userdata, ifindex);

    if (port)
        arp_port_watch(port, addresses, count);
}

static int port_claim(void *userdata, const struct claims_request *request)
{
    struct world *world = userdata;

    /* Before it is put on: if we die in between, the guard finds nothing there, which is better than the reverse. */
    if (request->operation == CLAIMS_ADD)
        guarding_hold(world->guarding, request->ifindex, &request->ip, request->prefix);
    return claims_submit(world->claims, request);
}

static int port_shelf(void *userdata, int target, unsigned number)
{
    return shelves_find(userdata, target, number);
}

static int port_shelf_of(void *userdata, int ifindex)
{
    return shelves_target(userdata, ifindex);
}

static void port_let_in(void *userdata, const struct ip_address *ip, const struct mac_address *mac, bool let_in)
{
    struct world *world = userdata;

    if (!let_in)
        quiet_remove(world->quiet, ip, mac);
    else if (quiet_add(world->quiet, ip, mac) < 0)
        log_line(world->clock.now_ns, LOG_ERR, "no memory to let a source in that probes for its address");
}

static int port_carrier(void *userdata, int ifindex)
{
    struct world *world = userdata;

    return links_ask_carrier(world->links, ifindex);
}

static int port_link_by_name(void *userdata, const char *name, struct link_info *ret)
{
    struct world *world = userdata;

    return links_by_name(world->links, name, ret);
}

static void port_each_address(void *userdata, int ifindex,
                              bool (*each)(void *cookie, const struct link_address *address), void *cookie)
{
    struct world *world = userdata;

    links_each_address(world->links, ifindex, each, cookie);
}

static size_t port_neighbours(void *userdata, int ifindex, uint8_t family, struct link_neighbour *ret, size_t max)
{
    struct world *world = userdata;

    return links_neighbours(world->links, ifindex, family, ret, max);
}

static size_t port_gateways(void *userdata, int ifindex, uint8_t family, struct ip_address *ret, size_t max)
{
    struct world *world = userdata;

    return links_gateways(world->links, ifindex, family, ret, max);
}

static void port_journal(void *userdata, char *text, size_t length)
{
    struct world *world = userdata;

    keeper_submit(world->keeper, text, length);
}

static nsec_t port_wall_ahead(void *userdata)
{
    const struct world *world = userdata;

    return -world->clock.to_monotonic_ns;
}

static void port_say(void *userdata, int priority, const char *text)
{
    (void)userdata;
    log_line(world_now(), priority, text);
}

const struct agent_ports world_ports = {
    .probe = port_probe,
    .flush = port_flush,
    .drain = port_drain,
    .frame = port_frame,
    .watch = port_watch,
    .claim = port_claim,
    .shelf = port_shelf,
    .shelf_of = port_shelf_of,
    .let_in = port_let_in,
    .carrier = port_carrier,
    .link_by_name = port_link_by_name,
    .each_address = port_each_address,
    .neighbours = port_neighbours,
    .gateways = port_gateways,
    .journal = port_journal,
    .wall_ahead = port_wall_ahead,
    .manager = manager_of,
    .tcp = world_port_tcp,
    .tcp_cancel = world_port_tcp_cancel,
    .job = world_port_job,
    .job_cancel = world_port_job_cancel,
    .unit = world_port_unit,
    .flag = world_port_flag,
    .say = port_say,
};
