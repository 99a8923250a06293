/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real agent on a modelled host: its ports lead into the model, its time is the world's. What it does and says is
 * kept for the test to read.
 */
#pragma once

#include <jansson.h>

#include "agent/shell/agent.h"
#include "tests/sim/libhost.h"

/* Requests in one flush that the kernel refuses. */
#define SIM_REFUSED_MAX 64

enum sim_deed_kind {
    SIM_CLAIM,           /* asked the kernel for the address */
    SIM_RELEASE,         /* asked it to take the address off */
    SIM_ANNOUNCE,        /* told the LAN that the address is here */
    SIM_ANNOUNCE_SOURCE, /* told it that the address is at the source again */
};

/* Something that an agent did. */
struct sim_deed {
    enum sim_deed_kind kind;
    nsec_t at_ns;
    struct ip_address ip;
    int ifindex;
};

/* Something that it said. */
struct sim_line {
    nsec_t at_ns;
    int priority;
    char *text;
};

struct sim_arrival;

/* What waits for the agent to read it. */
struct sim_queue {
    struct sim_arrival *first, **last;
    size_t n;
};

/* libservices.c: what the world makes of checks, hooks, units and names. All is well where nothing is set. */
struct sim_services {
    bool refuses;            /* services of hosts refuse connections, and URLs fail */
    bool unable;             /* this host cannot ask: no runner, no helper, no descriptors */
    const char *failing;     /* commands, units and names with this in them fail; NULL: none */
    const char *says;        /* what they say then; NULL: nothing */
    nsec_t take_ns;          /* how long each takes; 0: a millisecond */
    struct sim_host *fenced; /* a command with "fence" in it ends that host; NULL: it only says so */
    char log[8192];          /* what was asked, in order, a line each: "run /bin/hook post-takeover host" */
};

struct sim_agent {
    struct sim_host *host;
    struct agent *agent; /* NULL: it was killed */
    char *file;          /* its ipmap, as text */
    /* how its host treats it */
    unsigned n_claims_failed; /* as far as it was told */
    int unheard;              /* errno that answers to what is asked for from now on say, whatever was done; 0 */
    nsec_t claim_delay_ns;    /* what the kernel takes for a claim or release */
    nsec_t lateness_ns;       /* turns come up to so much late */
    nsec_t send_ns;           /* what a request takes to send: so long it does nothing else */
    int refuse_probes;        /* errno (> 0) for every request, told on flush; 0 */
    unsigned refuse_kinds;    /* bits of the kinds for which that holds; 0: for all */
    bool refuse_at_once;      /* it is told by the request itself, not on flush */
    int refuse_frames;        /* negative errno for every frame; 0 */
    bool guarded;     /* a guard takes off what it holds when it hangs or is gone for longer than its file says */
    size_t queue_max; /* replies that its sockets keep; more are lost */
    bool paused;
    /* what outlives it */
    char *journal; /* the newest; NULL: none. A test may take it away, or put another there */
    size_t journal_length;
    unsigned n_journals; /* written so far */
    unsigned boot;       /* of its host */
    /* the model's own */
    unsigned incarnation;     /* of the process: what was asked by an earlier one is not answered */
    struct sim_queue replies; /* of probes: what a drain reads */
    struct sim_queue others;  /* from netlink and packet capture */
    bool lost_replies;        /* a socket overflowed since the last drain */
    bool wake_planned;
    nsec_t work_ns;      /* what it sent in the event at hand takes */
    nsec_t busy_ns;      /* until when it works */
    nsec_t due_ns;       /* the deadline that it gave */
    nsec_t turn_ns;      /* when its turn comes; NSEC_NEVER */
    nsec_t seen_wall_ns; /* offset of the wall clock at its last event */
    struct probe_request refused[SIM_REFUSED_MAX];
    size_t n_refused;
    nsec_t begun_ns;       /* when it was started */
    nsec_t refused_ns;     /* when it was last refused a request; 0 */
    nsec_t interval_ns;    /* the longest of its file */
    nsec_t guard_ns;       /* of its file */
    nsec_t patience_ns;    /* the shortest that verify waits for an answer by its file */
    bool hung;             /* its guard acted, and it does not know yet */
    nsec_t kernel_busy_ns; /* until when its kernel has requests of it to do */
    nsec_t silent_ns;      /* since when it is stopped or gone */
    size_t n_addresses;    /* of its file */
    bool forced;           /* a person forced a failover */
    nsec_t pace_ms;        /* libjudge.c: the millisecond that is counted */
    size_t pace;           /* things done in it */
    /* what it did and said */
    struct sim_deed *deeds;
    size_t n_deeds;
    struct sim_line *lines;
    size_t n_lines;
    struct sim_services services;
    unsigned renewals; /* of leases, asked of the kernel */
    unsigned answers;  /* of commands */
    bool answer_ok;    /* the newest */
    char answer[512];  /* its message or error */
};

/* Starts the agent with this ipmap. */
struct sim_agent *sim_agent_start(struct sim_host *host, const char *ipmap);
void sim_agent_free(struct sim_agent *agent);
/* A new file takes effect. */
void sim_agent_reload(struct sim_agent *agent, const char *ipmap);

/* librestart.c: kill -9; what it claimed stays. */
void sim_agent_kill(struct sim_agent *agent);
/* Its whole host is started anew: what was claimed is gone, the agent is not started yet. */
void sim_agent_reboot(struct sim_agent *agent);
/* Starts the agent, which finds what its host has and its journal says. */
void sim_agent_begin(struct sim_agent *agent, const char *ipmap);
/* It is stopped or gone from now on: its guard, where it has one, waits so long as the file says. */
void sim_agent_fall_silent(struct sim_agent *agent);
/* From the ports: takes the text. */
void sim_agent_keep_journal(struct sim_agent *agent, char *text, size_t length);
/* A file takes effect; `held`: only with the first. */
void sim_agent_load(struct sim_agent *agent, const char *ipmap_text, const struct claims_held *held, size_t n_held);

/* SIGSTOP and SIGCONT. Whether its sockets or its timer come first then is chance. */
void sim_agent_pause(struct sim_agent *agent);
void sim_agent_resume(struct sim_agent *agent);
/* Its host goes on after it stood still: what was due meanwhile is late. */
void sim_agent_catch_up(struct sim_agent *agent);
/* Whether it does something now. */
bool sim_agent_runs(const struct sim_agent *agent);

/* Gives a command; `nic` may be NULL. The answer stands in `answer` once `answers` has grown. */
void sim_agent_command(struct sim_agent *agent, const char *name, const char *source, const char *nic);
void sim_agent_force(struct sim_agent *agent, const char *source);
void sim_agent_force_failback(struct sim_agent *agent, const char *source);

/* From the host. */
void sim_agent_receive(struct sim_agent *agent, const struct sim_nic *nic, const struct sim_frame *frame);
void sim_agent_links_changed(struct sim_agent *agent);
void sim_agent_address_changed(struct sim_agent *agent, const struct sim_nic *nic, const struct ip_address *ip,
                               uint8_t prefix, bool present);
/* libinbox.c: what came in is handed over, in order. */
enum sim_arrival_kind {
    SIM_ARRIVED_REPLY,
    SIM_ARRIVED_HEARD,
    SIM_ARRIVED_TRAFFIC,
    SIM_ARRIVED_RESULT,
    SIM_ARRIVED_LINKS,
    SIM_ARRIVED_ADDRESS,
    SIM_ARRIVED_TCP,
    SIM_ARRIVED_JOB,
    SIM_ARRIVED_UNIT,
};

struct sim_arrival {
    struct sim_arrival *next;
    enum sim_arrival_kind kind;
    int ifindex;
    nsec_t wall_ns; /* of a reply: the kernel's stamp */
    struct probe_reply reply;
    struct arp_heard heard;
    struct ip_address from, to;    /* of traffic */
    struct claims_request request; /* of a result */
    int error;                     /* of a result */
    struct link_address address;   /* that came or went */
    bool present;
    uint64_t id;              /* of a job, a unit or a check */
    enum tcp_outcome outcome; /* of a check */
    struct job_answer answer; /* of a job */
};

void sim_queue_init(struct sim_queue *queue);
void sim_queue_free(struct sim_queue *queue);
void sim_queue_put(struct sim_queue *queue, const struct sim_arrival *arrival);
/* Hands over all that is queued now. */
void sim_queue_serve(struct sim_queue *queue, struct sim_agent *agent);
/* Whether the queue holds the news that the address is gone. */
bool sim_queue_tells_gone(const struct sim_queue *queue, const struct ip_address *ip);
/* Sees to it that the agent reads. */
void sim_agent_wake(struct sim_agent *agent);

/* libports.c */
extern const struct agent_ports sim_ports;

/* libservices.c: the same of services. */
int sim_port_tcp(void *userdata, uint32_t check, const struct tcp_request *request);
void sim_port_tcp_cancel(void *userdata, uint32_t check);
int sim_port_job(void *userdata, struct job_request *request);
void sim_port_job_cancel(void *userdata, uint64_t tag);
int sim_port_unit(void *userdata, uint64_t id, enum units_operation operation, const char *name, nsec_t timeout_ns);
void sim_port_flag(void *userdata, const char *source, bool held);

/* librecord.c: what the test reads. */
void sim_agent_note(struct sim_agent *agent, enum sim_deed_kind kind, const struct ip_address *ip, int ifindex);
void sim_agent_hear(struct sim_agent *agent, int priority, const char *text);
void sim_agent_keep_answer(void *cookie, char *answer);
/* The state of a source NIC, as `status` says it: valid until the next call. */
const char *sim_agent_state(struct sim_agent *agent, const char *source, const char *nic);
/* Its reason; "" where there is none. */
const char *sim_agent_reason(struct sim_agent *agent, const char *source, const char *nic);
/* What is known of the services of a source: "passing", ... */
const char *sim_agent_service(struct sim_agent *agent, const char *source);
/* The proof of a held address: "confirmed", "reached", "unconfirmed"; "" where it is not held. */
const char *sim_agent_proof(struct sim_agent *agent, const char *source, const char *nic, const char *ip);
/* How often a line was said that holds `text`; when it was last said, 0: never. */
unsigned sim_agent_said(const struct sim_agent *agent, const char *text);
nsec_t sim_agent_said_ns(const struct sim_agent *agent, const char *text);
/* How often it did that with the address (NULL: any), and when it first did; 0: never. */
unsigned sim_agent_did(const struct sim_agent *agent, enum sim_deed_kind kind, const char *ip);
nsec_t sim_agent_did_ns(const struct sim_agent *agent, enum sim_deed_kind kind, const char *ip);
