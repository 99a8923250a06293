/* SPDX-License-Identifier: Apache-2.0 */
/* One DNS message sent and its answer received, over UDP or TCP, without waiting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/address.h"

/* Longer ones go over TCP; answers may be so long. Every path takes it in one piece (RFC 8200 section 5: 1280). */
#define EXCHANGE_UDP_MAX 1232

/* All zero but `fd`, which is negative: none is under way. */
struct exchange {
    int fd;             /* a socket of its own for each, so that its port cannot be guessed */
    int epoll;          /* where that is watched */
    uint32_t number;    /* what is said there of it */
    bool tcp;           /* else UDP */
    uint8_t *out;       /* to be sent over TCP, with its length before it */
    size_t n_out, sent; /* bytes of that, and those that were sent */
    uint8_t *in;        /* what comes */
    size_t n_in, room;  /* bytes of that so far, and for how many there is room */
};

/* Sends, or begins to. 0 or negative errno; then there is none under way. */
int exchange_begin(struct exchange *exchange, const struct ip_address *server, uint16_t port, bool tcp,
                   const uint8_t *wire, size_t length);
/* The socket is ready. 1: a message is here (over UDP more may follow); 0: not yet; negative errno: none will come. */
int exchange_on_ready(struct exchange *exchange, const uint8_t **ret, size_t *ret_length);
/* Also where there is none under way. */
void exchange_end(struct exchange *exchange);
