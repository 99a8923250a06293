/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/libhost.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libclient.h"
#include "tests/sim/libdad.h"
#include "tests/sim/libworld.h"

struct sim_host *sim_host_new(struct sim_world *world, const char *name)
{
    struct sim_host *host = sim_alloc(sizeof *host);

    host->world = world;
    host->number = (unsigned)world->n_hosts;
    host->alive = true;
    host->alive_since_ns = world->clock.now_ns;
    snprintf(host->name, sizeof host->name, "%s", name);
    world->hosts = sim_grow(world->hosts, world->n_hosts, sizeof *world->hosts);
    world->hosts[world->n_hosts++] = host;
    return host;
}

static void free_nic(struct sim_nic *nic)
{
    sim_neighbour_forget_all(nic);
    free(nic->addresses);
    free(nic);
}

void sim_host_free(struct sim_host *host)
{
    for (size_t i = 0; i < host->n_nics; i++)
        free_nic(host->nics[i]);
    free(host->nics);
    free(host->let_in);
    free(host->tentative);
    free(host);
}

struct sim_nic *sim_nic_new(struct sim_host *host, const char *name, struct sim_segment *segment)
{
    struct sim_nic *nic = sim_alloc(sizeof *nic);

    *nic = (struct sim_nic){
        .ifindex = (int)host->n_nics + 2,
        .mac = {{0x02, 0, 0, (uint8_t)(host->number >> 8), (uint8_t)host->number, (uint8_t)(host->n_nics + 1)}},
        .host = host,
        .segment = segment,
        .up = true,
        .connected = true,
        .carrier_told = true,
        .good_since_ns = host->world->clock.now_ns,
    };
    snprintf(nic->name, sizeof nic->name, "%s", name);
    host->nics = sim_grow(host->nics, host->n_nics, sizeof *host->nics);
    host->nics[host->n_nics++] = nic;
    sim_segment_join(segment, nic);
    return nic;
}

static struct sim_address read_address(const char *text)
{
    struct sim_address address = {0};
    char ip[IP_ADDRESS_TEXT];
    int length = (int)strcspn(text, "/");

    snprintf(ip, sizeof ip, "%.*s", length, text);
    if (ip_address_parse(ip, &address.ip) < 0)
        abort();
    address.prefix =
        (uint8_t)(text[length] ? strtoul(text + length + 1, NULL, 10) : ip_address_bits(address.ip.family));
    return address;
}

void sim_nic_put_on(struct sim_nic *nic, const struct sim_address *address)
{
    nic->addresses = sim_grow(nic->addresses, nic->n_addresses, sizeof *address);
    nic->addresses[nic->n_addresses] = *address;
    nic->addresses[nic->n_addresses++].since_ns = nic->segment->world->clock.now_ns;
}

static void take_off(struct sim_nic *nic, struct sim_address *address)
{
    *address = nic->addresses[--nic->n_addresses];
}

/* It goes, and not by a request of the agent, which is told. */
static void lose_address(struct sim_nic *nic, struct sim_address *address)
{
    struct sim_address gone = *address;

    take_off(nic, address);
    sim_judge_overlap(nic->segment->world, &gone.ip);
    if (nic->host->agent)
        sim_agent_address_changed(nic->host->agent, nic, &gone.ip, gone.prefix, false);
}

void sim_nic_add(struct sim_nic *nic, const char *text)
{
    struct sim_address address = read_address(text);

    sim_nic_put_on(nic, &address);
    if (nic->host->agent)
        sim_agent_address_changed(nic->host->agent, nic, &address.ip, address.prefix, true);
}

void sim_nic_remove(struct sim_nic *nic, const char *text)
{
    struct sim_address address = read_address(text);
    struct sim_address *there = sim_nic_find(nic, &address.ip);

    assert(there);
    lose_address(nic, there);
}

void sim_nic_drop(struct sim_nic *nic, uint8_t family)
{
    for (size_t i = nic->n_addresses; i-- > 0;)
        if (family == 0 || nic->addresses[i].ip.family == family)
            lose_address(nic, &nic->addresses[i]);
}

void sim_host_announce(struct sim_host *host)
{
    for (size_t i = 0; i < host->n_nics; i++)
        for (size_t k = 0; k < host->nics[i]->n_addresses; k++) {
            struct sim_nic *nic = host->nics[i];
            const struct ip_address *ip = &nic->addresses[k].ip;
            struct arp_frame link;
            struct sim_frame frame;

            if (ip->family == AF_INET)
                arp_frame_announce_request(&link, &nic->mac, &nic->mac, ip);
            else
                arp_frame_advertise(&link, &nic->mac, &nic->mac, ip, false);
            frame = sim_frame_of_link(&link);
            sim_nic_send(nic, &frame);
        }
}

void sim_host_step_clock(struct sim_host *host, nsec_t by_ns)
{
    host->wall_offset_ns += by_ns;
}

struct sim_nic *sim_host_nic(const struct sim_host *host, int ifindex)
{
    for (size_t i = 0; i < host->n_nics; i++)
        if (ifindex > 0 && host->nics[i]->ifindex == ifindex)
            return host->nics[i];
    return NULL;
}

struct sim_address *sim_nic_find(const struct sim_nic *nic, const struct ip_address *ip)
{
    for (size_t i = 0; i < nic->n_addresses; i++)
        if (ip_address_equal(&nic->addresses[i].ip, ip))
            return &nic->addresses[i];
    return NULL;
}

struct sim_nic *sim_host_find(const struct sim_host *host, const struct ip_address *ip)
{
    for (size_t i = 0; i < host->n_nics; i++)
        if (sim_nic_find(host->nics[i], ip))
            return host->nics[i];
    return NULL;
}

bool sim_host_holds(const struct sim_host *host, const char *ip)
{
    struct sim_address address = read_address(ip);
    const struct sim_nic *nic = sim_host_find(host, &address.ip);

    return nic && sim_nic_find(nic, &address.ip)->claimed;
}

/* Takes off what nobody renewed. */
static void expire(void *object, void *detail)
{
    struct sim_nic *nic = object;
    struct sim_address *address = sim_nic_find(nic, detail);

    if (address && address->claimed && address->valid_until_ns <= nic->segment->world->clock.now_ns && nic->host->alive)
        lose_address(nic, address);
}

/* The kernel looks about once a second for what ran out. */
static void plan_expiry(struct sim_nic *nic, const struct sim_address *address)
{
    struct sim_world *world = nic->segment->world;
    struct ip_address *ip = sim_alloc(sizeof *ip);
    nsec_t checked_ns = address->valid_until_ns + (nsec_t)sim_random_below(&world->random, NSEC_PER_SEC);

    *ip = address->ip;
    sim_clock_at(&world->clock, nsec_max(checked_ns, world->clock.now_ns), expire, nic, ip);
}

static void lease(struct sim_nic *nic, struct sim_address *address, uint32_t valid_s)
{
    address->valid_until_ns = valid_s ? nic->segment->world->clock.now_ns + valid_s * NSEC_PER_SEC : NSEC_NEVER;
    if (valid_s)
        plan_expiry(nic, address);
}

size_t sim_host_drop_claims(struct sim_host *host)
{
    size_t n = 0;

    for (size_t i = 0; i < host->n_nics; i++)
        for (size_t k = host->nics[i]->n_addresses; k-- > 0;)
            if (host->nics[i]->addresses[k].claimed) {
                lose_address(host->nics[i], &host->nics[i]->addresses[k]);
                n++;
            }
    return n;
}

void sim_host_set_alive(struct sim_host *host, bool alive)
{
    if (host->alive == alive)
        return;
    host->alive = alive;
    host->alive_since_ns = alive ? host->world->clock.now_ns : NSEC_NEVER;
    if (!alive || !host->agent)
        return;
    for (size_t i = 0; i < host->n_nics; i++)
        for (size_t k = 0; k < host->nics[i]->n_addresses; k++)
            if (host->nics[i]->addresses[k].claimed && host->nics[i]->addresses[k].valid_until_ns != NSEC_NEVER)
                plan_expiry(host->nics[i], &host->nics[i]->addresses[k]);
    sim_agent_catch_up(host->agent);
}

void sim_host_reboot(struct sim_host *host)
{
    for (size_t i = 0; i < host->n_nics; i++)
        sim_neighbour_forget_all(host->nics[i]);
    if (host->agent)
        sim_agent_reboot(host->agent);
    sim_host_set_alive(host, true);
    if (host->agent)
        sim_agent_begin(host->agent, host->agent->file);
}

int sim_host_claim(struct sim_nic *nic, const struct ip_address *ip, uint8_t prefix, uint32_t valid_s)
{
    struct sim_address *there = sim_nic_find(nic, ip);

    if (nic->refuse_claims < 0)
        return nic->refuse_claims;
    if (there && !there->claimed)
        return -EEXIST;
    if (!there)
        sim_nic_put_on(nic, &(struct sim_address){.ip = *ip, .prefix = prefix, .claimed = true});
    lease(nic, sim_nic_find(nic, ip), valid_s);
    return 0;
}

int sim_host_renew(struct sim_nic *nic, const struct ip_address *ip, uint8_t prefix, uint32_t valid_s)
{
    struct sim_address *there = sim_nic_find(nic, ip);

    if (!there || there->prefix != prefix)
        return -EADDRNOTAVAIL;
    if (!there->claimed)
        return -EACCES;
    lease(nic, there, valid_s);
    return 0;
}

int sim_host_release(struct sim_nic *nic, const struct ip_address *ip, uint8_t prefix)
{
    struct sim_address *there = sim_nic_find(nic, ip);

    if (!there || there->prefix != prefix)
        return -EADDRNOTAVAIL;
    if (!there->claimed)
        return -EACCES;
    take_off(nic, there);
    return 0;
}

static struct sim_let_in *find_let_in(const struct sim_host *host, const struct ip_address *ip,
                                      const struct mac_address *mac)
{
    for (size_t i = 0; i < host->n_let_in; i++)
        if (ip_address_equal(&host->let_in[i].ip, ip) && mac_address_equal(&host->let_in[i].mac, mac))
            return &host->let_in[i];
    return NULL;
}

void sim_host_let_in(struct sim_host *host, const struct ip_address *ip, const struct mac_address *mac, bool let_in)
{
    struct sim_let_in *there = find_let_in(host, ip, mac);

    if (let_in && !there) {
        host->let_in = sim_grow(host->let_in, host->n_let_in, sizeof *host->let_in);
        host->let_in[host->n_let_in++] = (struct sim_let_in){.ip = *ip, .mac = *mac};
    } else if (!let_in && there) {
        *there = host->let_in[--host->n_let_in];
    }
}

static void answer_link(struct sim_nic *nic, const struct arp_heard *heard)
{
    struct arp_frame link;
    struct sim_frame frame;

    /* RFC 4861 section 7.2.4: whoever asks from `::` is answered through all nodes. */
    if (heard->target_ip.family == AF_INET6 && heard->kind == ARP_HEARD_PROBE)
        arp_frame_advertise(&link, &nic->mac, &nic->mac, &heard->target_ip, false);
    else if (heard->kind == ARP_HEARD_PROBE)
        sim_frame_answer(&link, &nic->mac, &heard->target_ip, &heard->sender_mac,
                         &(struct ip_address){.family = AF_INET});
    else
        sim_frame_answer(&link, &nic->mac, &heard->target_ip, &heard->sender_mac, &heard->sender_ip);
    frame = sim_frame_of_link(&link);
    sim_nic_send(nic, &frame);
}

static void receive_link(struct sim_nic *nic, const struct sim_frame *frame)
{
    struct arp_heard heard;
    const struct sim_nic *asked;

    if (arp_frame_parse(frame->link.bytes, frame->link.length, &heard) < 0)
        return;
    sim_dad_hear(nic, &heard);
    /* IPv4 addresses belong to the host: any of its NICs answers (arp_ignore 0). IPv6 ones answer on their NIC. */
    asked = heard.target_ip.family == AF_INET6 || nic->host->answers_strictly
                ? (sim_nic_find(nic, &heard.target_ip) ? nic : NULL)
                : sim_host_find(nic->host, &heard.target_ip);
    if (heard.kind == ARP_HEARD_PROBE && find_let_in(nic->host, &heard.target_ip, &heard.sender_mac))
        return;
    /* A request of its own that comes in by another of its NICs has a martian source, and is not answered. */
    if (heard.sender_ip.family == AF_INET && sim_host_find(nic->host, &heard.sender_ip))
        return;
    if (asked && (heard.kind == ARP_HEARD_REQUEST || heard.kind == ARP_HEARD_PROBE)) {
        if (heard.kind == ARP_HEARD_REQUEST)
            sim_neighbour_asked(nic, &heard);
        answer_link(nic, &heard);
    } else if (heard.kind != ARP_HEARD_PROBE) {
        sim_neighbour_heard(nic, &heard, mac_address_equal(&heard.ethernet_target, &nic->mac));
    }
}

static void answer_echo(struct sim_nic *nic, const struct sim_frame *request)
{
    struct sim_frame reply = *request;

    reply.kind = SIM_ECHO_REPLY;
    reply.from = request->to;
    reply.to = request->from;
    reply.answerer = nic->host;
    sim_host_send_echo(nic, &reply);
}

void sim_host_receive(struct sim_nic *nic, const struct sim_frame *frame)
{
    struct sim_host *host = nic->host;

    /* Packet sockets hear before the kernel acts. */
    if (host->agent)
        sim_agent_receive(host->agent, nic, frame);
    if (frame->kind == SIM_LINK)
        receive_link(nic, frame);
    else if (frame->kind == SIM_ECHO_REQUEST && !host->ignores_echo && sim_host_find(host, &frame->to))
        answer_echo(nic, frame);
    else if (frame->kind == SIM_ECHO_REPLY && frame->asker == SIM_ASKER_CLIENT && sim_host_find(host, &frame->to))
        sim_client_receive(host->client, frame);
}

void sim_host_links_changed(struct sim_host *host)
{
    if (host->agent)
        sim_agent_links_changed(host->agent);
}

int sim_host_send_echo(struct sim_nic *nic, const struct sim_frame *echo)
{
    bool on_link = false;

    if (!sim_host_find(nic->host, &echo->from))
        return -EADDRNOTAVAIL;
    for (size_t i = 0; i < nic->n_addresses; i++)
        on_link = on_link || ip_address_same_net(&nic->addresses[i].ip, &echo->to, nic->addresses[i].prefix);
    if (!on_link)
        return -ENETUNREACH;
    sim_neighbour_send(nic, echo);
    return 0;
}
