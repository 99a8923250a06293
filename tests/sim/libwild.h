/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wild worlds: a seed chooses the LAN, the ipmap and a timeline of faults. The choice is data, made before anything
 * happens, so that it can be printed, and be played again without one fault or another.
 *
 * A world is played in acts: faults, then all is mended and must come right, then a source is lost and must be served,
 * then it comes back. See libplay.c.
 */
#pragma once

#include <stdio.h>

#include "tests/sim/libagent.h"
#include "tests/sim/libclient.h"
#include "tests/sim/libworld.h"

#define WILD_SOURCES_MAX 3
#define WILD_TARGETS_MAX 3
#define WILD_NICS_MAX 2
/* Gateway, witness, and a client a source. */
#define WILD_HOSTS_MAX (2 + 2 * WILD_SOURCES_MAX + WILD_TARGETS_MAX)
#define WILD_ADDRESSES_MAX 3
#define WILD_FAULTS_MAX 64
#define WILD_ACTS_MAX 3

enum wild_role {
    WILD_GATEWAY,
    WILD_WITNESS,
    WILD_SOURCE,
    WILD_CLIENT,
    WILD_TARGET,
    WILD_ROLES /* how many */
};

struct wild_nic {
    unsigned segment;
    unsigned n_addresses;
    char addresses[WILD_ADDRESSES_MAX][IP_ADDRESS_TEXT + 4]; /* "192.0.2.10/24" */
};

struct wild_host {
    enum wild_role role;
    char name[24];
    unsigned n_nics;
    struct wild_nic nics[WILD_NICS_MAX];
    bool refuses_gratuitous, locks_gratuitous, answers_strictly, ignores_echo;
    bool guarded; /* of a target: its agent has a guard */
};

enum wild_return {
    WILD_RETURNS_QUIETLY,
    WILD_RETURNS_ANNOUNCED, /* tells everybody of its addresses */
    WILD_RETURNS_WITH_DAD,  /* asks whether they are free, before it has them */
    WILD_RETURNS            /* how many */
};

/* What the file says of a source, as far as it matters for what is expected. */
struct wild_rules {
    nsec_t interval_ns;
    uint32_t misses;
    unsigned verify_asks;
    nsec_t verify_within_ns;
    enum ipmap_takeover on_host;
    bool all_automatic;    /* no cause needs a person */
    bool announces_source; /* at a failback */
    bool trigger_any;
    bool failback_automatic;
    nsec_t hold_down_ns;
    bool damped;         /* max-takeovers */
    bool answers_itself; /* a question that nobody answers is over after some time */
};

enum wild_fault_kind {
    WILD_STILL,         /* a host stands still, then goes on */
    WILD_REBOOT,        /* it dies and comes up anew; `value`: enum wild_return */
    WILD_CABLE,         /* a cable is out */
    WILD_NIC_DOWN,      /* a NIC is set down */
    WILD_PORT,          /* a port of the switch does what `faults` says */
    WILD_PAUSE,         /* SIGSTOP of an agent */
    WILD_KILL,          /* kill -9, a successor later */
    WILD_LATE,          /* turns come up to `value` ns late */
    WILD_SLOW_KERNEL,   /* claims take `value` ns */
    WILD_REFUSE_CLAIMS, /* a NIC takes no address: errno `value` */
    WILD_REFUSE_PROBES, /* no request leaves: errno `value` */
    WILD_REFUSE_FRAMES, /* no other frame leaves: errno `value` */
    WILD_SMALL_QUEUE,   /* sockets keep `value` replies */
    WILD_LINK_LAG,      /* link events are `value` ns behind */
    WILD_DELETE,        /* somebody takes off all that is held on a NIC */
    WILD_CLOCK_STEP,    /* the wall clock is set by `value` ns */
    WILD_COMMAND,       /* an operator's: number `value` of wild_commands, about source `other` */
    WILD_RELOAD,        /* the other file, then the first again */
    WILD_DROP_ADDRESS,  /* a source loses its address number `value` on that NIC, then has it again */
    WILD_ANNOUNCE,      /* a host announces its addresses */
    WILD_FAULTS         /* how many */
};

struct wild_fault {
    enum wild_fault_kind kind;
    unsigned act;
    nsec_t at_ns;    /* since the act began */
    nsec_t lasts_ns; /* 0: happens, and that is all; NSEC_NEVER: until all is mended */
    unsigned host, nic, other;
    int64_t value;
    struct sim_faults faults;
    bool left_out; /* the world is played without it */
};

struct wild {
    uint64_t seed;
    unsigned n_segments;
    unsigned n_sources, n_targets;
    struct wild_host hosts[WILD_HOSTS_MAX];
    unsigned n_hosts;
    char files[2][2048];        /* ipmaps: the one in effect, and another */
    struct wild_rules rules[2]; /* of each; all sources have the same */
    bool only_in_first[WILD_SOURCES_MAX];
    unsigned n_acts;
    nsec_t act_ns[WILD_ACTS_MAX];            /* how long faults go on */
    unsigned lost[WILD_ACTS_MAX];            /* the source that is lost after each */
    enum wild_return returns[WILD_ACTS_MAX]; /* how sources come back */
    bool stays_dead[WILD_ACTS_MAX];          /* what is dead when all is mended stays so for a while */
    struct wild_fault faults[WILD_FAULTS_MAX];
    unsigned n_faults;
};

extern const char *const wild_commands[];
#define WILD_COMMANDS 6

/* libgenerate.c: the LAN and the files; libschedule.c: the faults. */
void wild_choose(struct wild *wild, uint64_t seed);
void wild_choose_faults(struct wild *wild, struct sim_random *random);
/* Writes all of it, for people. */
void wild_print(const struct wild *wild, FILE *out);
/* The index of a host of that role, the `number`th from 0. */
unsigned wild_host_of(const struct wild *wild, enum wild_role role, unsigned number);

/* How long a takeover takes at most where nothing is wrong but the source: see README.md. */
nsec_t wild_takeover_ns(const struct wild_rules *rules);

/* A world that is being played. */
struct play {
    const struct wild *wild;
    struct sim_world *world;
    struct sim_segment *segments[2];
    struct sim_host *hosts[WILD_HOSTS_MAX];                          /* as wild->hosts */
    struct sim_agent *agents[WILD_TARGETS_MAX];                      /* one a target */
    struct sim_client *clients[WILD_SOURCES_MAX];                    /* pings the first address of its source */
    bool dropped[WILD_HOSTS_MAX][WILD_NICS_MAX][WILD_ADDRESSES_MAX]; /* addresses that a source has not */
    nsec_t whole_ns; /* since when nothing is wrong but that sources are dead; NSEC_NEVER */
};

/* What became of it. */
struct wild_result {
    nsec_t played_ns;
    unsigned claims; /* addresses claimed */
    bool broken;
    char violation[320];
};

/* libplay.c */
void wild_play(const struct wild *wild, struct wild_result *ret);
/* Lets time pass, with an eye on who holds what. */
void play_run(struct play *play, nsec_t for_ns);
struct sim_host *play_source(const struct play *play, unsigned source);
struct sim_host *play_target(const struct play *play, unsigned target);

/* libtrouble.c */
void play_begin_fault(struct play *play, const struct wild_fault *fault);
void play_end_fault(struct play *play, const struct wild_fault *fault);
/* Everything is as it should be, except that dead sources stay dead. */
void play_mend(struct play *play);
void play_return_sources(struct play *play, enum wild_return how);
/* It gets the addresses that it found in use when it came back. */
void play_configure_source(struct play *play, unsigned source);

/* libexpect.c: each notes a violation where it is not so. */
/* What a dead source had is served, or whoever could serve it has a reason that a person knows. */
void expect_served_or_excused(struct play *play);
/* Each address of the source is held by a target; how long by two, expect_no_rivals judges. */
void expect_served(struct play *play, unsigned source);
/* Every NIC of the source is in that state for every agent, or comes to it in so much time. */
void expect_state(struct play *play, unsigned source, const char *state, nsec_t within_ns);
/* Nothing of the source is held, and every agent finds it up. */
void expect_up(struct play *play, unsigned source, nsec_t within_ns);
/* Clients reach the source, or some target, within so much time. */
void expect_reached(struct play *play, unsigned source, bool itself, nsec_t within_ns);
/* No two targets hold one address for longer than the bound since all is whole. */
void expect_no_rivals(struct play *play);
/* After an answer to failback. */
void expect_done(struct play *play, unsigned target, unsigned source);
/* How many targets hold the address. */
unsigned play_holders(const struct play *play, const char *address);
