/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the shell share. Nobody else includes this. */
#pragma once

#include <stdarg.h>

#include "agent/base/heap.h"
#include "agent/core/core.h"
#include "agent/shell/agent.h"
#include "agent/shell/services.h"
#include "arp/announcer.h"
#include "netlink/shelf.h"
#include "probes/tracker.h"

/* Own addresses kept for each target NIC, to ask from. */
#define OWN_ADDRESSES_MAX 32
/* Neighbours that are asked to prove a claim, and that stand in for a missing witness. */
#define PEERS_MAX 4
/* How often witnesses are asked while nothing is wrong: to know their state and MAC before it matters. */
#define WITNESS_IDLE_NS (10 * NSEC_PER_SEC)
/* Of a third host that uses an address we hold, people are told no more often than this. */
#define CONFLICT_TOLD_NS (10 * NSEC_PER_SEC)
/* Who else manages a NIC is looked at no more often than this, however many addresses are taken off it. */
#define MANAGER_FRESH_NS (1 * NSEC_PER_SEC)
/* A turn that comes later than this after its deadline, and later than a source's interval, is a stall. */
#define STALL_MIN_NS (5 * NSEC_PER_MSEC)
/* What an event of our own takes at most, by the kernel too; what takes longer was interrupted. */
#define WORK_MAX_NS (20 * NSEC_PER_MSEC)
/* Answers of a source's own MAC that are older than this say nothing about now. */
#define SOURCE_SEEN_FRESH_NS (2 * NSEC_PER_SEC)

/* Who asked, in the id of a token; else a round. Numbers change with the file, so answers are told by their nonce. */
#define TOKEN_WITNESS 0x40000000u
#define TOKEN_PROOF 0x80000000u

enum proof {
    PROOF_NONE,      /* asked, no answer yet: "unconfirmed" */
    PROOF_REACHED,   /* a neighbour's ARP reply: it heard us */
    PROOF_CONFIRMED, /* an IP packet came by the neighbour's own entry */
};

/* The claim of an address. */
struct holding {
    int ifindex;               /* NIC it was put on: the target NIC, or a shelf of it; 0: never claimed */
    uint8_t prefix;            /* as it was put on */
    bool is_gone;              /* while it is released: a notice says that it is off, the answer is still to come */
    bool is_put_back;          /* it was taken off just now: if it is claimed, then as it was */
    nsec_t claimed_ns;         /* when the kernel confirmed it; 0 */
    nsec_t lease_asked_ns;     /* when the oldest claim or renewal that is not answered yet was asked for; 0: none */
    nsec_t lease_until_ns;     /* what the kernel acknowledged; NSEC_NEVER: no end */
    nsec_t conflict_told_ns;   /* when people were told of a third host that uses it; 0 */
    nsec_t probed_told_ns;     /* when people were told that the source probes for it; 0 */
    struct mac_address let_in; /* whose duplicate address detection the kernel leaves unanswered; unset: nobody's */
    int unqueued_error;        /* negative errno: the claim could not be queued; 0 */
    enum manager taken_by;     /* who manages the NIC that it was taken off, when that was */
    /* its proof */
    enum proof proof;
    struct ip_address proof_by;
    nsec_t proof_after_ns; /* from claimed_ns to the proof */
    unsigned proof_asks;   /* rounds of asking so far */
    nsec_t proof_asked_ns; /* the newest */
    uint64_t proof_nonce;  /* of its token */
};

/* An address of the ipmap, beside what the core keeps of it (same number). */
struct monitor {
    struct tracker tracker;
    const struct ipmap_address *map;
    uint8_t kinds;          /* bits of the kinds that its rounds ask */
    uint8_t unsent_kinds;   /* bits of those that could not be sent in the newest round */
    bool mac_answered;      /* since the newest round began, somebody answered by ARP or ND */
    bool mac_silent;        /* nobody did in the round before, whatever other kinds say: the MAC may be an old one */
    bool is_unasked;        /* what the core asked for it could not be queued */
    bool is_ours_otherwise; /* this host has the address, and not by a claim: whoever asked for it would hear us */
    struct holding *hold;   /* its claim, in an array of its own: memory that nobody uses while nothing is claimed */
};

/* With more IPv4 addresses than this mapped to it, those of a target NIC are put on shelves where that is possible. */
#define SHELVED_FROM SHELF_ADDRESSES

/* A witness or another neighbour that may be asked on a target NIC. */
struct peer {
    struct ip_address ip;
    struct mac_address mac; /* unset: not known */
    nsec_t asked_ns;        /* newest request; 0 */
    nsec_t answered_ns;     /* newest reply; 0 */
    uint64_t nonce;         /* of the newest request's token */
    uint32_t sequence;
    uint8_t asked_kinds; /* bits of the kinds by which the newest request left */
};

/* A target NIC with one set of witnesses, beside what the core keeps of it (same number). */
struct target {
    char name[LIMIT_NIC_NAME];
    struct link_info link;                      /* ifindex 0: not there */
    const struct ipmap_source *witnesses;       /* whose witness statement holds here */
    struct link_address own[OWN_ADDRESSES_MAX]; /* own addresses on it, never claimed ones */
    size_t n_own;
    uint32_t newest_claim;              /* address that was claimed here last */
    uint32_t n_ipv4;                    /* IPv4 addresses of the file that may be claimed here */
    struct peer peers[LIMIT_WITNESSES]; /* witnesses in effect, configured or found */
    size_t n_peers;
    struct neighbours {
        struct link_neighbour known[PEERS_MAX * 2]; /* best first */
        size_t n;
        nsec_t asked_ns; /* as of then; 0: never */
    } ipv4, ipv6;        /* of the kernel, whom proof may ask: see proof.c */
    bool told_there;     /* what the log last said of it */
    bool told_fit;
    bool recheck;               /* the core wants its carrier asked */
    enum manager manager;       /* who else manages it, as of then: */
    nsec_t manager_asked_ns;    /* 0: never */
    nsec_t unconfirmed_told_ns; /* when it was last said that an address here is unconfirmed; 0: never */
    nsec_t lapsed_told_ns;      /* the same of a lease that ran out */
};

/* All that was made from one ipmap. A reload makes a new one and carries state over. */
struct plan {
    struct ipmap *ipmap;
    struct core core;
    struct monitor *monitors;                /* by address */
    struct holding *holdings;                /* the same */
    struct target *targets;                  /* by core target */
    const struct ipmap_source **source_maps; /* by core source */
    const struct ipmap_nic **nic_maps;       /* by core NIC */
    enum core_state *told;                   /* by core NIC: the state that was last said in the log */
    enum core_reason *told_reason;
    struct check *checks; /* of all sources */
    uint32_t n_checks;
    struct heap check_rounds;   /* by check: when its next round begins */
    struct services **services; /* by core source; NULL: nothing of all that */
    bool *standing;             /* by core NIC: steps of a takeover were begun for it */
    bool *moved;                /* by core NIC: what it held, the file has on another target NIC now */
    uint32_t *by_address;       /* hash table: address number + 1; 0: empty */
    uint32_t n_ipv4, n_ipv6;    /* addresses of each family */
    size_t by_address_size;     /* a power of two */
    struct heap rounds;         /* by address: deadline of its tracker */
    struct heap proofs;         /* by address: when to ask for proof again */
    struct heap leases;         /* by address: when to renew it */
    struct announcer *announcer;
    void *memory[32]; /* what plan_free frees */
    size_t n_memory;
};

/* An answer owed for a command that is under way. */
struct owed {
    struct owed *next;
    agent_answer_fn answer;
    void *cookie;
    enum core_state begun;   /* CORE_CLAIMING: a failover; CORE_RELEASING: a failback */
    uint32_t source;         /* core source; UINT32_MAX: what it was for is no longer in the file */
    uint32_t nic;            /* core NIC, or UINT32_MAX for all of the source */
    nsec_t until_ns;         /* answered with what there is then */
    bool waiting_for_source; /* failback: released; is the source seen to own its addresses? */
};

/* An address that is being taken off, and that is no claim of the core: see leaving.c. */
struct stray {
    struct ip_address ip;
    int ifindex; /* the NIC that it leaves */
    uint8_t prefix;
    nsec_t due_ns;           /* when it is tried again; NSEC_NEVER: the kernel was asked */
    bool told;               /* that it could not be taken off */
    bool claiming;           /* a claim of the same is under way, after which it is forgotten, or due again */
    struct mac_address own;  /* of its NIC, which tells the LAN of the source once it is off */
    struct mac_address back; /* the source's; unset: the LAN is not told */
};

/* What outlives this process: journaling.c. */
struct journaling {
    bool on;                       /* whether a journal is kept at all */
    char boot_id[JOURNAL_BOOT_ID]; /* of this boot; "": not known */
    uint64_t serial;               /* of the newest one */
    struct journal recalled;       /* what the agent before left, until the first file is in effect */
    nsec_t due_ns;                 /* when the next one is written; NSEC_NEVER */
    nsec_t written_ns;             /* when the newest one was; 0 */
};

/* How late turns came, in buckets of twice the one before, from 1 us up. */
#define LATENESS_BUCKETS 32

struct lateness {
    uint32_t all[LATENESS_BUCKETS];                /* turns since the agent began */
    uint32_t recent[LATENESS_BUCKETS];             /* newer turns, but those that woke late: halved now and then */
    uint32_t n_recent;                             /* since they were last halved */
    nsec_t recent_p99_ns;                          /* of these; 0: none yet */
    nsec_t woke_late_ns;                           /* the newest turn that came later than LATENESS_ROUND_NS; 0: none */
    struct report_lateness told[LATENESS_BUCKETS]; /* of `all`, for the report */
};

/* How rounds keep up. */
struct rounds_pace {
    bool left_over;           /* in the event at hand more were due than a turn starts */
    nsec_t rest_until_ns;     /* none starts before */
    nsec_t behind_since_ns;   /* each turn since then left rounds over that were an interval late; 0: it did not */
    uint64_t told_generation; /* of the plan for which people were told; 0: none */
};

struct agent {
    const struct agent_ports *ports;
    void *userdata;
    uint64_t random; /* state of the generator for tokens */
    uint64_t hash_seed;
    struct plan *plan;
    uint64_t generation; /* plans so far */
    struct lateness lateness;
    struct rounds_pace pace;
    struct report_agent header; /* what the daemon says of itself */
    nsec_t next_deadline_ns;    /* as promised at the end of the last event */
    nsec_t turned_ns;           /* when the newest turn began */
    nsec_t worked_ns;           /* own work since then, as far as the next turn was due meanwhile */
    nsec_t witness_idle_ns;     /* when witnesses are asked next without a reason */
    struct owed *owed;
    nsec_t now_ns;        /* of the event being handled */
    struct stray *strays; /* `n_strays` of them, in room for `strays_max` */
    size_t n_strays, strays_max;
    uint32_t unclaimed;   /* claims that could not even be queued: monitors with unqueued_error */
    uint32_t unasked;     /* and questions: 0 where no monitor is_unasked */
    bool links_changed;   /* targets have to be looked at again */
    bool changed;         /* since the last flush something happened that owed answers may wait for */
    nsec_t proof_tick_ns; /* more were due than go at once: the rest is asked for after this */
    bool watch_changed;   /* which addresses wait for traffic as their proof */
    bool ipv6_router;     /* this host forwards IPv6: advertisements say so */
    struct journaling journaling;
    uint64_t jobs;       /* ids given so far */
    nsec_t names_due_ns; /* when names are looked at next; NSEC_NEVER */
    bool steps_changed;  /* some source may have a step to begin */
};

/* agent.c */
uint64_t agent_random(struct agent *agent);
__attribute__((format(printf, 3, 4))) void agent_say(struct agent *agent, int priority, const char *format, ...);

/* plan.c */
int plan_new(struct agent *agent, struct ipmap *ipmap, nsec_t now_ns, struct plan **ret);
void plan_free(struct plan *plan);
/* Two sources see a target NIC alike when they ask the same witnesses there. */
bool plan_same_witnesses(const struct ipmap_source *a, const struct ipmap_source *b);
/* UINT32_MAX where the address is not in the ipmap. */
uint32_t plan_find(const struct agent *agent, const struct plan *plan, const struct ip_address *ip);
/* The numbers of a source by name (-ENOENT), and of one of its NICs. */
int plan_find_source(const struct plan *plan, const char *name, uint32_t *ret);
int plan_find_nic(const struct plan *plan, uint32_t source, const char *name, uint32_t *ret);
/* NICs of the source that we stand in for. */
uint32_t plan_count_standing(const struct plan *plan, uint32_t source);

/* lateness.c: how late turns come */
void lateness_count(struct lateness *lateness, nsec_t now_ns, nsec_t late_ns);
/* Fills in what the report says of it. */
void lateness_report(struct lateness *lateness, struct report_agent *header);

/* rounds.c: probing */
nsec_t rounds_deadline(const struct agent *agent);
/* The event at hand took that long: rounds that it left over wait a little. */
void rounds_rest(struct agent *agent, nsec_t begun_ns, nsec_t now_ns);
void rounds_arm(struct agent *agent, uint32_t address);
void rounds_run(struct agent *agent, nsec_t now_ns);
/* Hands over all replies that are queued. Where some were lost, every round under way is void. */
void rounds_drain(struct agent *agent);
/* There is reason to ask for it at once: see tracker_hurry. */
void rounds_hurry(struct agent *agent, uint32_t address);
void rounds_void(struct agent *agent, uint32_t address, nsec_t next_ns);
/* Own address on the target to ask `to` from; NULL where there is none in its subnet. */
const struct ip_address *target_own_address(const struct target *target, const struct ip_address *to);
/* Sends one request for an address, as CORE_ASK says. */
void rounds_ask(struct agent *agent, const struct core_action *ask);

/* witness.c */
void witness_refresh(struct agent *agent, uint16_t target);
void witness_ask(struct agent *agent, nsec_t now_ns, uint16_t target);
void witness_idle(struct agent *agent, nsec_t now_ns);
/* One of its requests did not leave. */
void witness_on_unsent(struct agent *agent, const struct probe_request *request);
void witness_on_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply);

/* carry.c: from the plan of the file before to a new one. 0 or -ENOMEM. */
int carry_plan(struct agent *agent, struct plan *from, struct plan *to);

/* leaving.c */
/* Takes off what no claim of the core stands for, or does any more; agent_is_idle waits for it. */
void agent_take_off(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix);
/* The same for an address that `plan` holds; where its source is there, the LAN is told of it. */
void leaving_hand_back(struct agent *agent, const struct plan *plan, uint32_t address);
void leaving_on_result(struct agent *agent, const struct claims_request *request, int error);
/* Room for so many more: -ENOMEM comes here, when there still is a choice, and never later. */
int leaving_reserve(struct agent *agent, size_t more);
/* The same is claimed again, so that no try to take it off may come now; and was not, so that it may. */
void leaving_claimed(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix);
void leaving_unclaimed(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix);
/* Nor was it, as far as is known: should it be there after all, it is taken off. */
void leaving_doubt(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix);
bool leaving_has(const struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix);
/* The kernel says that it is gone, which counts unless the answer to our own request is still to come. */
void leaving_gone(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix);
/* It is a claim's. */
void leaving_forget(struct agent *agent, const struct ip_address *ip, int ifindex, uint8_t prefix);
void leaving_run(struct agent *agent, nsec_t now_ns);
nsec_t leaving_deadline(const struct agent *agent);

/* The kernel does not have a held address any more, and it was not us. */
void agent_lost_address(struct agent *agent, uint32_t address);
/* The same, and its NIC is gone or down, too. */
void agent_lost_with_nic(struct agent *agent, uint32_t address);

/* lease.c */
/* What to ask of the kernel for the address: whole seconds, 0 for no end. */
uint32_t lease_seconds(const struct plan *plan, uint32_t address);
void lease_begin(struct agent *agent, uint32_t address);
/* Adopted with so much of a lease left, as the kernel tells it. */
void lease_resume(struct agent *agent, uint32_t address, uint32_t valid_s);
void lease_end(struct agent *agent, uint32_t address);
void lease_run(struct agent *agent, nsec_t now_ns);
/* We stood still beyond the lease, or the guard acted: what is held counts as gone, and goes where it is not. */
void lease_lapse(struct agent *agent, uint32_t address);
void lease_on_result(struct agent *agent, uint32_t address, int error);
/* Whether the kernel may have taken the address off because we did not renew it in time. */
bool lease_ran_out(const struct agent *agent, uint32_t address);

/* proof.c */
void proof_begin(struct agent *agent, nsec_t now_ns, uint32_t address);
void proof_end(struct agent *agent, uint32_t address);
/* Tells the neighbours that would be asked, and nobody else, where the address is. Frames sent and 1, or an errno. */
int proof_refresh(struct agent *agent, uint32_t address);
/* When to run next. */
nsec_t proof_deadline(const struct agent *agent);
void proof_run(struct agent *agent, nsec_t now_ns);
void proof_on_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply);
/* An answer by ARP or ND of a host that is no source, to an address that may be ours. */
void proof_on_link_reply(struct agent *agent, nsec_t now_ns, const struct probe_reply *reply);
void proof_found(struct agent *agent, nsec_t now_ns, uint32_t address, enum proof proof, const struct ip_address *by);

/* journaling.c */
/* After the first file was read, before and after what the kernel holds is adopted. */
void journaling_restore(struct agent *agent);
void journaling_after_adoption(struct agent *agent);
/* Writes a journal where one is due. */
void journaling_run(struct agent *agent, nsec_t now_ns);
nsec_t journaling_deadline(const struct agent *agent);

/* links.c: what the host's NICs look like to the targets */
void links_refresh(struct agent *agent, nsec_t now_ns);
void links_recheck(struct agent *agent, nsec_t now_ns);

/* actions.c: what the core asks for */
/* Tells the LAN behind the NIC, whose MAC is `own`, that the address is at `mac`. */
void actions_announce_source(struct agent *agent, int ifindex, const struct mac_address *own,
                             const struct ip_address *ip, const struct mac_address *mac);
void actions_handle(void *userdata, const struct core_action *action);
/* The kernel has answered: results come in the order of the claims. */
void actions_claimed(struct agent *agent, uint32_t address);
/* The address is not held any more: it is neither announced, nor proved, nor renewed. */
void actions_end_hold(struct agent *agent, uint32_t address);
int actions_announce(void *userdata, uint32_t address, unsigned copy);

/* tell.c: words for people */
void tell_change(struct agent *agent, uint32_t nic, enum core_state was);
/* A host whose MAC is not the source's speaks for an address that we hold. */
void tell_conflict(struct agent *agent, uint32_t address, const struct mac_address *mac);
/* The source answers again for an address that we hold. */
void tell_return(struct agent *agent, uint32_t address);
/* The source is about to use an address that we hold. */
void tell_return_probed(struct agent *agent, uint32_t address, const struct mac_address *mac);
/* Once all of a NIC is confirmed. */
void tell_proof(struct agent *agent, uint32_t address);
/* No neighbour was seen to follow; `asked`: there are some. A line for one of many, aloud. */
void tell_unconfirmed(struct agent *agent, uint32_t address, bool asked);
void tell_lapsed(struct agent *agent, uint32_t address);
/* A sentence on why the NIC is as it is, and what to do; "" where there is nothing to say. */
void tell_reason(const struct agent *agent, uint32_t nic, char *text, size_t size);
void tell_refusal(const struct agent *agent, const struct core_refusal *refusal, char *text, size_t size);

/* letin.c: whether our kernel answers the source's duplicate address detection for what is held */
void let_in_refresh(struct agent *agent, uint32_t address);
void let_in_refresh_all(struct agent *agent);
void let_in_end(struct agent *agent, struct monitor *m);

/* commands.c */
void commands_settle(struct agent *agent, nsec_t now_ns);
nsec_t commands_deadline(const struct agent *agent);

/* report.c */
/* The answer to `status`, of one source or (UINT32_MAX) all; NULL when memory ran out. */
char *report_build(struct agent *agent, nsec_t now_ns, uint32_t only_source);
