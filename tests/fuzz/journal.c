/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a journal, once as they are and once with a checksum that fits them, which no fuzzer guesses. What is
 * accepted holds what journal.h promises, and comes back the same when it is written and read again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/effects/journal_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_values(const struct journal *journal)
{
    check(journal->n_nics <= JOURNAL_RECORDS_MAX && journal->n_addresses <= JOURNAL_RECORDS_MAX);
    check(memchr(journal->boot_id, '\0', sizeof journal->boot_id));
    for (size_t i = 0; i < journal->n_nics; i++) {
        const struct journal_nic *nic = &journal->nics[i];

        check(journal_nic_is_valid(nic));
        check(journal_verdict_awaits(nic->verdict) || nic->approval_until_real_ns == 0);
    }
    for (size_t i = 0; i < journal->n_services; i++)
        check(journal_services_is_valid(&journal->services[i]));
    for (size_t i = 0; i < journal->n_takeovers; i++)
        check(journal_takeover_is_valid(&journal->takeovers[i]));
    for (size_t i = 0; i < journal->n_addresses; i++) {
        const struct journal_address *address = &journal->addresses[i];

        check(journal_address_is_valid(address));
        check(address->held || (address->prefix == 0 && address->dev[0] == '\0' && address->held_since_real_ns == 0));
    }
}

/* Both come from the decoder, whose memory is zero where it wrote nothing: equal records are equal memory. */
static void check_equal(const struct journal *a, const struct journal *b)
{
    check(strcmp(a->boot_id, b->boot_id) == 0 && a->serial == b->serial);
    check(a->n_takeovers == b->n_takeovers && a->n_nics == b->n_nics && a->n_addresses == b->n_addresses);
    check(memcmp(a->nics, b->nics, a->n_nics * sizeof *a->nics) == 0);
    check(memcmp(a->takeovers, b->takeovers, a->n_takeovers * sizeof *a->takeovers) == 0);
    check(a->n_services == b->n_services);
    check(memcmp(a->services, b->services, a->n_services * sizeof *a->services) == 0);
    check(memcmp(a->addresses, b->addresses, a->n_addresses * sizeof *a->addresses) == 0);
}

static void check_round_trip(const struct journal *journal)
{
    struct journal again;
    size_t length, length_again;
    char *text, *text_again;

    check(journal_encode(journal, &text, &length) == 0);
    check(strlen(text) == length);
    check(journal_decode(text, length, &again) == 0);
    check_equal(journal, &again);
    check(journal_encode(&again, &text_again, &length_again) == 0);
    check(length == length_again && memcmp(text, text_again, length) == 0);
    journal_free(&again);
    free(text);
    free(text_again);
}

static void try(const char *text, size_t length)
{
    struct journal journal;
    int r = journal_decode(text, length, &journal);

    check(r == 0 || r == -EBADMSG || r == -ENOTSUP || r == -EMEDIUMTYPE);
    if (r < 0)
        return;
    check_values(&journal);
    check_round_trip(&journal);
    journal_free(&journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *sealed = malloc(size + JOURNAL_CHECKSUM_LINE);

    try(size > 0 ? (const char *)data : "", size);
    if (size > 0)
        memcpy(sealed, data, size);
    journal_checksum_line(sealed, size, sealed + size);
    try(sealed, size + JOURNAL_CHECKSUM_LINE - 1);
    free(sealed);
    return 0;
}
