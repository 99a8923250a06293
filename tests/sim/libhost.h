/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts of the modelled LAN, with the rules of Linux that matter here: which requests are answered, when a neighbour's
 * entry follows whom, what a claimed address does. What runs on a host is an agent, a client or nothing.
 */
#pragma once

#include "tests/sim/libnet.h"

struct sim_agent;
struct sim_client;

struct sim_let_in {
    struct ip_address ip;
    struct mac_address mac;
};

struct sim_host {
    struct sim_world *world;
    char name[16];
    unsigned number; /* from 0 */
    bool alive;      /* a dead one is silent, with its carrier on */
    nsec_t alive_since_ns;
    bool refuses_gratuitous; /* drop_gratuitous_arp, drop_unsolicited_na */
    bool ignores_echo;       /* answers ARP and ND, but no ping */
    bool locks_gratuitous;   /* a fresh entry keeps its MAC for the lock time, whatever is announced */
    nsec_t link_lag_ns;      /* how far link events are behind */
    nsec_t wall_offset_ns;   /* its wall clock is so much ahead of the time of the world */
    struct sim_nic **nics;
    size_t n_nics;
    bool answers_strictly;         /* arp_ignore 1: only the NIC that has an address answers for it */
    struct ip_address gateways[2]; /* one a family; unset */
    struct sim_let_in *let_in;     /* whose probes for what are left unanswered */
    size_t n_let_in;
    struct sim_tentative *tentative; /* libdad.h: what it asks for before it has it */
    size_t n_tentative;
    struct sim_agent *agent;   /* NULL: none */
    struct sim_client *client; /* NULL: none; the newest one */
};

struct sim_host *sim_host_new(struct sim_world *world, const char *name);
void sim_host_free(struct sim_host *host);
/* A NIC with carrier, ifindex from 2 on in the order of making. */
struct sim_nic *sim_nic_new(struct sim_host *host, const char *name, struct sim_segment *segment);
/* "192.0.2.10/24" */
void sim_nic_add(struct sim_nic *nic, const char *text);
void sim_nic_put_on(struct sim_nic *nic, const struct sim_address *address);
void sim_nic_remove(struct sim_nic *nic, const char *text);
/* All of a family, 0: all, goes. */
void sim_nic_drop(struct sim_nic *nic, uint8_t family);

/* Stands still without a word, or goes on where it was. */
void sim_host_set_alive(struct sim_host *host, bool alive);
/* Comes up anew, with an agent where it had one: nothing is left of what was claimed or learned. */
void sim_host_reboot(struct sim_host *host);
/* Takes off all that its agent claimed; how many. */
size_t sim_host_drop_claims(struct sim_host *host);
/* Tells everybody of its addresses, as a host does that boots or is plugged in. */
void sim_host_announce(struct sim_host *host);
/* The wall clock is set by so much. */
void sim_host_step_clock(struct sim_host *host, nsec_t by_ns);

struct sim_nic *sim_host_nic(const struct sim_host *host, int ifindex);
struct sim_address *sim_nic_find(const struct sim_nic *nic, const struct ip_address *ip);
/* The NIC that has the address; NULL. */
struct sim_nic *sim_host_find(const struct sim_host *host, const struct ip_address *ip);
/* Whether the host has the address by its agent's claim. */
bool sim_host_holds(const struct sim_host *host, const char *ip);

/* Probes for `ip` by the host at `mac` are left unanswered, or not any more. */
void sim_host_let_in(struct sim_host *host, const struct ip_address *ip, const struct mac_address *mac, bool let_in);

/* What the kernel does. */
void sim_host_receive(struct sim_nic *nic, const struct sim_frame *frame);
void sim_host_links_changed(struct sim_host *host);
/* Sends an echo; 0, -ENETUNREACH where the NIC is not in its subnet, -EADDRNOTAVAIL where `from` is not its own. */
int sim_host_send_echo(struct sim_nic *nic, const struct sim_frame *echo);
/* 0, -EEXIST; with our mark. `valid_s`: its lease, 0: no end. */
int sim_host_claim(struct sim_nic *nic, const struct ip_address *ip, uint8_t prefix, uint32_t valid_s);
/* 0, -EADDRNOTAVAIL, -EACCES. */
int sim_host_renew(struct sim_nic *nic, const struct ip_address *ip, uint8_t prefix, uint32_t valid_s);
/* 0, -EADDRNOTAVAIL, -EACCES. */
int sim_host_release(struct sim_nic *nic, const struct ip_address *ip, uint8_t prefix);

/* libneighbour.c: NULL where there is no entry. */
struct sim_neighbour *sim_neighbour_find(const struct sim_nic *nic, const struct ip_address *ip);
/* The sender asked us by name: its entry is made, and follows. */
void sim_neighbour_asked(struct sim_nic *nic, const struct arp_heard *heard);
/* Anything else that was heard: only an entry that is there may follow. */
void sim_neighbour_heard(struct sim_nic *nic, const struct arp_heard *heard, bool unicast);
/* Nothing is known any more. */
void sim_neighbour_forget_all(struct sim_nic *nic);
/* Sends an IP packet to its neighbour, at once or when that is resolved. */
void sim_neighbour_send(struct sim_nic *nic, const struct sim_frame *packet);
