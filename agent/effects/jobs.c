/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/heap.h"
#include "agent/effects/jobs_process.h"

/* Packets read in one go; what is left shows again at once. */
#define PACKETS_MAX 256
/* Told of a deadline later than this, we stood still ourselves: the process gets its grace anew, once. */
#define LATE_NS (500 * NSEC_PER_MSEC)
/* Without it at so many starts in a row, nothing is taken that would only wait. */
#define FAILURES_MAX 1
/* Killed, and not reaped yet: the kernel may keep one for long. */
#define DYING_MAX 4
#define REAP_NS (20 * NSEC_PER_MSEC)
/* An id is a count above the number of the slot. */
#define SLOT_BITS 16

struct packet {
    struct packet *next;
    uint64_t id; /* of the job; 0: to be sent to this process only */
    size_t length;
    char *bytes;
};

struct slot {
    uint64_t id;  /* 0: free */
    uint64_t tag; /* the caller's */
    enum job_kind kind;
    bool sent;
    jobs_answered answered; /* NULL: forgotten */
    void *userdata;
};

struct jobs {
    struct jobs_options options;
    int epoll;
    int socket;              /* to the process; -EBADF: it is not there */
    pid_t pid;               /* of the process; 0: not ours */
    pid_t dying[DYING_MAX];  /* 0: none */
    bool answered;           /* something, since its start */
    bool excused;            /* for our being late, since its last answer */
    nsec_t excused_until_ns; /* no job is overdue before; NSEC_UNSET */
    unsigned failures;       /* starts in a row after which nothing was answered */
    nsec_t again_ns;         /* when it is started again; NSEC_NEVER */
    nsec_t reap_ns;          /* when a dying one is looked for again; NSEC_NEVER */
    struct packet *oldest;   /* not sent yet, in order */
    struct packet **newest;  /* where the next one goes */
    size_t n_bytes;          /* of all of these */
    bool full;               /* the socket is: we wait until it takes more */
    uint64_t count;          /* of jobs so far */
    uint32_t n_jobs;         /* in hand */
    uint32_t next_slot;      /* where the search for a free one begins */
    struct heap heap;        /* of deadlines, by slot */
    struct heap_entry entries[JOBS_MAX];
    uint32_t positions[JOBS_MAX];
    struct slot slots[JOBS_MAX];
    char text[256];
};

static struct slot *find(struct jobs *jobs, uint64_t id)
{
    struct slot *slot = &jobs->slots[id % (1 << SLOT_BITS) % JOBS_MAX];

    return id != 0 && slot->id == id ? slot : NULL;
}

static uint32_t number_of(const struct jobs *jobs, const struct slot *slot)
{
    return (uint32_t)(slot - jobs->slots);
}

static void free_packet(struct packet *packet)
{
    /* Secrets may stand in it. */
    explicit_bzero(packet->bytes, packet->length);
    free(packet->bytes);
    free(packet);
}

/* Takes out those of one job, or where id is 0 those that were for this process only. */
static void drop_packets(struct jobs *jobs, uint64_t id)
{
    struct packet **link = &jobs->oldest;

    while (*link) {
        struct packet *packet = *link;

        if (packet->id != id) {
            link = &packet->next;
            continue;
        }
        *link = packet->next;
        jobs->n_bytes -= packet->length;
        free_packet(packet);
    }
    jobs->newest = link;
}

/* The last answer: the job is over before the callback runs, which may submit another. */
static void finish(struct jobs *jobs, struct slot *slot, const struct job_answer *answer)
{
    struct slot finished = *slot;
    struct job_answer tagged = *answer;

    heap_set(&jobs->heap, number_of(jobs, slot), NSEC_NEVER);
    *slot = (struct slot){0};
    jobs->n_jobs--;
    if (!finished.sent)
        drop_packets(jobs, finished.id);
    tagged.tag = finished.tag;
    if (finished.answered)
        finished.answered(finished.userdata, &tagged);
}

static void finish_unable(struct jobs *jobs, struct slot *slot, const char *why)
{
    struct job_answer answer = {.id = slot->id, .outcome = JOB_UNABLE, .text = why};

    finish(jobs, slot, &answer);
}

/* All that were sent, or that were not. */
static void finish_all(struct jobs *jobs, bool sent, const char *why)
{
    uint64_t newest = jobs->count;
    char text[sizeof jobs->text];

    /* A copy, as callbacks may change what it says. */
    snprintf(text, sizeof text, "%s", why);
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct slot *slot = &jobs->slots[i];

        /* Not those that callbacks submit. */
        if (slot->id != 0 && slot->sent == sent && slot->id >> SLOT_BITS <= newest)
            finish_unable(jobs, slot, text);
    }
}

static void reap(struct jobs *jobs, nsec_t now_ns)
{
    jobs->reap_ns = NSEC_NEVER;
    for (size_t i = 0; i < DYING_MAX; i++) {
        if (jobs->dying[i] != 0 && waitpid(jobs->dying[i], NULL, WNOHANG) != 0)
            jobs->dying[i] = 0;
        if (jobs->dying[i] != 0)
            jobs->reap_ns = now_ns + REAP_NS;
    }
}

/* Room for one that is dying; NULL: let nothing more be started. */
static pid_t *free_dying(struct jobs *jobs)
{
    for (size_t i = 0; i < DYING_MAX; i++) {
        if (jobs->dying[i] == 0)
            return &jobs->dying[i];
    }
    return NULL;
}

static void start_later(struct jobs *jobs, nsec_t now_ns)
{
    nsec_t wait_ns = JOBS_AGAIN_MIN_NS;

    for (unsigned i = 1; i < jobs->failures && wait_ns < JOBS_AGAIN_MAX_NS; i++)
        wait_ns *= 2;
    jobs->again_ns = now_ns + nsec_min(wait_ns, JOBS_AGAIN_MAX_NS);
}

static void watch(struct jobs *jobs, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (jobs->full ? EPOLLOUT : 0)};

    epoll_ctl(jobs->epoll, operation, jobs->socket, &event);
}

/* The process is gone, or useless: what it has in hand will not be answered by it. */
static void lose(struct jobs *jobs, nsec_t now_ns, const char *why)
{
    snprintf(jobs->text, sizeof jobs->text, "the %.32s %.160s", jobs->options.name, why);
    close(jobs->socket);
    jobs->socket = -EBADF;
    jobs->full = false;
    if (jobs->pid != 0) {
        kill(jobs->pid, SIGKILL);
        *free_dying(jobs) = jobs->pid;
        jobs->pid = 0;
        reap(jobs, now_ns);
    }
    jobs->failures = jobs->answered ? 1 : jobs->failures + 1;
    start_later(jobs, now_ns);
    drop_packets(jobs, 0);
    finish_all(jobs, true, jobs->text);
}

/* Sends what there is, as far as the socket takes it. That the process is gone shows when it is read. */
static void flush(struct jobs *jobs)
{
    bool full = false;

    while (jobs->oldest && jobs->socket >= 0 && !full) {
        struct packet *packet = jobs->oldest;
        struct slot *slot = find(jobs, packet->id);

        full = send(jobs->socket, packet->bytes, packet->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
        if (full)
            break;
        jobs->oldest = packet->next;
        if (!jobs->oldest)
            jobs->newest = &jobs->oldest;
        jobs->n_bytes -= packet->length;
        free_packet(packet);
        if (slot)
            slot->sent = true;
    }
    if (full == jobs->full || jobs->socket < 0)
        return;
    jobs->full = full;
    watch(jobs, EPOLL_CTL_MOD);
}

static void start(struct jobs *jobs, nsec_t now_ns)
{
    int socket = free_dying(jobs) ? jobs_process_start(&jobs->options, &jobs->pid) : -EBUSY;

    if (socket < 0) {
        jobs->failures++;
        snprintf(jobs->text, sizeof jobs->text, "not there: %s", strerror(-socket));
        start_later(jobs, now_ns);
        if (jobs->failures > FAILURES_MAX)
            finish_all(jobs, false, jobs->text);
        return;
    }
    jobs->socket = socket;
    jobs->again_ns = NSEC_NEVER;
    jobs->answered = jobs->excused = jobs->full = false;
    jobs->excused_until_ns = NSEC_UNSET;
    if (jobs->pid != 0)
        snprintf(jobs->text, sizeof jobs->text, "pid %d", (int)jobs->pid);
    else
        snprintf(jobs->text, sizeof jobs->text, "at %.200s", jobs->options.socket);
    watch(jobs, EPOLL_CTL_ADD);
    flush(jobs);
}

static void free_jobs(struct jobs *jobs)
{
    if (jobs->epoll >= 0)
        close(jobs->epoll);
    free((char *)jobs->options.name);
    free((char *)jobs->options.socket);
    free((char *)jobs->options.program);
    free(jobs);
}

int jobs_open(struct jobs **ret, const struct jobs_options *options, nsec_t now_ns)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    int r;

    if (!jobs)
        return -ENOMEM;
    jobs->socket = -EBADF;
    jobs->reap_ns = NSEC_NEVER;
    jobs->newest = &jobs->oldest;
    heap_init(&jobs->heap, jobs->entries, jobs->positions, JOBS_MAX);
    jobs->options.name = strdup(options->name);
    jobs->options.socket = options->socket ? strdup(options->socket) : NULL;
    jobs->options.program = strdup(options->program);
    jobs->epoll = epoll_create1(EPOLL_CLOEXEC);
    r = jobs->epoll < 0 ? -errno : 0;
    if (!jobs->options.name || !jobs->options.program || (options->socket && !jobs->options.socket))
        r = -ENOMEM;
    if (r < 0) {
        free_jobs(jobs);
        return r;
    }
    start(jobs, now_ns);
    *ret = jobs;
    return 0;
}

void jobs_close(struct jobs *jobs)
{
    if (!jobs)
        return;
    if (jobs->socket >= 0)
        close(jobs->socket);
    while (jobs->oldest) {
        struct packet *packet = jobs->oldest;

        jobs->oldest = packet->next;
        free_packet(packet);
    }
    free_jobs(jobs);
}

/* Takes the bytes over. */
static int queue(struct jobs *jobs, uint64_t id, char *bytes, size_t length)
{
    struct packet *packet = jobs->n_bytes + length > JOBS_BYTES_MAX ? NULL : malloc(sizeof *packet);

    if (!packet) {
        explicit_bzero(bytes, length);
        free(bytes);
        return -ENOBUFS;
    }
    *packet = (struct packet){.id = id, .bytes = bytes, .length = length};
    *jobs->newest = packet;
    jobs->newest = &packet->next;
    jobs->n_bytes += length;
    return 0;
}

static struct slot *free_slot(struct jobs *jobs)
{
    while (jobs->slots[jobs->next_slot].id != 0)
        jobs->next_slot = (jobs->next_slot + 1) % JOBS_MAX;
    return &jobs->slots[jobs->next_slot];
}

int jobs_submit(struct jobs *jobs, nsec_t now_ns, struct job_request *request, jobs_answered answered, void *userdata,
                uint64_t *ret_id)
{
    struct slot *slot;
    char *bytes;
    size_t length;
    int r;

    if (jobs->socket < 0 && jobs->failures > FAILURES_MAX)
        return -ENOTCONN;
    if (jobs->n_jobs == JOBS_MAX)
        return -ENOBUFS;
    slot = free_slot(jobs);
    request->id = (jobs->count + 1) << SLOT_BITS | number_of(jobs, slot);
    r = job_request_build(request, &bytes, &length);
    if (r == 0)
        r = queue(jobs, request->id, bytes, length);
    if (r < 0)
        return r;
    jobs->count++;
    jobs->n_jobs++;
    *slot = (struct slot){
        .id = request->id, .tag = request->tag, .kind = request->kind, .answered = answered, .userdata = userdata};
    heap_set(&jobs->heap, number_of(jobs, slot), now_ns + job_limit_ns(request) + JOBS_GRACE_NS);
    if (ret_id)
        *ret_id = request->id;
    flush(jobs);
    return 0;
}

uint64_t jobs_find(const struct jobs *jobs, uint64_t tag)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (jobs->slots[i].id != 0 && jobs->slots[i].tag == tag)
            return jobs->slots[i].id;
    return 0;
}

int jobs_kill(struct jobs *jobs, uint64_t id)
{
    struct job_request request = {.id = id, .kind = JOB_KILL};
    char *bytes;
    size_t length;
    int r;

    if (!find(jobs, id))
        return 0;
    r = job_request_build(&request, &bytes, &length);
    if (r == 0)
        r = queue(jobs, find(jobs, id)->sent ? 0 : id, bytes, length);
    flush(jobs);
    return r;
}

void jobs_forget(struct jobs *jobs, uint64_t id)
{
    struct slot *slot = find(jobs, id);

    if (slot)
        slot->answered = NULL;
}

int jobs_fd(const struct jobs *jobs)
{
    return jobs->epoll;
}

/* Whether that is an answer to such a job. The process is not trusted more than it must be. */
static bool fits(enum job_kind kind, enum job_outcome outcome)
{
    bool helpers = outcome == JOB_PASSED || outcome == JOB_MISSED || outcome == JOB_UNABLE;

    return (kind == JOB_URL || kind == JOB_DNS) == helpers;
}

/* False: the process says what no process of ours says. */
static bool take_answer(struct jobs *jobs, const char *packet, size_t length)
{
    struct job_answer answer;
    struct slot *slot;
    bool good;

    if (job_answer_parse(packet, length, &answer) < 0)
        return false;
    slot = find(jobs, answer.id);
    good = !slot || (slot->sent && fits(slot->kind, answer.outcome));
    if (good) {
        jobs->answered = true;
        jobs->excused = false;
        jobs->failures = 0;
    }
    answer.tag = slot ? slot->tag : 0;
    if (good && slot && answer.outcome == JOB_STARTED) {
        if (slot->answered)
            slot->answered(slot->userdata, &answer);
    } else if (good && slot) {
        finish(jobs, slot, &answer);
    }
    job_answer_free(&answer);
    return good;
}

void jobs_on_readable(struct jobs *jobs, nsec_t now_ns)
{
    char packet[JOB_PACKET_MAX];

    for (unsigned i = 0; i < PACKETS_MAX && jobs->socket >= 0; i++) {
        ssize_t length = recv(jobs->socket, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

        if (length < 0 && errno == EAGAIN)
            break;
        /* ECONNRESET comes once, before what it said last: it ended without reading all of ours. */
        if (length < 0 && (errno == EINTR || errno == ECONNRESET))
            continue;
        if (length <= 0)
            lose(jobs, now_ns, "has ended");
        else if ((size_t)length > sizeof packet || !take_answer(jobs, packet, (size_t)length))
            lose(jobs, now_ns, "said what is not understood");
    }
    flush(jobs);
}

/* When a job is overdue. */
static nsec_t overdue_at(const struct jobs *jobs)
{
    return nsec_max(heap_first(&jobs->heap, NULL), jobs->excused_until_ns);
}

nsec_t jobs_deadline(const struct jobs *jobs)
{
    return nsec_min(nsec_min(jobs->again_ns, jobs->reap_ns), jobs->n_jobs > 0 ? overdue_at(jobs) : NSEC_NEVER);
}

/* A job that is overdue: the process hangs, or did not come in time. */
static void judge(struct jobs *jobs, nsec_t now_ns, struct slot *slot)
{
    uint64_t id = slot->id;

    if (jobs->socket >= 0)
        lose(jobs, now_ns, "does not answer, and is started anew");
    if (find(jobs, id))
        finish_unable(jobs, slot, jobs->text);
}

void jobs_on_deadline(struct jobs *jobs, nsec_t now_ns)
{
    uint32_t number;

    if (jobs->reap_ns <= now_ns)
        reap(jobs, now_ns);
    if (jobs->n_jobs > 0 && overdue_at(jobs) <= now_ns - LATE_NS && jobs->socket >= 0 && !jobs->excused) {
        /* What stopped us may have stopped the process, too. */
        jobs->excused = true;
        jobs->excused_until_ns = now_ns + JOBS_GRACE_NS;
    }
    while (overdue_at(jobs) <= now_ns) {
        heap_first(&jobs->heap, &number);
        judge(jobs, now_ns, &jobs->slots[number]);
    }
    if (jobs->socket < 0 && jobs->again_ns <= now_ns)
        start(jobs, now_ns);
}

const char *jobs_text(const struct jobs *jobs)
{
    return jobs->text;
}

bool jobs_is_there(const struct jobs *jobs)
{
    return jobs->socket >= 0;
}

pid_t jobs_pid(const struct jobs *jobs)
{
    return jobs->pid;
}
