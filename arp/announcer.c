/* SPDX-License-Identifier: Apache-2.0 */
#include "arp/announcer.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/base/heap.h"

/*
 * Entries whose time has not come stand in one heap. Those whose time has come stand in a queue of their NIC, from
 * which the pace takes them: each moves once for each copy, however long it waits, and no NIC stands in another's way.
 */

/* The queues of a NIC: what was never announced goes before what is announced again. */
enum queue_kind { QUEUE_FIRST, QUEUE_AGAIN, QUEUE_KINDS };

#define NONE UINT32_MAX

struct entry {
    nsec_t due_ns;     /* of the next copy */
    uint32_t nic;      /* on which it is announced */
    uint32_t copies;   /* announced since the start; the place in the plan */
    uint32_t previous; /* neighbours in the queue while queued; NONE at its ends */
    uint32_t next;
    uint8_t queue;  /* enum queue_kind, while queued */
    bool queued;    /* due, and waiting for the pace; else in the heap, or stopped */
    bool confirmed; /* a neighbour was seen to follow */
    bool failed;    /* the copy to come was refused before */
};

struct queue {
    uint32_t first; /* NONE when empty */
    uint32_t last;
};

struct nic {
    struct queue queues[QUEUE_KINDS];
    nsec_t tick_end_ns;    /* of the tick under way, which a frame began */
    uint32_t frames;       /* sent in it */
    uint32_t widest;       /* most frames that one announcement took here so far */
    uint32_t next_waiting; /* in the announcer's list of NICs; NONE at its end */
    nsec_t held_until_ns;  /* what is announced again waits for first copies that are to come; past: for none */
    bool waiting;          /* whether it is in that list: its queues may hold something */
};

struct announcer {
    struct entry *entries;           /* by id */
    struct heap due;                 /* ids by due_ns */
    struct heap_entry *heap_entries; /* memory of `due` */
    uint32_t *heap_positions;
    struct nic *nics;       /* by number */
    uint32_t capacity;      /* of entries and `due` */
    uint32_t n_nics;        /* of nics */
    uint32_t first_waiting; /* NONE: no NIC waits */
    announcer_send_fn send; /* the caller's */
    void *userdata;         /* the caller's */
};

/* The plan: when each copy is due, counted from the first. All that follows is refreshing. */
static const nsec_t plan_ns[] = {
    0,
    100 * NSEC_PER_MSEC,
    1100 * NSEC_PER_MSEC,
    2200 * NSEC_PER_MSEC,
    4400 * NSEC_PER_MSEC,
    8800 * NSEC_PER_MSEC,
    17600 * NSEC_PER_MSEC,
    35200 * NSEC_PER_MSEC,
};
/* Copies that a confirmed entry gets of it: the rest is for those whom nobody was seen to believe. */
#define PLAN_UNCONFIRMED (sizeof plan_ns / sizeof plan_ns[0])

/* How long after its newest copy an entry is announced again. Counted from when that copy left, so that copies keep
 * their distance (and outlast the receivers' lock time) however late the pace made it. */
static nsec_t gap_ns(const struct entry *entry)
{
    assert(entry->copies > 0);
    if (entry->copies >= (entry->confirmed ? ANNOUNCER_PLAN_CONFIRMED : PLAN_UNCONFIRMED))
        return ANNOUNCER_REFRESH_NS;
    return plan_ns[entry->copies] - plan_ns[entry->copies - 1];
}

/* Puts the entry at the end of its NIC's queue. A copy that was refused loses its precedence, so that an address that
 * can never be announced does not keep the others from being refreshed. */
static void queue_add(struct announcer *announcer, uint32_t id)
{
    struct entry *entry = &announcer->entries[id];
    struct nic *nic = &announcer->nics[entry->nic];
    struct queue *queue;

    entry->queued = true;
    entry->queue = entry->copies == 0 && !entry->failed ? QUEUE_FIRST : QUEUE_AGAIN;
    queue = &nic->queues[entry->queue];
    entry->next = NONE;
    entry->previous = queue->last;
    *(queue->last == NONE ? &queue->first : &announcer->entries[queue->last].next) = id;
    queue->last = id;
    if (!nic->waiting) {
        nic->waiting = true;
        nic->next_waiting = announcer->first_waiting;
        announcer->first_waiting = entry->nic;
    }
}

static void queue_remove(struct announcer *announcer, uint32_t id)
{
    struct entry *entry = &announcer->entries[id];
    struct queue *queue = &announcer->nics[entry->nic].queues[entry->queue];

    *(entry->previous == NONE ? &queue->first : &announcer->entries[entry->previous].next) = entry->next;
    *(entry->next == NONE ? &queue->last : &announcer->entries[entry->next].previous) = entry->previous;
    entry->queued = false;
}

/* The entry whose turn is the next on the NIC, or NONE; and when it may leave, for all that is known of other ones. */
static uint32_t queue_head(const struct announcer *announcer, const struct nic *nic, nsec_t *ret_due_ns)
{
    bool first = nic->queues[QUEUE_FIRST].first != NONE;
    uint32_t head = nic->queues[first ? QUEUE_FIRST : QUEUE_AGAIN].first;

    if (head == NONE)
        return NONE;
    *ret_due_ns = announcer->entries[head].due_ns;
    if (!first && nic->held_until_ns > *ret_due_ns)
        *ret_due_ns = nic->held_until_ns;
    return head;
}

static void free_announcer(struct announcer **announcer)
{
    announcer_free(*announcer);
}

int announcer_new(struct announcer **ret, uint32_t capacity, uint32_t nics, announcer_send_fn send, void *userdata)
{
    CLEANUP(free_announcer) struct announcer *announcer = calloc(1, sizeof *announcer);

    if (!announcer)
        return -ENOMEM;
    announcer->entries = calloc(capacity, sizeof *announcer->entries);
    announcer->heap_entries = calloc(capacity, sizeof *announcer->heap_entries);
    announcer->heap_positions = calloc(capacity, sizeof *announcer->heap_positions);
    announcer->nics = calloc(nics, sizeof *announcer->nics);
    if (!announcer->entries || !announcer->heap_entries || !announcer->heap_positions || !announcer->nics)
        return -ENOMEM;
    heap_init(&announcer->due, announcer->heap_entries, announcer->heap_positions, capacity);
    for (uint32_t i = 0; i < nics; i++)
        announcer->nics[i] = (struct nic){.queues = {{NONE, NONE}, {NONE, NONE}}, .widest = 1};
    announcer->capacity = capacity;
    announcer->n_nics = nics;
    announcer->first_waiting = NONE;
    announcer->send = send;
    announcer->userdata = userdata;
    *ret = TAKE_POINTER(announcer);
    return 0;
}

void announcer_free(struct announcer *announcer)
{
    if (!announcer)
        return;
    free(announcer->entries);
    free(announcer->heap_entries);
    free(announcer->heap_positions);
    free(announcer->nics);
    free(announcer);
}

void announcer_start(struct announcer *announcer, uint32_t id, uint32_t nic, nsec_t now_ns)
{
    assert(nic < announcer->n_nics);

    announcer_stop(announcer, id);
    announcer->entries[id] = (struct entry){.nic = nic, .due_ns = now_ns};
    queue_add(announcer, id);
}

void announcer_confirmed(struct announcer *announcer, uint32_t id)
{
    struct entry *entry;
    nsec_t before_ns;

    assert(id < announcer->capacity);
    entry = &announcer->entries[id];
    /* A copy that is due already, or tried again, still leaves. */
    if (heap_due(&announcer->due, id) == NSEC_NEVER || entry->failed) {
        entry->confirmed = true;
        return;
    }
    before_ns = gap_ns(entry);
    entry->confirmed = true;
    entry->due_ns += gap_ns(entry) - before_ns;
    heap_set(&announcer->due, id, entry->due_ns);
}

void announcer_hold_back(struct announcer *announcer, uint32_t nic, nsec_t until_ns)
{
    assert(nic < announcer->n_nics);
    announcer->nics[nic].held_until_ns = until_ns;
}

void announcer_stop(struct announcer *announcer, uint32_t id)
{
    assert(id < announcer->capacity);
    heap_set(&announcer->due, id, NSEC_NEVER);
    if (announcer->entries[id].queued)
        queue_remove(announcer, id);
}

void announcer_carry(struct announcer *announcer, uint32_t id, uint32_t nic, const struct announcer *from, uint32_t old)
{
    const struct nic *pace = &from->nics[from->entries[old].nic];

    assert(nic < announcer->n_nics && id < announcer->capacity && old < from->capacity);
    announcer_stop(announcer, id);
    announcer->entries[id] = from->entries[old];
    announcer->entries[id].nic = nic;
    announcer->entries[id].queued = false;
    announcer->nics[nic].tick_end_ns = pace->tick_end_ns;
    announcer->nics[nic].frames = pace->frames;
    announcer->nics[nic].widest = pace->widest;
    announcer->nics[nic].held_until_ns = pace->held_until_ns;
    if (from->entries[old].queued)
        queue_add(announcer, id);
    else
        heap_set(&announcer->due, id, heap_due(&from->due, old));
}

/* Whether one more announcement fits into the tick. One that is wider than a whole tick has one for itself. */
static bool has_room(const struct nic *nic)
{
    return nic->frames == 0 || (uint64_t)nic->frames + nic->widest <= ANNOUNCER_BURST;
}

nsec_t announcer_deadline(const struct announcer *announcer)
{
    nsec_t deadline_ns = heap_first(&announcer->due, NULL);

    for (uint32_t i = announcer->first_waiting; i != NONE; i = announcer->nics[i].next_waiting) {
        const struct nic *nic = &announcer->nics[i];
        nsec_t due_ns;

        if (queue_head(announcer, nic, &due_ns) == NONE)
            continue;
        if (!has_room(nic) && nic->tick_end_ns > due_ns)
            due_ns = nic->tick_end_ns;
        if (due_ns < deadline_ns)
            deadline_ns = due_ns;
    }
    return deadline_ns;
}

/* Announces one entry that is in no queue any more, and sets its next time. */
static void announce(struct announcer *announcer, uint32_t id, nsec_t now_ns)
{
    struct entry *entry = &announcer->entries[id];
    struct nic *nic = &announcer->nics[entry->nic];
    int r = announcer->send(announcer->userdata, id, entry->copies);

    if (r > 0) {
        nic->frames += (uint32_t)r;
        if ((uint32_t)r > nic->widest)
            nic->widest = (uint32_t)r;
        entry->copies++;
        entry->due_ns = now_ns + gap_ns(entry);
    } else {
        /* Where one frame found no room or no link, the next will not: nothing more in this tick. */
        if (nic->frames < ANNOUNCER_BURST)
            nic->frames = ANNOUNCER_BURST;
        entry->due_ns = now_ns + ANNOUNCER_TICK_NS;
    }
    entry->failed = r <= 0;
    heap_set(&announcer->due, id, entry->due_ns);
}

/* Sends from the NIC's queues as far as its pace allows. Returns whether something is left in them. */
static bool drain(struct announcer *announcer, struct nic *nic, nsec_t now_ns)
{
    nsec_t due_ns;
    uint32_t id;

    if (now_ns >= nic->tick_end_ns) {
        /* What an announcement took beyond its tick is taken off the next. */
        nic->frames -= nic->frames < ANNOUNCER_BURST ? nic->frames : ANNOUNCER_BURST;
        nic->tick_end_ns = now_ns + ANNOUNCER_TICK_NS;
    }
    while ((id = queue_head(announcer, nic, &due_ns)) != NONE) {
        if (!has_room(nic) || due_ns > now_ns)
            return true;
        queue_remove(announcer, id);
        announce(announcer, id, now_ns);
    }
    return false;
}

void announcer_run(struct announcer *announcer, nsec_t now_ns)
{
    uint32_t *link = &announcer->first_waiting, id;

    while (heap_first(&announcer->due, &id) <= now_ns) {
        heap_set(&announcer->due, id, NSEC_NEVER);
        queue_add(announcer, id);
    }
    while (*link != NONE) {
        struct nic *nic = &announcer->nics[*link];

        nic->waiting = drain(announcer, nic, now_ns);
        if (nic->waiting)
            link = &nic->next_waiting;
        else
            *link = nic->next_waiting;
    }
}

unsigned announcer_copies(const struct announcer *announcer, uint32_t id)
{
    assert(id < announcer->capacity);
    return announcer->entries[id].copies;
}
