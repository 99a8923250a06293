/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world: its time, its chances, its LANs and its hosts, and what must never happen in it. Worlds of one seed run
 * alike.
 *
 * Use: sim_world_new; segments, hosts, NICs, addresses; sim_agent_start, sim_client_new; sim_run and faults in turn;
 * sim_world_end, which fails the test where an invariant was broken.
 */
#pragma once

#include "netlink/claims.h"
#include "tests/sim/libhost.h"

/* An address that two hosts answer for, one of them at least by a claim. */
struct sim_overlap {
    struct ip_address ip;
    nsec_t since_ns; /* NSEC_NEVER: not now */
};

struct sim_world {
    uint64_t seed;
    struct sim_clock clock;
    struct sim_random random;
    struct sim_segment **segments;
    size_t n_segments;
    struct sim_host **hosts;
    size_t n_hosts;
    struct sim_overlap *overlaps;
    size_t n_overlaps;
    nsec_t overlap_max_ns; /* the longest that two agents held one address, as far as it is over */
    unsigned n_violations;
    char violation[320]; /* the first */
    bool talks;          /* what agents say goes to stderr: SIM_LOG is set */
};

/* SEED of the environment, else 1; says so on standard output, once. */
uint64_t sim_seed(void);

struct sim_world *sim_world_new(uint64_t seed);
void sim_world_free(struct sim_world *world);
/* Lets time pass. Ends at once when an invariant is broken. */
void sim_run(struct sim_world *world, nsec_t for_ns);
/* Notes that something happened that must not. */
__attribute__((format(printf, 2, 3))) void sim_violate(struct sim_world *world, const char *format, ...);

/* libjudge.c: what is checked, at each thing that an agent does. */
struct sim_agent;
void sim_judge_pace(struct sim_agent *agent);
void sim_judge_claim(struct sim_agent *agent, const struct sim_nic *nic, const struct ip_address *ip);
void sim_judge_release(struct sim_agent *agent, const struct sim_nic *nic, const struct claims_request *request);
void sim_judge_frame(struct sim_agent *agent, const struct sim_nic *nic, const struct arp_heard *said);
/* After an address came or went by a claim. */
void sim_judge_overlap(struct sim_world *world, const struct ip_address *ip);
/* Whether two agents hold the address now. */
bool sim_overlaps(const struct sim_world *world, const char *ip);
