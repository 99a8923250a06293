/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job goes through these steps, each of which sends a message and awaits the answer:
 *
 *     NOW (each set) -> KEPT (each set, where something is restored) -> CHANGE -> ZONE -> POINTER (each PTR record)
 *        ^                                                                |
 *        +------------------- no longer as it was read -------------------+
 *
 * An attempt is all of them, within the job's time limit; what may be over soon is tried again when the limit is over,
 * from the first step that was not done for good. Between two steps nothing is left half done at the server: CHANGE is
 * one transaction, and a PTR record another, in another zone.
 */
#include "agent/helper/names.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/heap.h"
#include "agent/helper/change.h"
#include "agent/helper/exchange.h"
#include "agent/helper/message.h"

#define JOBS_MAX 1024
/* How often others may have changed the same names in between, before it is told. */
#define RACES_MAX 16
/* Messages that are read in one turn. */
#define MESSAGES_PER_TURN 256

enum step { STEP_NOW, STEP_KEPT, STEP_CHANGE, STEP_ZONE, STEP_POINTER };

struct job {
    uint32_t slot; /* its number in the table, the heap and the epoll */
    uint64_t id;
    struct job_dns dns;
    void *memory;          /* its texts */
    nsec_t begun_ns;       /* of the job */
    nsec_t attempt_end_ns; /* of this attempt */
    uint32_t attempts;     /* begun so far */
    enum step step;
    size_t at;      /* which set, or record */
    bool changed;   /* CHANGE is done, once and for all */
    unsigned races; /* changes by others in between */
    struct change change;
    ldns_rdf *zone;           /* of the PTR record */
    struct message message;   /* that an answer is awaited to */
    struct exchange exchange; /* of it */
    struct report result;     /* what it will be told, once CHANGE is done */
    struct report trouble;    /* why the last attempt failed; no text: nothing came */
};

struct names {
    int epoll;
    report_done *done;
    void *userdata;
    struct job *jobs[JOBS_MAX];
    struct heap deadlines; /* of attempts, by slot */
    struct heap_entry entries[JOBS_MAX];
    uint32_t positions[JOBS_MAX];
};

static void ask(struct names *names, struct job *job, bool tcp);

static void free_job(struct names *names, struct job *job)
{
    struct job_request request = {.kind = JOB_DNS, .memory = job->memory};

    names->jobs[job->slot] = NULL;
    heap_set(&names->deadlines, job->slot, NSEC_NEVER);
    exchange_end(&job->exchange);
    message_free(&job->message);
    change_free(&job->change);
    ldns_rdf_deep_free(job->zone);
    job_request_free(&request);
    free(job);
}

static nsec_t now_on_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void finish(struct names *names, struct job *job, const struct report *report)
{
    struct report told = *report;
    uint64_t id = job->id;

    told.took_ns = now_on_clock() - job->begun_ns;
    free_job(names, job);
    names->done(names->userdata, id, &told);
}

/* Of a PTR record that could not be changed: the names are, nevertheless. */
static void tell_pointer(const struct job *job, struct report *report)
{
    char address[IP_ADDRESS_TEXT];
    struct report reason = *report;

    report_set(report, reason.outcome, "%s, but not the PTR record of %s: %s", job->result.text,
               ip_address_format(&job->dns.records[job->at].address, address), reason.text);
}

static void fail(struct names *names, struct job *job, struct report *report)
{
    if (job->step >= STEP_ZONE)
        tell_pointer(job, report);
    finish(names, job, report);
}

static bool is_own_errno(int number)
{
    return number == -EMFILE || number == -ENFILE || number == -ENOMEM || number == -ENOBUFS || number == -EACCES ||
           number == -EPERM || number == -EADDRNOTAVAIL || number == -ENETUNREACH || number == -ENETDOWN;
}

/* What failed may work in a while: it is tried again when the time of this attempt is over. */
static void fail_attempt(struct names *names, struct job *job)
{
    exchange_end(&job->exchange);
    if (job->attempts > job->dns.retries)
        fail(names, job, &job->trouble);
}

static void fail_network(struct names *names, struct job *job, int error)
{
    char server[IP_ADDRESS_TEXT];

    report_set(&job->trouble, is_own_errno(error) ? JOB_UNABLE : JOB_MISSED, "no answer from %s port %u: %s",
               ip_address_format(&job->dns.server, server), job->dns.port, strerror(-error));
    fail_attempt(names, job);
}

static void go(struct names *names, struct job *job, enum step step, size_t at)
{
    job->step = step;
    job->at = at;
    ask(names, job, false);
}

/* The next PTR record from this one on, or the end. */
static void go_to_pointer(struct names *names, struct job *job, size_t from)
{
    while (from < job->dns.n_records && !job->dns.records[from].ptr)
        from++;
    if (from < job->dns.n_records)
        go(names, job, STEP_ZONE, from);
    else
        finish(names, job, &job->result);
}

static void on_changed(struct names *names, struct job *job)
{
    job->changed = true;
    if (job->result.outcome == JOB_PASSED)
        go_to_pointer(names, job, 0);
    else
        finish(names, job, &job->result);
}

/* The packet of this step; NULL: no memory, or there is nothing to be sent. */
static ldns_pkt *build(struct job *job)
{
    ldns_pkt *packet = NULL;

    switch (job->step) {
    case STEP_NOW:
    case STEP_KEPT:
        return change_question(&job->change, job->at, job->step == STEP_KEPT);
    case STEP_CHANGE:
        if (change_decide(&job->change, &packet, &job->result) < 0)
            return NULL;
        job->changed = !packet;
        job->change.sent |= packet != NULL;
        return packet;
    case STEP_ZONE:
        return change_ask_zone(&job->dns.records[job->at]);
    case STEP_POINTER:
        return change_pointer(&job->dns, &job->dns.records[job->at], job->zone);
    }
    return NULL;
}

static int send_message(struct names *names, struct job *job, bool tcp)
{
    job->exchange.epoll = names->epoll;
    job->exchange.number = job->slot;
    return exchange_begin(&job->exchange, &job->dns.server, job->dns.port, tcp, job->message.wire, job->message.length);
}

/* Sends what this step asks, under a new id. */
static void ask(struct names *names, struct job *job, bool tcp)
{
    struct report report = {0};
    ldns_pkt *packet = build(job);
    int r;

    if (!packet && job->step == STEP_CHANGE && job->changed) {
        on_changed(names, job);
        return;
    }
    message_free(&job->message);
    r = packet ? message_build(packet, &job->dns, &job->message, &report) : -ENOMEM;
    ldns_pkt_free(packet);
    if (r < 0) {
        if (report.text[0] == '\0')
            report_set(&report, JOB_UNABLE, "no memory");
        fail(names, job, &report);
        return;
    }
    r = send_message(names, job, tcp);
    if (r < 0)
        fail_network(names, job, r);
}

/* Others changed the same names in between: what they have now is read again, without waiting. */
static void on_race(struct names *names, struct job *job)
{
    struct report report;

    job->change.sent = false;
    if (job->races++ < RACES_MAX) {
        go(names, job, STEP_NOW, 0);
        return;
    }
    report_set(&report, JOB_MISSED,
               "the server says again and again that the records are not as it told them "
               "(NXRRSET); a wildcard may stand for them");
    fail(names, job, &report);
}

static void on_read(struct names *names, struct job *job, const ldns_pkt *answer)
{
    bool kept = job->step == STEP_KEPT;
    struct report report;

    if (change_take(&job->change, job->at, kept, answer, &report) < 0)
        fail(names, job, &report);
    else if (job->at + 1 < job->change.n_sets)
        go(names, job, job->step, job->at + 1);
    else if (!kept && job->dns.direction == JOB_DNS_RESTORE && job->dns.keep_old)
        go(names, job, STEP_KEPT, 0);
    else
        go(names, job, STEP_CHANGE, 0);
}

static void on_zone(struct names *names, struct job *job, const ldns_pkt *answer)
{
    struct report report;

    ldns_rdf_deep_free(job->zone);
    job->zone = change_read_zone(answer);
    if (job->zone) {
        go(names, job, STEP_POINTER, job->at);
        return;
    }
    report_set(&report, JOB_MISSED, "the server is not in charge of its zone");
    fail(names, job, &report);
}

static void on_pointer(struct names *names, struct job *job, const ldns_pkt *answer)
{
    struct report report;

    if (job->dns.direction == JOB_DNS_LOOK ? change_has_pointer(&job->dns.records[job->at], answer)
                                           : !message_is_refused_change(answer)) {
        go_to_pointer(names, job, job->at + 1);
        return;
    }
    report_set(&report, JOB_MISSED, "it is another, or there is none");
    fail(names, job, &report);
}

static void on_answer(struct names *names, struct job *job, const ldns_pkt *answer)
{
    exchange_end(&job->exchange);
    switch (job->step) {
    case STEP_NOW:
    case STEP_KEPT:
        on_read(names, job, answer);
        break;
    case STEP_CHANGE:
        if (message_is_refused_change(answer))
            on_race(names, job);
        else
            on_changed(names, job);
        break;
    case STEP_ZONE:
        on_zone(names, job, answer);
        break;
    case STEP_POINTER:
        on_pointer(names, job, answer);
        break;
    }
}

static void on_message(struct names *names, struct job *job, const uint8_t *wire, size_t length)
{
    struct report report = {0};
    ldns_pkt *answer = NULL;

    switch (message_read(&job->message, &job->dns, wire, length, (uint64_t)time(NULL), &answer, &report)) {
    case MESSAGE_GOOD:
        on_answer(names, job, answer);
        ldns_pkt_free(answer);
        break;
    case MESSAGE_FOREIGN:
        job->trouble = report;
        /* Over TCP there is nobody else. */
        if (job->exchange.tcp)
            fail_attempt(names, job);
        break;
    case MESSAGE_CUT:
        if (!job->exchange.tcp)
            ask(names, job, true);
        break;
    case MESSAGE_TRANSIENT:
        job->trouble = report;
        fail_attempt(names, job);
        break;
    case MESSAGE_FINAL:
        fail(names, job, &report);
        break;
    }
}

int names_new(struct names **ret, report_done *done, void *userdata)
{
    struct names *names = calloc(1, sizeof *names);

    if (!names)
        return -ENOMEM;
    names->done = done;
    names->userdata = userdata;
    heap_init(&names->deadlines, names->entries, names->positions, JOBS_MAX);
    names->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (names->epoll < 0) {
        free(names);
        return -errno;
    }
    *ret = names;
    return 0;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < JOBS_MAX; i++)
        if (names->jobs[i])
            free_job(names, names->jobs[i]);
    close(names->epoll);
    free(names);
}

static void begin_attempt(struct names *names, struct job *job, nsec_t now_ns)
{
    job->attempts++;
    job->attempt_end_ns = now_ns + job->dns.timeout_ns;
    heap_set(&names->deadlines, job->slot, job->attempt_end_ns);
    if (job->changed)
        go(names, job, STEP_ZONE, job->at);
    else
        go(names, job, STEP_NOW, 0);
}

static struct job *new_job(struct names *names)
{
    struct job *job;
    uint32_t slot = 0;

    while (slot < JOBS_MAX && names->jobs[slot])
        slot++;
    job = slot < JOBS_MAX ? calloc(1, sizeof *job) : NULL;
    if (!job)
        return NULL;
    job->slot = slot;
    job->exchange.fd = -EBADF;
    names->jobs[slot] = job;
    return job;
}

int names_begin(struct names *names, nsec_t now_ns, uint64_t id, const struct job_dns *dns, void *memory,
                struct report *refusal)
{
    struct job *job = new_job(names);
    int r;

    if (!job) {
        report_set(refusal, JOB_UNABLE, "%d changes of DNS are under way, which is the most", JOBS_MAX);
        return -EBUSY;
    }
    job->id = id;
    job->dns = *dns;
    job->begun_ns = now_ns;
    r = change_begin(&job->change, &job->dns, refusal);
    if (r < 0) {
        free_job(names, job);
        return r;
    }
    job->memory = memory;
    begin_attempt(names, job, now_ns);
    return 0;
}

int names_fd(const struct names *names)
{
    return names->epoll;
}

void names_on_readable(struct names *names)
{
    struct epoll_event event;

    /* One at a time: what one does may close the socket of the next. */
    for (int i = 0; i < MESSAGES_PER_TURN && epoll_wait(names->epoll, &event, 1, 0) == 1; i++) {
        struct job *job = names->jobs[event.data.u32];
        const uint8_t *wire = NULL;
        size_t length = 0;
        int r = exchange_on_ready(&job->exchange, &wire, &length);

        if (r < 0)
            fail_network(names, job, r);
        else if (r > 0)
            on_message(names, job, wire, length);
    }
}

nsec_t names_deadline(const struct names *names)
{
    return heap_first(&names->deadlines, NULL);
}

static void on_attempt_end(struct names *names, struct job *job, nsec_t now_ns)
{
    char server[IP_ADDRESS_TEXT];
    struct report report = job->trouble;

    exchange_end(&job->exchange);
    if (job->attempts <= job->dns.retries) {
        begin_attempt(names, job, now_ns);
        return;
    }
    if (report.text[0] == '\0')
        report_set(&report, JOB_MISSED, "no answer from %s port %u, asked %u times",
                   ip_address_format(&job->dns.server, server), job->dns.port, job->attempts);
    fail(names, job, &report);
}

void names_on_deadline(struct names *names, nsec_t now_ns)
{
    uint32_t slot;

    while (heap_first(&names->deadlines, &slot) <= now_ns)
        on_attempt_end(names, names->jobs[slot], now_ns);
}
