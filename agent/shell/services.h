/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the shell share about services: checks of a source, and what is run for it around a takeover. Only
 * internal.h includes this.
 */
#pragma once

#include "agent/core/core.h"
#include "agent/shell/agent.h"

struct plan;

/* Bytes kept of what a check or a hook said last; room for a step in words. */
#define OUTCOME_TEXT 256
#define STEP_TEXT 512

/* A check of the ipmap, beside what the file says of it. */
struct check {
    const struct ipmap_check *map;
    uint32_t source;  /* whose service it is about */
    uint64_t job;     /* of the round under way: its id, and of TCP 1; 0: none is */
    bool voided;      /* this host stood still meanwhile: that it fails says nothing */
    bool judged;      /* a round passed or failed since watching began */
    bool failed;      /* as many rounds failed in a row as the file says */
    uint32_t misses;  /* failed rounds in a row */
    nsec_t begun_ns;  /* the newest round; 0 */
    nsec_t took_ns;   /* the newest that ended */
    nsec_t passed_ns; /* when the newest that passed ended; 0 */
    uint64_t rounds;  /* that began, and what became of them: */
    uint64_t passes, failures, unable;
    char outcome[OUTCOME_TEXT]; /* what the newest that ended said, and how it ended */
};

/* What is run for a source around a takeover: one step after the other. See sequences.c. */
enum step_kind {
    STEP_HOOK,
    STEP_FENCE,
    STEP_UNIT_START,
    STEP_UNIT_STOP,
    STEP_NAME_CLAIM,
    STEP_NAME_RELEASE,
    STEP_END, /* of a sequence: the core is told how it went, where it waits for that */
};

enum sequence {
    SEQUENCE_PREPARE,      /* the core waits for it before a claim */
    SEQUENCE_TAKEN,        /* after one */
    SEQUENCE_LEAVE,        /* the core waits for it before a release */
    SEQUENCE_GIVEN,        /* after one */
    SEQUENCE_CLAIM_NAME,   /* of a source without addresses; the core waits for it */
    SEQUENCE_RELEASE_NAME, /* the same */
    SEQUENCE_ALARM,
};

/* Why something is done, in the words that hooks get. */
enum cause {
    CAUSE_HOST,
    CAUSE_NIC,
    CAUSE_SERVICE,
    CAUSE_OPERATOR,
};

#define UNIT_OF_SOURCE UINT32_MAX /* as a step's item: standin-SOURCE.target */
#define STEP_CUT_SHORT 1          /* the same of STEP_END: a new file has other steps */
#define UNIT_OF_SOURCE_NS (90 * NSEC_PER_SEC)

struct step {
    enum step_kind kind;
    enum sequence sequence;
    enum cause cause;
    uint32_t nic;  /* core NIC; UINT32_MAX: the source as a whole */
    uint32_t item; /* which hook or unit of the source */
};

/* What is known of a unit of a source. */
struct unit {
    const char
        *state; /* "started", "stopped", "starting", "stopping", "failed", "not stopped"; NULL: not asked for since */
    char text[OUTCOME_TEXT]; /* in systemd's words */
};

/* Where the DNS name of a source is. */
#define NAME_HERE "here"
#define NAME_GIVEN_BACK "given back"
#define NAME_CHANGED "changed by somebody else"

/* The services of a source (same number), beside what the core keeps of them. */
struct services {
    uint32_t first_check, n_checks;
    struct step *steps; /* a ring of steps_max, n_steps from first_step on */
    uint32_t first_step, n_steps, steps_max;
    uint64_t job;                 /* of the first of these: the id of what was asked for; 0: it has not begun */
    nsec_t begun_ns;              /* when that was */
    enum core_reason verdict;     /* of the sequence that the first step belongs to: CORE_REASON_NONE so far */
    uint32_t n_standing;          /* NICs that we stand in for, or 1 for the name of a source without */
    nsec_t fenced_ns;             /* when its fence last succeeded; 0 */
    const char *name_state;       /* one of the words above; NULL: nothing was changed */
    uint64_t look;                /* the question under way whether it still is; 0: none */
    char name_text[OUTCOME_TEXT]; /* what the name server said */
    char trouble[STEP_TEXT + OUTCOME_TEXT]; /* what last went wrong in a step: "hook ...: exit status 1: ..."; "" */
    char alarm[OUTCOME_TEXT];               /* what the hooks of the alarm that waits are told */
    char target[AGENT_UNIT_NAME];           /* standin-SOURCE.target */
    struct unit *units;                     /* as many as in the file, and last the target */
};

/* checks.c: the services of sources */
/* Spreads the first rounds, after a plan was made. */
void checks_begin(struct plan *plan, nsec_t now_ns);
void checks_run(struct agent *agent, nsec_t now_ns);
/* Whether no check of the source runs, because something of it is held here. */
bool checks_rest(const struct core *core, uint32_t source);
nsec_t checks_deadline(const struct agent *agent);
/* This host stood still: what fails now says nothing. */
void checks_void(struct agent *agent, uint32_t source);
/* What the file did not change of the checks of a source goes on; rounds under way are begun anew. */
void checks_carry(struct agent *agent, struct plan *from, uint32_t old, struct plan *to, uint32_t source);
/* Rounds under way come to nothing. */
void checks_end(struct agent *agent, struct plan *plan);
void checks_on_answer(struct agent *agent, nsec_t now_ns, uint32_t check, const struct job_answer *answer);

/* sequences.c: what is run when */
/* What the core waits for, of a NIC or (UINT32_MAX) of the source as a whole. */
void sequences_prepare(struct agent *agent, uint32_t source, uint32_t nic);
void sequences_leave(struct agent *agent, uint32_t source, uint32_t nic);
void sequences_move_name(struct agent *agent, uint32_t source, bool here);
/* A NIC, or what a source serves, changed its state. */
void sequences_on_change(struct agent *agent, uint32_t nic);
void sequences_on_service_change(struct agent *agent, uint32_t source, enum core_service was);
/* Tells the hooks of an alarm what people are told. */
void sequences_alarm(struct agent *agent, uint32_t source, uint32_t nic, const char *text);

/* steps.c: one step after the other */
void steps_add(struct agent *agent, uint32_t source, const struct step *step);
/* Those of such sequences that have not begun are not. */
void steps_drop(struct agent *agent, uint32_t source, enum sequence sequence);
bool steps_has(const struct services *s, enum sequence sequence);
void steps_run(struct agent *agent, nsec_t now_ns);

/* names.c */
/* One was moved here. */
void names_watch(struct agent *agent);
void names_run(struct agent *agent, nsec_t now_ns);
nsec_t names_deadline(const struct agent *agent);
bool names_on_answer(struct agent *agent, const struct job_answer *answer);

/* services.c: of the files */
/* Room for the checks and steps of a source, where it has any. 0 or -ENOMEM. */
void services_free(struct services *s);
/* The name of a unit; of UNIT_OF_SOURCE that of the source's target. */
const char *services_unit(const struct plan *plan, uint32_t source, uint32_t item);
int services_plan(struct plan *plan, uint32_t source);
/* From the plan before to a new one. */
void services_carry(struct agent *agent, struct plan *from, struct plan *to);
/* An id for a job of `check`, or (UINT32_MAX) of a step; and whose it is. */
uint64_t job_id(struct agent *agent, uint32_t check);
uint32_t job_check(uint64_t id);

/* hooks.c: jobs as runner and helper take them. 0 or negative errno */
int hooks_ask_command(struct agent *agent, uint64_t id, uint32_t source, const struct step *step);
int hooks_ask_check(struct agent *agent, uint64_t id, uint32_t source, const struct ipmap_check *map);
int hooks_ask_name(struct agent *agent, uint64_t id, const struct ipmap_dns *dns, enum job_dns_direction direction);

/* tell_services.c: words for people */
/* "exit status 2: the order queue is full": how a job ended, and what it said. */
void tell_outcome(const struct job_answer *answer, char *text, size_t size);
/* A check failed, or passes again. */
void tell_check(struct agent *agent, uint32_t check);
/* The services of a source are in another state. */
void tell_service(struct agent *agent, uint32_t source, enum core_service was);
const char *tell_reason_text(enum core_reason reason);
const char *tell_service_reason(enum core_reason reason);
/* "hook pre-takeover /etc/...": what the step is, in words. */
void tell_step(const struct agent *agent, uint32_t source, const struct step *step, char *text, size_t size);
