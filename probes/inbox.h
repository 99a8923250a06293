/* SPDX-License-Identifier: Apache-2.0 */
/* Only for this folder. The inbox: packets read in batches, each with the kernel's receive stamp on our clock. */
#pragma once

#include <sys/socket.h>

#include "probes/probe.h"

/* Packets in one system call. */
#define INBOX_BATCH 64
/* Longer packets are no reply to anything that is asked here. */
#define INBOX_BYTES 512

/* One packet. All of it lives only during the call. */
struct inbox_packet {
    const uint8_t *bytes;         /* as the socket gives them */
    size_t length;                /* true length */
    const struct sockaddr *from;  /* the socket's kind of address */
    socklen_t from_length;        /* of that */
    const struct msghdr *message; /* for its control messages */
    nsec_t received_ns;           /* kernel's stamp, on CLOCK_MONOTONIC; at most the turn's now_ns */
};

typedef void (*inbox_packet_fn)(void *userdata, const struct inbox_packet *packet);

struct inbox;

/* Reads from `fd`, which stays the caller's, and has it stamp what it receives. 0 or negative errno. */
int inbox_new(struct inbox **ret, int fd, inbox_packet_fn packet, void *userdata);
void inbox_free(struct inbox *inbox);

/*
 * Reads at most `limit` packets: until the queue is empty (`all`), or else until a batch is not full. That spares
 * asking for more where there seldom is any; where an error cut the batch short, the descriptor stays readable. How
 * many, or negative errno where there were none.
 */
int inbox_read(struct inbox *inbox, const struct probe_clock *clock, unsigned limit, bool all);
