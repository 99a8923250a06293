/* SPDX-License-Identifier: Apache-2.0 */
/* A client: pings an address at a steady pace by its own neighbour cache, and keeps who answered. */
#pragma once

#include "tests/sim/libhost.h"

/* Hosts whose answers are told apart. */
#define SIM_ANSWERERS_MAX 16

struct sim_client {
    struct sim_nic *nic;
    struct ip_address from;
    struct ip_address to;
    nsec_t interval_ns;
    uint32_t sequence;
    uint64_t answers[SIM_ANSWERERS_MAX];       /* by host number */
    nsec_t first_answer_ns[SIM_ANSWERERS_MAX]; /* the same; since the last sim_client_forget */
    nsec_t last_answer_ns[SIM_ANSWERERS_MAX];
};

/* Begins to ping. One to a host; freed with the world. */
struct sim_client *sim_client_new(struct sim_nic *nic, const char *from, const char *to, nsec_t interval_ns);
void sim_client_receive(struct sim_client *client, const struct sim_frame *reply);
/* Counts anew. */
void sim_client_forget(struct sim_client *client);
uint64_t sim_client_answers(const struct sim_client *client, const struct sim_host *host);
/* When the host first, or last, answered since counting began; 0: not. */
nsec_t sim_client_first(const struct sim_client *client, const struct sim_host *host);
nsec_t sim_client_last(const struct sim_client *client, const struct sim_host *host);
