/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/journal_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"

/* No line is longer, the first ones together neither: two names of which each byte takes four, and some words. */
#define LINE_MAX_BYTES 1024
/* What lines usually take: room for all of them is asked for at once. */
#define NIC_BYTES 64
#define ADDRESS_BYTES 128

/* Text that grows. */
struct text {
    char *bytes;
    size_t length;
    size_t room;
};

/* Makes sure that a line fits, so that what writes it need not look. */
static int make_room(struct text *text)
{
    size_t room = text->room * 2 + LINE_MAX_BYTES;
    char *bytes;

    if (text->room - text->length >= LINE_MAX_BYTES)
        return 0;
    bytes = realloc(text->bytes, room);
    if (!bytes)
        return -ENOMEM;
    text->bytes = bytes;
    text->room = room;
    return 0;
}

static void put(struct text *text, const char *what)
{
    size_t length = strlen(what);

    memcpy(text->bytes + text->length, what, length);
    text->length += length;
}

static void put_number(struct text *text, uint64_t number)
{
    text->length += (size_t)sprintf(text->bytes + text->length, "%" PRIu64, number);
}

static void put_time(struct text *text, int64_t real_ns)
{
    char time[JOURNAL_TIME_TEXT];

    put(text, journal_time_format(real_ns, time));
}

/* In quotes, with what could end it, or upset the terminal of whoever looks at the file, as \xNN. */
static void put_string(struct text *text, const char *what)
{
    char *to = text->bytes + text->length;

    *to++ = '"';
    for (const unsigned char *byte = (const unsigned char *)what; *byte; byte++) {
        if (*byte >= ' ' && *byte < 0x7f && *byte != '"' && *byte != '\\')
            *to++ = (char)*byte;
        else
            to += sprintf(to, "\\x%02x", *byte);
    }
    *to++ = '"';
    text->length = (size_t)(to - text->bytes);
}

static int put_nic(struct text *text, const struct journal_nic *nic)
{
    if (!journal_nic_is_valid(nic))
        return -EINVAL;
    put(text, "nic ");
    put_string(text, nic->source);
    put(text, " ");
    put_string(text, nic->nic);
    put(text, nic->armed ? " armed" : "");
    put(text, nic->disarmed ? " disarmed" : "");
    put(text, nic->paused ? " paused" : "");
    put(text, journal_verdict_text(nic->verdict));
    if (journal_verdict_awaits(nic->verdict) && nic->approval_until_real_ns != INT64_MAX) {
        put(text, " until ");
        put_time(text, nic->approval_until_real_ns);
    }
    put(text, "\n");
    return make_room(text);
}

static int put_takeover(struct text *text, const struct journal_takeover *takeover)
{
    if (!journal_takeover_is_valid(takeover))
        return -EINVAL;
    put(text, "takeover ");
    put_string(text, takeover->source);
    put(text, " ");
    put_time(text, takeover->at_real_ns);
    put(text, "\n");
    return make_room(text);
}

static int put_services(struct text *text, const struct journal_services *services)
{
    if (!journal_services_is_valid(services))
        return -EINVAL;
    put(text, "services ");
    put_string(text, services->source);
    put(text, services->paused ? " paused" : "");
    put(text, services->held ? " held" : "");
    put(text, services->disarmed ? " disarmed" : "");
    put(text, services->forced ? " forced" : "");
    put(text, "\n");
    return make_room(text);
}

static int put_address(struct text *text, const struct journal_address *address)
{
    char ip[IP_ADDRESS_TEXT], mac[MAC_ADDRESS_TEXT];

    if (!journal_address_is_valid(address))
        return -EINVAL;
    put(text, "address ");
    put(text, ip_address_format(&address->ip, ip));
    if (!mac_address_is_unset(&address->mac)) {
        put(text, " mac ");
        put(text, mac_address_format(&address->mac, mac));
    }
    if (address->held) {
        put(text, " held ");
        put_number(text, address->prefix);
        put(text, " dev ");
        put_string(text, address->dev);
        put(text, " since ");
        put_time(text, address->held_since_real_ns);
    }
    put(text, "\n");
    return make_room(text);
}

static void put_header(struct text *text, const struct journal *journal)
{
    put(text, JOURNAL_MAGIC);
    put_number(text, JOURNAL_VERSION);
    put(text, "\n" JOURNAL_NOTE "boot ");
    put_string(text, journal->boot_id);
    put(text, "\nserial ");
    put_number(text, journal->serial);
    put(text, "\n");
}

static int put_all(struct text *text, const struct journal *journal)
{
    int r;

    if (strnlen(journal->boot_id, sizeof journal->boot_id) == sizeof journal->boot_id)
        return -EINVAL;
    put_header(text, journal);
    r = make_room(text);
    for (size_t i = 0; r == 0 && i < journal->n_nics; i++)
        r = put_nic(text, &journal->nics[i]);
    for (size_t i = 0; r == 0 && i < journal->n_takeovers; i++)
        r = put_takeover(text, &journal->takeovers[i]);
    for (size_t i = 0; r == 0 && i < journal->n_services; i++)
        r = put_services(text, &journal->services[i]);
    for (size_t i = 0; r == 0 && i < journal->n_addresses; i++)
        r = put_address(text, &journal->addresses[i]);
    return r;
}

int journal_encode(const struct journal *journal, char **ret, size_t *ret_length)
{
    CLEANUP_FREE char *bytes = NULL;
    struct text text = {0};
    int r;

    if (journal->n_nics > JOURNAL_RECORDS_MAX || journal->n_takeovers > JOURNAL_RECORDS_MAX ||
        journal->n_services > JOURNAL_RECORDS_MAX || journal->n_addresses > JOURNAL_RECORDS_MAX)
        return -EFBIG;
    text.room = 2 * LINE_MAX_BYTES + (journal->n_nics + journal->n_takeovers + journal->n_services) * NIC_BYTES +
                journal->n_addresses * ADDRESS_BYTES;
    text.bytes = malloc(text.room);
    if (!text.bytes)
        return -ENOMEM;
    r = put_all(&text, journal);
    bytes = text.bytes;
    if (r < 0)
        return r;
    /* The line's own NUL ends the text. */
    journal_checksum_line(text.bytes, text.length, text.bytes + text.length);
    text.length += JOURNAL_CHECKSUM_LINE - 1;
    if (text.length > JOURNAL_BYTES_MAX)
        return -EFBIG;
    *ret = TAKE_POINTER(bytes);
    *ret_length = text.length;
    return 0;
}
