/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages on the wire, signed and judged (RFC 8945). The wire format is libldns's. No sockets, no clock. */
#pragma once

#include <ldns/ldns.h>

#include "agent/helper/report.h"

/* A question or an update, as it is sent. */
struct message {
    uint8_t *wire; /* to be freed by message_free */
    size_t length; /* its bytes */
    uint16_t id;   /* the answer repeats it */
    bool update;   /* else a question */
    ldns_rdf *mac; /* of its signature: the answer's covers it, too */
};

enum message_verdict {
    MESSAGE_GOOD,      /* signed by the server, and not an error of the signature */
    MESSAGE_FOREIGN,   /* whoever sent it: the answer may still come. The report says what was wrong with it */
    MESSAGE_CUT,       /* the whole of it takes TCP (RFC 2181 section 9) */
    MESSAGE_TRANSIENT, /* an error that may be over soon; the report says which */
    MESSAGE_FINAL,     /* one that stays */
};

/* Signs with the job's key and packs; *packet is the caller's. 0, or negative errno and *report says why. */
int message_build(ldns_pkt *packet, const struct job_dns *dns, struct message *ret, struct report *report);
void message_free(struct message *message);

/* Judges what came. *ret is set for MESSAGE_GOOD alone, to be freed by ldns_pkt_free; its rcode is none but that of a
 * good answer, or of a prerequisite that does not hold (see message_is_refused_change). now_s: seconds of UTC. */
enum message_verdict message_read(const struct message *question, const struct job_dns *dns, const uint8_t *wire,
                                  size_t length, uint64_t now_s, ldns_pkt **ret, struct report *report);
/* Whether the update was not made because things are no longer as it said. */
bool message_is_refused_change(const ldns_pkt *answer);
