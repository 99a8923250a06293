/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes between agent and guard, one message a packet. Both ends are one program, so values go as they are in
 * memory. A message of an unknown kind or a wrong length is passed over. Pure.
 */
#pragma once

#include "agent/guard/notes.h"

/* Notes in one packet. */
#define MESSAGE_NOTES_MAX 64

enum message_kind {
    MESSAGE_READY = 1, /* from the guard, the first: `value` is its pid, or negative errno */
    MESSAGE_RELEASED,  /* from the guard: `value` addresses, while the agent hung */
    MESSAGE_NOTES,     /* from the agent */
    MESSAGE_DISMISS,   /* from the agent */
};

/* From the guard. */
struct message_report {
    uint32_t kind; /* enum message_kind */
    int32_t value; /* see there */
};

/* From the agent; ends after the last note. */
struct message_order {
    uint32_t kind;  /* enum message_kind */
    uint32_t n;     /* how many notes follow */
    nsec_t beat_ns; /* when the loop was last well; NSEC_UNSET: nothing new is known */
    struct note notes[MESSAGE_NOTES_MAX];
};

#define MESSAGE_ORDER_BYTES(n) (offsetof(struct message_order, notes) + (n) * sizeof(struct note))

/* The oldest notes, as many as go into one packet. Returns its bytes. */
size_t message_build_order(struct message_order *ret, const struct notes *notes, nsec_t beat_ns);
/* Copies what came out of the packet, without notes about what no NIC can hold. 0 or -EBADMSG. */
int message_parse_order(const void *packet, size_t length, struct message_order *ret);
