/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a DNS server: nothing is believed that is not signed, and what is signed may still be anything. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/helper/change.h"
#include "agent/helper/message.h"

#define NOW_S 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static struct job_dns make_job(enum job_dns_direction direction)
{
    struct job_dns dns = {.direction = direction,
                          .zone = "example.net",
                          .key_name = "standin",
                          .key_algorithm = "hmac-sha256",
                          .key_secret = "MDEyMzQ1Njc4OWFiY2RlZg==",
                          .keep_old = "old.example.net",
                          .n_records = 1};

    dns.records[0] = (struct job_record){.name = "www.example.net", .ptr = true};
    dns.records[0].address.family = AF_INET;
    return dns;
}

/* As if it had been signed. */
static void use(const struct job_dns *dns, const uint8_t *data, size_t size)
{
    struct change change;
    struct report report;
    ldns_pkt *answer, *update = NULL;

    if (ldns_wire2pkt(&answer, data, size) != LDNS_STATUS_OK)
        return;
    check(change_begin(&change, dns, &report) == 0);
    if (change_take(&change, 0, false, answer, &report) == 0 && change_take(&change, 0, true, answer, &report) == 0)
        check(change_decide(&change, &update, &report) == 0);
    change_free(&change);
    ldns_rdf_deep_free(change_read_zone(answer));
    (void)change_has_pointer(&dns->records[0], answer);
    ldns_pkt_free(update);
    ldns_pkt_free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message question;
    struct report report = {0};
    struct job_dns dns;
    ldns_pkt *answer = NULL;

    if (size < 1)
        return 0;
    dns = make_job((enum job_dns_direction)(data[0] % 3));
    if (!question.wire) {
        ldns_pkt *packet = ldns_pkt_query_new(ldns_rdf_new_frm_str(LDNS_RDF_TYPE_DNAME, "www.example.net"),
                                              LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, 0);

        check(packet && message_build(packet, &dns, &question, &report) == 0);
        ldns_pkt_free(packet);
    }
    /* The id is as it must be: else little would be read. */
    if (size > 2)
        question.id = (uint16_t)(data[1] << 8 | data[2]);
    question.update = data[0] & 1;
    if (message_read(&question, &dns, data + 1, size - 1, NOW_S, &answer, &report) == MESSAGE_GOOD)
        abort();
    check(memchr(report.text, '\0', sizeof report.text) != NULL);
    use(&dns, data + 1, size - 1);
    return 0;
}
