/* SPDX-License-Identifier: Apache-2.0 */
/* The ports on the target NICs: opened when a NIC comes up, closed when it goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/shell/log.h"
#include "agent/shell/world_internal.h"

/* Frames read in one go. */
#define READ_AT_ONCE 256
/* Without its port a NIC can neither announce nor hear: a passing shortage of descriptors must not last. */
#define OPEN_AGAIN_NS (1 * NSEC_PER_SEC)

static void on_heard(void *userdata, struct arp_port *port, const struct arp_heard *heard, nsec_t received_ns)
{
    struct listener *listener = userdata;

    (void)received_ns;
    agent_on_heard(listener->world->agent, listener->world->clock.now_ns, arp_port_ifindex(port), heard);
}

static void on_traffic(void *userdata, struct arp_port *port, const struct ip_address *from,
                       const struct ip_address *to, nsec_t received_ns)
{
    struct listener *listener = userdata;

    (void)port;
    (void)received_ns;
    agent_on_traffic(listener->world->agent, listener->world->clock.now_ns, from, to);
}

static void listener_close(struct listener *listener)
{
    listener->source = sd_event_source_disable_unref(listener->source);
    arp_port_close(listener->port);
    listener->port = NULL;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct listener *listener = userdata;
    struct world *world = listener->world;
    int r;

    (void)source;
    (void)fd;
    (void)revents;
    world_take_time(world);
    r = arp_port_on_readable(listener->port, world->clock.to_monotonic_ns, READ_AT_ONCE);
    if (r < 0) {
        listener_close(listener);
        world->listeners_stale = true;
        agent_on_links_changed(world->agent, world->clock.now_ns);
    }
    return 0;
}

static void listener_open(struct listener *listener, int ifindex)
{
    static const struct arp_port_callbacks callbacks = {.heard = on_heard, .traffic = on_traffic};
    struct world *world = listener->world;
    int r = arp_port_open(&listener->port, listener->name, ifindex, &callbacks, listener);

    if (r >= 0)
        r = sd_event_add_io(world->event, &listener->source, arp_port_fd(listener->port), EPOLLIN, on_readable,
                            listener);
    if (r >= 0)
        return;
    listener_close(listener);
    if (r == -ENODEV || r == -ENETDOWN)
        return;
    world->listeners_again_ns = world->clock.now_ns + OPEN_AGAIN_NS;
    log_format(world->clock.now_ns, LOG_ERR, "cannot listen on %s: %s", listener->name, strerror(-r));
}

void listeners_refresh(struct world *world)
{
    world->listeners_stale = false;
    world->listeners_again_ns = NSEC_NEVER;
    for (size_t i = 0; i < world->n_nics; i++) {
        struct listener *listener = world->nics[i];
        struct link_info link;
        bool there = links_by_name(world->links, listener->name, &link) == 0 && link.up && link.ethernet;

        if (listener->port && (!there || arp_port_ifindex(listener->port) != link.ifindex))
            listener_close(listener);
        if (!listener->port && there)
            listener_open(listener, link.ifindex);
    }
}

void listeners_close(struct world *world)
{
    for (size_t i = 0; i < world->n_nics; i++) {
        listener_close(world->nics[i]);
        free(world->nics[i]);
    }
    free(world->nics);
    world->nics = NULL;
    world->n_nics = 0;
}

struct arp_port *listeners_find(struct world *world, int ifindex)
{
    for (size_t i = 0; i < world->n_nics; i++)
        if (world->nics[i]->port && arp_port_ifindex(world->nics[i]->port) == ifindex)
            return world->nics[i]->port;
    return NULL;
}

static int add_nic(struct world *world, const char *name)
{
    struct listener **grown, *listener;

    if (name[0] == '\0')
        return 0;
    for (size_t i = 0; i < world->n_nics; i++)
        if (strcmp(world->nics[i]->name, name) == 0) {
            world->nics[i]->wanted = true;
            return 0;
        }
    grown = reallocarray(world->nics, world->n_nics + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    world->nics = grown;
    listener = calloc(1, sizeof *listener);
    if (!listener)
        return -ENOMEM;
    memcpy(listener->name, name, LIMIT_NIC_NAME);
    listener->world = world;
    listener->wanted = true;
    grown[world->n_nics++] = listener;
    return 0;
}

int listeners_add_nics(struct world *world, const struct ipmap *ipmap)
{
    for (size_t i = 0; i < world->n_nics; i++)
        world->nics[i]->wanted = false;
    for (size_t s = 0; s < ipmap->n_sources; s++)
        for (size_t i = 0; i < ipmap->sources[s].n_nics; i++)
            for (size_t k = 0; k < ipmap->sources[s].nics[i].n_addresses; k++) {
                const struct ipmap_address *address = &ipmap->sources[s].nics[i].addresses[k];

                if (add_nic(world, address->dev) < 0 || add_nic(world, address->fallback) < 0)
                    return -ENOMEM;
            }
    return 0;
}

void listeners_take_effect(struct world *world)
{
    size_t n = 0;

    for (size_t i = 0; i < world->n_nics; i++) {
        if (world->nics[i]->wanted) {
            world->nics[n++] = world->nics[i];
            continue;
        }
        listener_close(world->nics[i]);
        free(world->nics[i]);
    }
    world->n_nics = n;
    listeners_refresh(world);
}
