/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core: decides. Events come in as function calls, actions go out through one function; time is passed in. No I/O,
 * no allocation, no log. The state machine is drawn at the head of core.c.
 *
 * Everything is numbered: sources, source NICs, addresses and target NICs are indexes into arrays that the caller
 * allocates and whose first part ("set by the caller") it fills before core_init. The addresses of a source NIC, and
 * the NICs of a source, stand together. The shell and the simulator drive the same functions.
 */
#pragma once

#include "agent/base/address.h"
#include "agent/base/heap.h"
#include "agent/base/limits.h"
#include "agent/base/time.h"

#define CORE_NO_TARGET UINT16_MAX
/* How often in a row we give way to another target that is about to claim; then we go on. */
#define CORE_YIELDS_MAX 2
/* So long, each time, the other one has for its claim: a slow kernel keeps it from saying anything meanwhile. */
#define CORE_YIELD_NS (2500 * NSEC_PER_MSEC)
/* How often in this time an address that somebody else takes off us is put back at once; then it has to be lost
 * anew. */
#define CORE_PUT_BACK_MAX 5
#define CORE_PUT_BACK_NS (10 * NSEC_PER_SEC)
/* What was released for the source's return is claimed again when the source does not have it after this: RFC 5227's
 * detection of duplicates takes up to 9 s (PROBE_WAIT, PROBE_NUM times PROBE_MAX, ANNOUNCE_WAIT). */
#define CORE_RETURN_NS (10 * NSEC_PER_SEC)
/* How often in a row an announced return may come to nothing before a mere announcement does not count any more. */
#define CORE_FALSE_RETURNS_MAX 3
/* RFC 5227 section 2.4: DEFEND_INTERVAL. */
#define CORE_DEFEND_NS (10 * NSEC_PER_SEC)
/* What must succeed before a claim, or come before a release, did not: tried again by itself after this. */
#define CORE_GATE_AGAIN_NS (10 * NSEC_PER_SEC)
#define CORE_LEAVE_AGAIN_NS (60 * NSEC_PER_SEC)
/* The same of a takeover for a failed service. */
#define CORE_SERVICE_AGAIN_NS (30 * NSEC_PER_SEC)
/* A host that was fenced, and answers for so long after it, was not. */
#define CORE_FENCED_NS (60 * NSEC_PER_SEC)
/* NICs of a source that are taken over within this time of each other are one event for damping. */
#define CORE_SAME_EVENT_NS (10 * NSEC_PER_SEC)

/* State of a source NIC. */
enum core_state {
    CORE_UNSEEN,    /* never seen alive since watching began: not taken over */
    CORE_UP,        /* answers */
    CORE_LATE,      /* a round or more was missed */
    CORE_VERIFYING, /* lost, or an operator asked: is it really free, and are we not cut off? */
    CORE_PREPARING, /* free; waits for what must succeed before a claim, and is verified again after it */
    CORE_BLOCKED,   /* lost, but it must not be taken over now; tried again after fresh misses */
    CORE_AWAITING,  /* lost; waits for approve or deny */
    CORE_LOST,      /* lost, and left alone: by policy or because it was denied */
    CORE_CLAIMING,  /* addresses are being put on */
    CORE_HOLDING,   /* we stand in */
    CORE_RELEASING, /* addresses are being taken off */
    CORE_DISARMED,  /* given back; watched, but not taken over until seen alive once */
    CORE_STATES     /* how many; no state */
};

/* Why it is in that state: what status, logs and refusals say. */
enum core_reason {
    CORE_REASON_NONE,
    CORE_REASON_NO_CARRIER,      /* no mapped target NIC is there with carrier: we are unfit, it is not lost */
    CORE_REASON_WITNESS_SILENT,  /* no witness answered since the first miss: we may be the isolated one */
    CORE_REASON_WITNESS_MISSING, /* there is no witness to ask, and the file does not say `witness none` */
    CORE_REASON_IN_USE,          /* somebody answers for an address: which, and with which MAC */
    CORE_REASON_CUT_OFF,         /* carrier was lost meanwhile, and no witness tells whose fault it is now */
    CORE_REASON_DELETED,         /* somebody else keeps taking the addresses off this host */
    CORE_REASON_LAPSED,          /* held so long without us that the kernel took it off: verified again */
    CORE_REASON_RIVAL,           /* another target was about to claim, or holds it too: we gave way */
    CORE_REASON_RETURNED,        /* the source is back: released for it, by itself */
    CORE_REASON_NOT_ASKED,       /* the broadcasts that must stay unanswered could not be sent */
    CORE_REASON_POLICY_MANUAL,
    CORE_REASON_POLICY_NOTIFY,
    CORE_REASON_DAMPED, /* taken over by itself too often: somebody must look */
    CORE_REASON_DENIED,
    CORE_REASON_APPROVAL_EXPIRED,
    CORE_REASON_CLAIM_FAILED,   /* the kernel refused every address: its errno */
    CORE_REASON_RELEASE_FAILED, /* the kernel did not take an address off: its errno */
    CORE_REASON_LOST,           /* taken over because it was lost */
    CORE_REASON_OPERATOR,       /* by an operator's command */
    CORE_REASON_FORCED,         /* by an operator, against the evidence */
    CORE_REASON_ADOPTED,        /* held already when we started */
    CORE_REASON_HOME,           /* taken over, and back on the first choice of target NIC */
    CORE_REASON_VETOED,         /* a hook before the takeover said no */
    CORE_REASON_NOT_FENCED,     /* the fence failed, or did not put an end to the source */
    CORE_REASON_STAYS,          /* held on: a hook before the failback said no, or a unit did not stop */
    CORE_REASON_SERVICE,        /* taken over because a service of it failed, though the host may answer */
    CORE_REASON_NO_FENCE,       /* a service failed, and the file has neither a fence nor `force` */
    CORE_REASON_SERVICE_UNSEEN, /* its services were never seen to work since watching began */
    CORE_REASON_NAME_FAILED,    /* the name could not be moved */
    CORE_REASONS
};

/* State of a source's services, beside those of its NICs: service.c. */
enum core_service {
    CORE_SERVICE_UNKNOWN,   /* no check of it, or none has run yet */
    CORE_SERVICE_PASSING,   /* all checks pass */
    CORE_SERVICE_FAILED,    /* a check failed; nothing is done about it: service_reason */
    CORE_SERVICE_AWAITING,  /* waits for approve or deny */
    CORE_SERVICE_PREPARING, /* waits for what must succeed before a takeover */
    CORE_SERVICE_FENCED,    /* fenced: its NICs are claimed as soon as they are lost */
    /* of a source without addresses, whose name moves */
    CORE_SERVICE_CLAIMING,  /* the name is being moved here */
    CORE_SERVICE_HOLDING,   /* we stand in */
    CORE_SERVICE_RELEASING, /* the name is being moved back */
    CORE_SERVICE_DISARMED,  /* given back: not taken over before all checks passed once */
    CORE_SERVICES           /* how many; no state */
};

enum core_policy {
    CORE_POLICY_AUTOMATIC,
    CORE_POLICY_MANUAL,
    CORE_POLICY_NOTIFY,
};

/* Liveness of one monitored address. */
enum core_life {
    CORE_LIFE_UNKNOWN, /* no valid evidence: not seen yet, or evidence was voided */
    CORE_LIFE_UP,
    CORE_LIFE_LATE,
    CORE_LIFE_LOST, /* as many rounds missed in a row as the file says */
};

enum core_claim {
    CORE_CLAIM_FREE,
    CORE_CLAIM_CLAIMING,
    CORE_CLAIM_HELD,
    CORE_CLAIM_RELEASING,
    CORE_CLAIM_FAILED,  /* the kernel refused: `error` */
    CORE_CLAIM_REFUSED, /* verify refused this address: `refusal` */
};

enum core_witness {
    CORE_WITNESS_EXPECTED, /* there are witnesses to ask: one must answer */
    CORE_WITNESS_MISSING,  /* none could be found: an approval must stand in for it */
    CORE_WITNESS_NONE,     /* the file says `witness none` */
};

/* A target NIC of this host, as seen with one set of witnesses. */
struct core_target {
    /* set by the caller, also later */
    enum core_witness witness;
    struct mac_address mac; /* of the NIC: settles who goes first among targets */
    /* kept by the core */
    bool fit;                 /* there, up and with carrier */
    nsec_t witness_asked_ns;  /* when the newest answered witness request left; 0: never */
    nsec_t witness_sought_ns; /* when CORE_ASK_WITNESSES last went out for it: once a turn is enough; 0: never */
    nsec_t carrier_sought_ns; /* the same for CORE_ASK_CARRIER */
};

struct core_address {
    /* set by the caller */
    uint32_t nic;       /* source NIC that it belongs to */
    uint16_t target[2]; /* where to claim it: first choice, fallback; CORE_NO_TARGET */
    bool monitored;     /* rounds are reported for it */
    bool asked_by_link; /* its rounds ask by ARP or ND, by broadcast from the first miss on */
    /* kept by the core */
    enum core_life life;
    bool seen;                     /* answered since watching began */
    bool armed;                    /* with `trigger any` its loss counts: answered or held since it was watched */
    uint32_t misses;               /* in a row */
    struct mac_address mac;        /* the source's, learned while healthy; unset */
    struct mac_address former_mac; /* learned before `mac` */
    struct mac_address deputy_mac; /* of another target that stands in for the source: never learned; unset */
    struct mac_address heard_mac;  /* who last spoke for it, as far as frames tell */
    nsec_t heard_ns;               /* when it last answered, or somebody spoke for it; 0: never */
    enum core_claim claim;
    enum core_reason refusal; /* why CORE_CLAIM_REFUSED */
    uint16_t held_on;         /* target of the claim; CORE_NO_TARGET */
    int error;                /* negative errno of a failed claim or release; 0 */
    nsec_t held_since_ns;
    bool unasked;       /* its newest broadcast of verify did not leave this host */
    uint32_t deletions; /* how often somebody else took it off us since deletions_since_ns */
    nsec_t deletions_since_ns;
    /* while held: the source, and others who use it */
    nsec_t source_asked_ns; /* the newest question to the source's own MAC that is not answered; 0 */
    nsec_t source_seen_ns;  /* the newest answer to one; 0 */
    nsec_t defended_ns;     /* when it was last announced against another's word; 0 */
    /* given back */
    uint8_t give_backs;   /* how often the source's MAC is still to be announced for it */
    uint16_t given_on;    /* target NIC that it was held on */
    nsec_t given_back_ns; /* when it was released */
    nsec_t give_back_ns;  /* when the source's MAC was last announced for it; 0 */
};

struct core_nic {
    /* set by the caller */
    uint32_t source;
    uint32_t first_address;
    uint32_t n_addresses;
    bool trigger_any; /* lost when one monitored address is; else when all are */
    /* kept by the core */
    enum core_state state;
    enum core_reason reason;
    nsec_t since_ns;               /* in this state */
    uint32_t reason_address;       /* which address the reason is about; UINT32_MAX */
    struct mac_address reason_mac; /* which MAC it is about */
    int reason_error;              /* which errno (negative) */
    bool seen;                     /* one of its addresses answered since watching began */
    bool armed;                    /* may be taken over: seen alive, or held, since it was watched or given back */
    bool disarmed;                 /* given back since it was last seen alive, or held */
    bool suspected;                /* misses are on that may lead to its loss: evidence is being gathered */
    bool by_operator;              /* this verify was asked for by a person */
    bool moving;                   /* its addresses go from one target NIC to another, and are verified there */
    bool homing;                   /* its addresses go back to the first choice of target NIC */
    bool damped;                   /* the source was taken over too often when evidence began: a person is asked */
    bool stands;                   /* a takeover that was cut short on its way to a target NIC: it is gone on with */
    bool approved;                 /* this verify answers a question: the loss was found before, a person approved */
    bool preparing;                /* CORE_PREPARE went out, and its answer did not come yet */
    bool prepared;                 /* what must succeed before a claim did, and the source was silent since */
    bool fenced;                   /* the source was fenced for a failed service: its loss leads to a claim */
    bool for_service;              /* this verify is for a failed service: that the host answers is no obstacle */
    bool leaving;                  /* CORE_LEAVE went out, and its answer did not come yet */
    enum core_reason leaves_for;   /* why it is to be released after that */
    nsec_t leave_again_ns;         /* it was refused: not tried again by itself before this */
    bool intended;                 /* the intent to claim was broadcast since evidence_ns */
    bool unasked;                  /* the newest broadcast did not leave for some address, which is asked for again */
    bool in_parts;                 /* what rounds ask for is claimed already; the rest as soon as it was asked for */
    bool asked_apart;              /* no rounds ask for some address by ARP or ND: verify has to */
    uint32_t n_by_link;            /* of its addresses: asked_by_link */
    uint32_t n_monitored;          /* of its addresses */
    uint32_t n_watched;            /* monitored addresses that count for the trigger and are not held by us */
    uint32_t n_up;                 /* of these: life UP */
    uint32_t n_doubtful;           /* of these: missed their newest round */
    uint32_t n_near;               /* of these: lost, or one more miss and they are */
    uint32_t n_lost;               /* of these: life LOST */
    uint32_t n_claiming;           /* results outstanding */
    uint32_t n_held;
    uint32_t n_releasing;
    nsec_t evidence_ns;       /* evidence must be younger than this: judging of the first missed round */
    nsec_t wait_ns;           /* longest that one of its rounds missed since then was waited for; 0: none was */
    uint32_t asks;            /* broadcasts for all its addresses since then that left */
    uint32_t n_asked;         /* addresses that the one under way has come to; 0: none is under way */
    bool ask_intent;          /* that one is in the probe form */
    bool ask_again;           /* that one is for those addresses alone for which the one before did not leave */
    nsec_t ask_begun_ns;      /* when the newest of them left for the first address */
    nsec_t last_ask_ns;       /* and for the last one */
    nsec_t part_asked_ns;     /* when all had been asked for once, and the intent had left; 0: not yet */
    nsec_t next_ask_ns;       /* when the next one leaves, or the rest of one; NSEC_NEVER: none planned */
    nsec_t witness_ask_ns;    /* when its witnesses were last asked */
    nsec_t verify_until_ns;   /* when verify ends with what it has; NSEC_NEVER */
    nsec_t approval_until_ns; /* when the default answer is taken; NSEC_NEVER */
    nsec_t hold_off_ns;       /* no automatic takeover before this */
    uint32_t yields;          /* how often in a row we gave way */
    struct mac_address mac;   /* last learned from any of its addresses; unset */
    nsec_t deputy_asked_ns;   /* when a deputy last asked for one of its addresses; 0 */
    /* while something is held: return.c */
    nsec_t watch_next_ns;           /* when the source, and everybody, is asked next; NSEC_NEVER */
    uint32_t watch_turns;           /* how often so far */
    nsec_t watched_ns;              /* since when it is asked and all answers are heard, without a gap; 0: it is not */
    nsec_t question_ns;             /* when the source is asked next to prove that it is there; NSEC_NEVER */
    uint32_t question_address;      /* for which address; UINT32_MAX */
    uint32_t answers;               /* to questions in a row; 0: no proof is under way */
    uint32_t extras;                /* meanwhile, to no question */
    nsec_t distrust_ns;             /* until when no answer counts, because of those; 0 */
    nsec_t back_since_ns;           /* since when the source is proved to be there, without a gap; 0: it is not */
    bool awaited;                   /* released for the source's return: it has not answered since */
    bool by_probe;                  /* that rested on its probe alone */
    uint32_t false_returns;         /* such releases in a row after which it was not */
    struct mac_address other_mac;   /* who else was last heard to answer for what we hold, not being the source */
    nsec_t other_ns;                /* when; 0 */
    struct mac_address contest_mac; /* who last probed for what we hold (RFC 5227), not being the source */
    nsec_t contest_ns;              /* when; 0 */
    nsec_t contested_ns;            /* when we last did; 0 */
    nsec_t asked_all_ns;            /* when everybody was last asked because of such a probe; 0 */
    nsec_t settled_ns;              /* when we last found that another holder has to give way; 0 */
    nsec_t home_ns;                 /* when addresses go back to the first choice of target NIC; NSEC_NEVER */
};

struct core_source {
    /* set by the caller */
    uint32_t first_nic;
    uint32_t n_nics;
    uint32_t misses;          /* rounds in a row that make an address lost */
    enum core_policy on_host; /* when all its NICs are lost */
    enum core_policy on_nic;  /* when one is */
    bool claim_unseen;
    bool announce_source;       /* on failback, announce the source's MAC for it */
    bool failback_automatic;    /* release when the source is back */
    nsec_t hold_down_ns;        /* once it has been back for so long */
    nsec_t look_ns;             /* from one look for the source and for other holders to the next, while it is held */
    uint32_t verify_asks;       /* broadcasts that must stay unanswered where no ARP/ND round gave them */
    nsec_t verify_spacing_ns;   /* from one to the next, and the most that an answer to the last may take */
    nsec_t approval_timeout_ns; /* NSEC_NEVER */
    bool approval_default_approve;
    bool gated;                  /* something must succeed before a claim: CORE_PREPARE */
    bool leaves_first;           /* something must come before a release: CORE_LEAVE */
    bool has_fence;              /* part of the first is a fence: a failed service may then be acted upon */
    bool service_force;          /* a failed service may be taken over while the host answers */
    enum core_policy on_service; /* when a service failed */
    uint32_t max_takeovers;      /* by itself within takeovers_within_ns; then a person is asked; 0: no limit */
    nsec_t takeovers_within_ns;  /* only where there is a limit */
    /* kept by the core */
    bool paused;                              /* watched, but nothing is decided by itself */
    nsec_t takeovers_ns[LIMIT_TAKEOVERS_MAX]; /* when takeovers that count began: the newest, in any order */
    uint32_t n_takeovers;                     /* of these */
    enum core_service service;
    enum core_reason service_reason;     /* why it is in that state */
    bool service_seen;                   /* all of its checks passed at the same time since watching began */
    bool service_leaving;                /* the same for CORE_LEAVE, of its name */
    enum core_reason service_leaves_for; /* why the name is to be released after that */
    bool service_preparing;              /* CORE_PREPARE went out for it, and its answer did not come yet */
    nsec_t service_since_ns;             /* in this state */
    nsec_t service_ok_ns;                /* since when all checks pass, without a gap; 0: they do not */
    nsec_t service_again_ns;             /* it was refused or failed: not tried again by itself before this; 0 */
};

enum core_action_type {
    CORE_ASK, /* ARP/NS for `address` on `target`: to `mac`, unset: broadcast; `intent`: in the RFC 5227 probe form */
    CORE_ASK_WITNESSES,   /* of `target`, now; answers by core_on_witness */
    CORE_ASK_CARRIER,     /* of `target`, now; answer by core_on_link where it changed */
    CORE_HURRY,           /* rounds of `address`: one now, and more as soon as it was waited for in vain */
    CORE_RESTART,         /* rounds of `nic`: void what is pending, a new round now */
    CORE_CLAIM,           /* `address` on `target`; answer by core_on_claimed */
    CORE_RELEASE,         /* `address` from `target`; answer by core_on_released */
    CORE_ANNOUNCE,        /* `address` is ours on `target`: begin; it ends with its release */
    CORE_ANNOUNCE_AGAIN,  /* the same anew, for what is announced and proved already */
    CORE_DEFEND,          /* announce `address` once, now */
    CORE_ANNOUNCE_SOURCE, /* `address` is at `mac` again, once, now */
    CORE_RETURNED,        /* the source, at `mac`, was proved to use `address`, which we hold: say so */
    CORE_RETURN_PROBED,   /* the source, at `mac`, is about to use it (RFC 5227 probe): say so */
    CORE_CONFLICT,        /* somebody else, at `mac`, uses `address`, which we hold: say so */
    CORE_CHANGED,         /* `nic` went from state `was` to the one it has: say so */
    CORE_PREPARE, /* run what must succeed before a claim of `nic`; answer by core_on_prepared. Without a nic: of
                             `source`, because a service of it failed; answer by core_on_service_prepared */
    CORE_LEAVE,   /* run what must come before a release of `nic` (or of the name of `source`); answer by core_on_left
                             (or core_on_service_left) */
    CORE_CLAIM_NAME,      /* of `source`; answer by core_on_name_claimed */
    CORE_RELEASE_NAME,    /* of `source`; answer by core_on_name_released */
    CORE_SERVICE_CHANGED, /* `source`'s services went from `service_was` to the state that they have: say so */
};

struct core_action {
    enum core_action_type type;
    uint32_t source; /* of CORE_PREPARE, CORE_LEAVE and what is about names and services */
    uint32_t nic;    /* UINT32_MAX: none, in these */
    uint32_t address;
    uint16_t target;
    bool intent;
    struct mac_address mac;
    enum core_state was;
    enum core_service service_was;
};

/* Called in the middle of an event: must not call back into the core. */
typedef void (*core_action_fn)(void *userdata, const struct core_action *action);

struct core {
    struct core_source *sources;
    struct core_nic *nics;
    struct core_address *addresses;
    struct core_target *targets;
    uint32_t n_sources, n_nics, n_addresses;
    uint16_t n_targets;
    struct heap timers;   /* by NIC: asks, end of verify, end of approval */
    uint32_t n_verifying; /* NICs: when a timer is due, all that came in has to be known, since it may be a verdict's */
    core_action_fn act;
    void *userdata;
    /* Set by the core, cleared by the caller: something changed that outlives this process. See core_restore_nic. */
    bool lasting_changed;
};

/*
 * Begins with every NIC unseen. The arrays and counts of *core, `act`, `userdata` and the memory of `timers` are set by
 * the caller; every "kept by the core" part is zero, except where state is carried over a reload: see core_carry.
 */
void core_init(struct core *core, nsec_t now_ns);

/* What an address of a new file was under the old one. */
struct core_carried {
    uint32_t address;  /* its number then; UINT32_MAX: it was not there */
    uint16_t held_on;  /* the target that has it, as numbered now; CORE_NO_TARGET: none, or the caller releases it */
    uint16_t given_on; /* the same of the target that it was given back on */
    bool alike;        /* its rounds ask as they did: the row of misses goes on; else it begins anew */
};

/*
 * Carries what is known over to a new file: called after core_init of `to` and before its first event, first for
 * targets, then for NICs.
 *
 * core_carry_target: two numbers of one target NIC; `alike`: with the same witnesses.
 * core_carry: two numbers of one source NIC, with what became of its addresses, in the order of the new ones. `alike`:
 * nothing that evidence rests on was changed (addresses, targets, witnesses, settings of verify): then all goes on,
 * also a verify under way. Else what was being gathered starts over at the next miss.
 */
void core_carry_target(struct core *to, uint16_t to_target, const struct core *from, uint16_t from_target, bool alike);
void core_carry(struct core *to, uint32_t to_nic, const struct core *from, uint32_t from_nic,
                const struct core_carried *carried, bool alike);

/*
 * What an agent before us knew, after core_init and before the first event: sources are paused first, then addresses,
 * NICs, takeovers; core_on_adopted after all of them, which overrules what a NIC was restored to.
 */
struct core_restored {
    bool armed;               /* was seen alive since it was watched or given back; by an agent of this boot */
    bool disarmed;            /* was given back, and not seen alive since */
    enum core_state state;    /* CORE_AWAITING, CORE_LOST, or CORE_UNSEEN where nothing was decided */
    enum core_reason reason;  /* of the first two */
    nsec_t approval_until_ns; /* of the first; NSEC_NEVER */
};

void core_restore_nic(struct core *core, nsec_t now_ns, uint32_t nic, const struct core_restored *restored);
/* `mac` may be unset; `armed`: with `trigger any` its loss counts. */
void core_restore_address(struct core *core, uint32_t address, const struct mac_address *mac, bool armed);
void core_restore_takeover(struct core *core, nsec_t now_ns, uint32_t source, nsec_t at_ns);
/* After core_on_adopted: since when it is held in truth. */
void core_restore_held(struct core *core, uint32_t address, nsec_t since_ns);

/* Events. */
/*
 * A request for `address` was answered; `mac` may be NULL (an echo reply). While it is held: by whoever else has it, to
 * our question for the source or for anybody.
 */
void core_on_answer(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac);
/*
 * A round of `address` was missed, the `misses`th in a row; wait_ns (above 0): how long an answer to it, and to any
 * question by broadcast, is worth waiting for. While it is held, rounds say nothing of the source.
 */
void core_on_miss(struct core *core, nsec_t now_ns, uint32_t address, uint32_t misses, nsec_t wait_ns);
/* We were stalled, or the clock stepped: all evidence about `source` that is not final is void. */
void core_on_void(struct core *core, nsec_t now_ns, uint32_t source);
/* Answers to anything that was asked may have been lost on this host. What was judged before stands. */
void core_on_unheard(struct core *core, nsec_t now_ns);
void core_on_link(struct core *core, nsec_t now_ns, uint16_t target, bool fit);
/* A witness of `target` answered a request that left at asked_ns. */
void core_on_witness(struct core *core, nsec_t now_ns, uint16_t target, nsec_t asked_ns);
/* A CORE_ASK for `address` did not leave this host (no buffer, not permitted, NIC down): silence is no answer to it. */
void core_on_unasked(struct core *core, nsec_t now_ns, uint32_t address);
/* Somebody other than us was heard to speak for `address`. */
void core_on_heard(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac);
/* Somebody other than us was heard to ask for `address` from one of his own: he does not have it by nature. */
void core_on_asked(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac);
/* Somebody other than us was heard to probe for `address` before use (RFC 5227). */
void core_on_rival(struct core *core, nsec_t now_ns, uint32_t address, const struct mac_address *mac);
/* The kernel's answer; `error` 0 or negative errno. */
void core_on_claimed(struct core *core, nsec_t now_ns, uint32_t address, int error);
void core_on_released(struct core *core, nsec_t now_ns, uint32_t address, int error);
/*
 * The kernel says that `address`, which we hold, is gone, and it was not us. It is put back; where its lease had run
 * out (`lapsed`), nobody knows what happened meanwhile, and it has to be lost and verified again first.
 */
void core_on_gone(struct core *core, nsec_t now_ns, uint32_t address, bool lapsed);
/*
 * The same, and its target NIC went (or went down) with it. The takeover stands: the address is claimed again as soon
 * as there is a target NIC for it and verify allows it.
 */
void core_on_gone_with_nic(struct core *core, nsec_t now_ns, uint32_t address);
/* Found at start: `address` is on `target` and carries our mark. */
void core_on_adopted(struct core *core, nsec_t now_ns, uint32_t address, uint16_t target);

/*
 * What had to succeed before a claim, or come before a release, did: CORE_REASON_NONE. Or it did not:
 * CORE_REASON_VETOED, CORE_REASON_NOT_FENCED; CORE_REASON_STAYS. Of a NIC that does not wait for it any more, it is
 * passed over.
 */
void core_on_prepared(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason);
void core_on_left(struct core *core, nsec_t now_ns, uint32_t nic, enum core_reason reason);
/*
 * A round of one of the source's checks was judged: now all of them pass, or (`failed`) one is failed. To be told of
 * each round, unless neither is known. No check runs while an address of the source is held.
 */
void core_on_service(struct core *core, nsec_t now_ns, uint32_t source, bool failed);
/* As for a NIC. */
void core_on_service_prepared(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason);
void core_on_service_left(struct core *core, nsec_t now_ns, uint32_t source, enum core_reason reason);
/* The name server's answer; `error` 0 or negative errno. */
void core_on_name_claimed(struct core *core, nsec_t now_ns, uint32_t source, int error);
void core_on_name_released(struct core *core, nsec_t now_ns, uint32_t source, int error);

nsec_t core_deadline(const struct core *core);
void core_on_time(struct core *core, nsec_t now_ns);

/* A new file: what is known of the services of a source. Called beside core_carry, also where there is no NIC. */
void core_carry_service(struct core *to, uint32_t to_source, const struct core *from, uint32_t from_source);
/* What an agent before us did for services; after core_on_adopted. */
struct core_restored_services {
    bool held;     /* the name of a source without addresses was moved here */
    bool disarmed; /* it was given back, and its services not seen to work since */
    bool forced;   /* the addresses that are held were taken over while the host answered */
};

void core_restore_services(struct core *core, nsec_t now_ns, uint32_t source,
                           const struct core_restored_services *restored);

/* Commands. What a refusal is about. */
struct core_refusal {
    enum core_reason reason;
    uint32_t address; /* UINT32_MAX */
    struct mac_address mac;
};

/*
 * Commands on one source NIC. 0: done or under way (watch the NIC's state). -EBUSY: it is alive, -ENETDOWN: no target
 * NIC is fit (*ret_refusal tells which address and MAC); -EALREADY: nothing to do; -EINVAL: not in a state for it;
 * -EINPROGRESS: another command is under way.
 */
int core_failover(struct core *core, nsec_t now_ns, uint32_t nic, bool force, struct core_refusal *ret_refusal);
int core_failback(struct core *core, nsec_t now_ns, uint32_t nic);
int core_approve(struct core *core, nsec_t now_ns, uint32_t nic);
int core_deny(struct core *core, nsec_t now_ns, uint32_t nic);
/* The same on the services of a source, and on the name of one without addresses. */
int core_failover_service(struct core *core, nsec_t now_ns, uint32_t source);
int core_failback_service(struct core *core, nsec_t now_ns, uint32_t source);
int core_approve_service(struct core *core, nsec_t now_ns, uint32_t source);
int core_deny_service(struct core *core, nsec_t now_ns, uint32_t source);
/* The new file has other targets for what was held, which the caller released: it goes there, if verify allows. */
void core_move(struct core *core, nsec_t now_ns, uint32_t nic);
/* Pausing ends automatic verifies, and questions wait for a person alone; resuming asks for fresh misses. */
void core_pause(struct core *core, nsec_t now_ns, uint32_t source);
void core_resume(struct core *core, nsec_t now_ns, uint32_t source);

/*
 * Whether this host must leave the source's duplicate address detection (RFC 5227, RFC 4862 section 5.4) for `address`
 * unanswered: it is held, and will be released as soon as that is heard. It would keep its address from the source.
 */
bool core_yields_to_source(const struct core *core, uint32_t address);

/* Where rounds of `address` go now: the target that holds it, else the first fit one; CORE_NO_TARGET. */
uint16_t core_path(const struct core *core, uint32_t address);
/* Whether every NIC of the source is lost (or already ours). */
bool core_source_is_lost(const struct core *core, uint32_t source);

const char *core_state_name(enum core_state state);
const char *core_service_name(enum core_service service);
