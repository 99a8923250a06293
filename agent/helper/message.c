/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* RFC 8945 section 10: how far the clocks may be apart. */
#define FUDGE_S 300
/* The rdata of a TSIG record (RFC 8945 section 4.2). */
#define TSIG_FIELDS 7
#define TSIG_ALGORITHM 0
#define TSIG_TIME 1
#define TSIG_MAC 3
#define TSIG_ERROR 5
#define TSIG_OTHER 6
#define TIME_BYTES 6
/* Of a field that begins with its own length. */
#define LENGTH_BYTES 2

int message_build(ldns_pkt *packet, const struct job_dns *dns, struct message *ret, struct report *report)
{
    struct message message = {.id = ldns_pkt_id(packet), .update = ldns_pkt_get_opcode(packet) == LDNS_PACKET_UPDATE};
    ldns_status status = ldns_pkt_tsig_sign(packet, dns->key_name, dns->key_secret, FUDGE_S, dns->key_algorithm, NULL);

    if (status == LDNS_STATUS_OK)
        status = ldns_pkt2wire(&message.wire, packet, &message.length);
    if (status == LDNS_STATUS_OK && message.length > UINT16_MAX)
        status = LDNS_STATUS_PACKET_OVERFLOW;
    if (status == LDNS_STATUS_OK) {
        message.mac = ldns_rdf_clone(ldns_rr_rdf(ldns_pkt_tsig(packet), TSIG_MAC));
        status = message.mac ? LDNS_STATUS_OK : LDNS_STATUS_MEM_ERR;
    }
    if (status == LDNS_STATUS_OK) {
        *ret = message;
        return 0;
    }
    report_set(report, JOB_UNABLE, "cannot sign with key '%s' (%s): %s", dns->key_name, dns->key_algorithm,
               ldns_get_errorstr_by_id(status));
    message_free(&message);
    return -EINVAL;
}

void message_free(struct message *message)
{
    free(message->wire);
    ldns_rdf_deep_free(message->mac);
    *message = (struct message){0};
}

static uint64_t read_time(const uint8_t *bytes)
{
    uint64_t time_s = 0;

    for (size_t i = 0; i < TIME_BYTES; i++)
        time_s = time_s << 8 | bytes[i];
    return time_s;
}

/* Seconds that the server's clock is ahead; negative: behind. */
static enum message_verdict report_clock(int64_t ahead_s, struct report *report)
{
    report_set(report, JOB_MISSED, "the server's clock is %" PRId64 " s %s of ours (BADTIME)",
               ahead_s < 0 ? -ahead_s : ahead_s, ahead_s < 0 ? "behind" : "ahead");
    return MESSAGE_FINAL;
}

/* RFC 8945 section 5.2: in an answer that is not signed, or that is BADTIME and is. */
static enum message_verdict judge_tsig_error(const ldns_rr *tsig, uint16_t error, const struct job_dns *dns,
                                             uint64_t now_s, struct report *report)
{
    const ldns_rdf *other = ldns_rr_rdf(tsig, TSIG_OTHER);

    switch (error) {
    case LDNS_RCODE_NOERROR:
        return MESSAGE_GOOD;
    case 16:
        report_set(report, JOB_MISSED, "the server has another secret for key '%s' (BADSIG)", dns->key_name);
        break;
    case 17:
        report_set(report, JOB_MISSED, "the server knows no key '%s' of %s (BADKEY)", dns->key_name,
                   dns->key_algorithm);
        break;
    case 18:
        if (ldns_rdf_size(other) == LENGTH_BYTES + TIME_BYTES)
            return report_clock((int64_t)read_time(ldns_rdf_data(other) + LENGTH_BYTES) - (int64_t)now_s, report);
        report_set(report, JOB_MISSED, "the server's clock is another than ours (BADTIME)");
        break;
    default:
        report_set(report, JOB_MISSED, "the server refuses the signature (error %u)", error);
        break;
    }
    return MESSAGE_FINAL;
}

/* RFC 2136 section 2.2: what an error says of the zone. */
static enum message_verdict judge_rcode(const struct message *question, const ldns_pkt *answer,
                                        const struct job_dns *dns, struct report *report)
{
    switch ((unsigned)ldns_pkt_get_rcode(answer)) {
    case LDNS_RCODE_NOERROR:
    case LDNS_RCODE_NXDOMAIN:
    case LDNS_RCODE_YXDOMAIN:
    case LDNS_RCODE_YXRRSET:
    case LDNS_RCODE_NXRRSET:
        return MESSAGE_GOOD;
    case LDNS_RCODE_SERVFAIL:
        report_set(report, JOB_MISSED, "the server has a fault of its own (SERVFAIL)");
        return MESSAGE_TRANSIENT;
    case LDNS_RCODE_REFUSED:
        report_set(report, JOB_MISSED, "the server refuses to %s for key '%s' (REFUSED)",
                   question->update ? "change the zone" : "answer", dns->key_name);
        return MESSAGE_FINAL;
    case LDNS_RCODE_NOTAUTH:
        report_set(report, JOB_MISSED, "the server is not in charge of the zone (NOTAUTH)");
        return MESSAGE_FINAL;
    case LDNS_RCODE_NOTZONE:
        report_set(report, JOB_MISSED, "a name is not in the zone (NOTZONE)");
        return MESSAGE_FINAL;
    case LDNS_RCODE_NOTIMPL:
        report_set(report, JOB_MISSED, "the server knows no updates (NOTIMP)");
        return MESSAGE_FINAL;
    default:
        report_set(report, JOB_MISSED, "the server refuses with error %u", (unsigned)ldns_pkt_get_rcode(answer));
        return MESSAGE_FINAL;
    }
}

/* Without a signature only an error is worth anything (RFC 8945 section 5.3): it ends what fails anyway. */
static enum message_verdict judge_unsigned(const struct message *question, const ldns_pkt *answer,
                                           const struct job_dns *dns, struct report *report)
{
    enum message_verdict verdict = judge_rcode(question, answer, dns, report);

    if (verdict != MESSAGE_GOOD)
        return verdict;
    report_set(report, JOB_MISSED, "the server's answers are not signed");
    return MESSAGE_FOREIGN;
}

/* RFC 8945 section 5.3: whether it says to be of our key. libldns loses memory over an algorithm it does not know. */
static bool is_of_key(const ldns_rr *tsig, const struct job_dns *dns)
{
    ldns_rdf *name = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, dns->key_name);
    ldns_rdf *algorithm = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, dns->key_algorithm);
    bool is = name && algorithm && ldns_dname_compare(ldns_rr_owner(tsig), name) == 0 &&
              ldns_dname_compare(ldns_rr_rdf(tsig, TSIG_ALGORITHM), algorithm) == 0;

    ldns_rdf_deep_free(name);
    ldns_rdf_deep_free(algorithm);
    return is;
}

static enum message_verdict judge(const struct message *question, const struct job_dns *dns, const uint8_t *wire,
                                  size_t length, uint64_t now_s, ldns_pkt *answer, struct report *report)
{
    ldns_rr *tsig = ldns_pkt_tsig(answer);
    enum message_verdict verdict;
    int64_t ahead_s;
    uint16_t error;

    if (!ldns_pkt_qr(answer) || ldns_pkt_id(answer) != question->id ||
        ldns_pkt_get_opcode(answer) != (question->update ? LDNS_PACKET_UPDATE : LDNS_PACKET_QUERY)) {
        report_set(report, JOB_MISSED, "what came is no answer to what was asked");
        return MESSAGE_FOREIGN;
    }
    if (ldns_pkt_tc(answer))
        return MESSAGE_CUT;
    if (!tsig || ldns_rr_rd_count(tsig) != TSIG_FIELDS)
        return judge_unsigned(question, answer, dns, report);
    error = ldns_rdf2native_int16(ldns_rr_rdf(tsig, TSIG_ERROR));
    /* RFC 8945 section 5.2: BADKEY and BADSIG cannot be signed. */
    if (error == 16 || error == 17)
        return judge_tsig_error(tsig, error, dns, now_s, report);
    if (!is_of_key(tsig, dns) ||
        !ldns_pkt_tsig_verify(answer, wire, length, dns->key_name, dns->key_secret, question->mac)) {
        report_set(report, JOB_MISSED, "the signature of the server's answer is wrong");
        return MESSAGE_FOREIGN;
    }
    verdict = judge_tsig_error(tsig, error, dns, now_s, report);
    if (verdict != MESSAGE_GOOD)
        return verdict;
    ahead_s = (int64_t)read_time(ldns_rdf_data(ldns_rr_rdf(tsig, TSIG_TIME))) - (int64_t)now_s;
    if (ahead_s > FUDGE_S || ahead_s < -FUDGE_S)
        return report_clock(ahead_s, report);
    return judge_rcode(question, answer, dns, report);
}

enum message_verdict message_read(const struct message *question, const struct job_dns *dns, const uint8_t *wire,
                                  size_t length, uint64_t now_s, ldns_pkt **ret, struct report *report)
{
    enum message_verdict verdict;
    ldns_pkt *answer;

    if (ldns_wire2pkt(&answer, wire, length) != LDNS_STATUS_OK) {
        report_set(report, JOB_MISSED, "what came from the server cannot be read");
        return MESSAGE_FOREIGN;
    }
    verdict = judge(question, dns, wire, length, now_s, answer, report);
    if (verdict == MESSAGE_GOOD)
        *ret = answer;
    else
        ldns_pkt_free(answer);
    return verdict;
}

bool message_is_refused_change(const ldns_pkt *answer)
{
    return ldns_pkt_get_rcode(answer) != LDNS_RCODE_NOERROR;
}
