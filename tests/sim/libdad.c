/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/libdad.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "tests/sim/libworld.h"

/* RFC 5227 section 1.1: PROBE_NUM, each PROBE_MIN after the other here; then ANNOUNCE_WAIT. */
#define IPV4_PROBES 3
#define IPV4_BETWEEN_NS (1 * NSEC_PER_SEC)
#define IPV4_WAIT_NS (2 * NSEC_PER_SEC)
/* RFC 4862: one, and RetransTimer. */
#define IPV6_PROBES 1
#define IPV6_WAIT_NS (1 * NSEC_PER_SEC)

static void send_probe(struct sim_tentative *t)
{
    struct arp_frame link;
    struct sim_frame frame;

    t->probes++;
    arp_frame_request(&link, &t->nic->mac, &(struct ip_address){0}, &t->address.ip, &(struct mac_address){{0}});
    frame = sim_frame_of_link(&link);
    sim_nic_send(t->nic, &frame);
}

static void go_on(void *object, void *detail)
{
    struct sim_host *host = object;
    struct sim_clock *clock = &host->world->clock;
    size_t *number = detail, *again;
    struct sim_tentative *t = &host->tentative[*number];
    bool ipv4 = t->address.ip.family == AF_INET;
    unsigned probes = ipv4 ? IPV4_PROBES : IPV6_PROBES;
    nsec_t wait_ns;

    if (t->failed || t->over || !host->alive)
        return;
    if (t->probes == probes) {
        if (!sim_nic_find(t->nic, &t->address.ip))
            sim_nic_put_on(t->nic, &t->address);
        t->over = true;
        return;
    }
    send_probe(t);
    wait_ns = t->probes < probes ? IPV4_BETWEEN_NS : ipv4 ? IPV4_WAIT_NS : IPV6_WAIT_NS;
    again = sim_alloc(sizeof *again);
    *again = *number;
    sim_clock_at(clock, clock->now_ns + wait_ns, go_on, host, again);
}

void sim_host_return_with_dad(struct sim_host *host)
{
    struct sim_clock *clock = &host->world->clock;

    sim_host_set_alive(host, true);
    for (size_t i = 0; i < host->n_nics; i++) {
        struct sim_nic *nic = host->nics[i];

        for (; nic->n_addresses > 0; nic->n_addresses--) {
            size_t *number = sim_alloc(sizeof *number);
            nsec_t start_ns = (nsec_t)sim_random_below(&host->world->random, NSEC_PER_SEC); /* PROBE_WAIT */

            *number = host->n_tentative;
            host->tentative = sim_grow(host->tentative, host->n_tentative, sizeof *host->tentative);
            host->tentative[host->n_tentative++] =
                (struct sim_tentative){.nic = nic, .address = nic->addresses[nic->n_addresses - 1]};
            sim_clock_at(clock, clock->now_ns + start_ns, go_on, host, number);
        }
    }
}

void sim_host_stop_dad(struct sim_host *host)
{
    for (size_t i = 0; i < host->n_tentative; i++)
        host->tentative[i].over = true;
}

size_t sim_host_dad_failures(const struct sim_host *host)
{
    size_t n = 0;

    for (size_t i = 0; i < host->n_tentative; i++)
        n += host->tentative[i].failed;
    return n;
}

/* RFC 5227 section 2.1.1: any packet whose sender is the address, and a probe of another host for it, is a conflict. */
void sim_dad_hear(const struct sim_nic *nic, const struct arp_heard *heard)
{
    const struct sim_host *host = nic->host;

    for (size_t i = 0; i < host->n_tentative; i++) {
        struct sim_tentative *t = &host->tentative[i];
        const struct ip_address *ip = heard->kind == ARP_HEARD_PROBE ? &heard->target_ip : &heard->sender_ip;

        if (t->nic == nic && !t->over && t->probes > 0 && !sim_nic_find(nic, &t->address.ip) &&
            ip_address_equal(ip, &t->address.ip) && !mac_address_equal(&heard->sender_mac, &nic->mac))
            t->failed = true;
    }
}
