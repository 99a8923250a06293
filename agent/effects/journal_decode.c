/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/journal_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"

/* What is still to be read. */
struct cursor {
    const char *at;
    const char *end;
};

void journal_free(struct journal *journal)
{
    free(journal->nics);
    free(journal->takeovers);
    free(journal->services);
    free(journal->addresses);
    *journal = (struct journal){0};
}

/* Cuts off the next line. False where none ends with a newline. */
static bool next_line(struct cursor *text, struct cursor *ret)
{
    const char *newline = text->at < text->end ? memchr(text->at, '\n', (size_t)(text->end - text->at)) : NULL;

    if (!newline)
        return false;
    *ret = (struct cursor){text->at, newline};
    text->at = newline + 1;
    return true;
}

static bool begins(const struct cursor *text, const char *with)
{
    size_t length = strlen(with);

    return (size_t)(text->end - text->at) >= length && memcmp(text->at, with, length) == 0;
}

/* Steps over `what`. False where it does not stand there. */
static bool take(struct cursor *text, const char *what)
{
    if (!begins(text, what))
        return false;
    text->at += strlen(what);
    return true;
}

/* The bytes up to the next blank, of which there must be one at least, and a NUL. */
static bool take_word(struct cursor *text, char *ret, size_t room)
{
    size_t length = 0;

    while (text->at < text->end && *text->at != ' ') {
        if (length + 1 == room)
            return false;
        ret[length++] = *text->at++;
    }
    ret[length] = '\0';
    return length > 0;
}

static bool take_number(struct cursor *text, uint64_t max, uint64_t *ret)
{
    const char *begin = text->at;
    uint64_t number = 0;

    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text->at - '0'), &number))
            return false;
    if (text->at == begin || number > max)
        return false;
    *ret = number;
    return true;
}

static bool take_time(struct cursor *text, int64_t *ret_real_ns)
{
    char word[JOURNAL_TIME_TEXT];

    return take_word(text, word, sizeof word) && journal_time_parse(word, ret_real_ns);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that \xNN stands for; -1 where it is none that a string may have. */
static int take_escape(struct cursor *text)
{
    int high, low;

    if (!take(text, "\\x") || text->end - text->at < 2)
        return -1;
    high = hex_digit(text->at[0]);
    low = hex_digit(text->at[1]);
    text->at += 2;
    return high < 0 || low < 0 || (high | low) == 0 ? -1 : high << 4 | low;
}

/* A string in quotes, into `room` bytes that are zero. */
static bool take_string(struct cursor *text, char *ret, size_t room)
{
    size_t length = 0;

    if (!take(text, "\""))
        return false;
    while (text->at < text->end && *text->at != '"') {
        int byte = *text->at == '\\' ? take_escape(text) : *text->at++;

        if (byte < 0 || length + 1 == room)
            return false;
        ret[length++] = (char)byte;
    }
    return take(text, "\"");
}

static bool read_verdict(struct cursor *line, struct journal_nic *nic)
{
    /* From the last on: " awaiting" begins the others that wait. */
    for (int verdict = JOURNAL_VERDICT_EXPIRED; verdict > JOURNAL_VERDICT_NONE; verdict--)
        if (take(line, journal_verdict_text((enum journal_verdict)verdict))) {
            nic->verdict = (enum journal_verdict)verdict;
            break;
        }
    if (!journal_verdict_awaits(nic->verdict))
        return true;
    nic->approval_until_real_ns = INT64_MAX;
    return !take(line, " until ") || take_time(line, &nic->approval_until_real_ns);
}

static bool read_nic(struct cursor line, struct journal_nic *nic)
{
    if (!take(&line, "nic ") || !take_string(&line, nic->source, sizeof nic->source))
        return false;
    if (!take(&line, " ") || !take_string(&line, nic->nic, sizeof nic->nic))
        return false;
    nic->armed = take(&line, " armed");
    nic->disarmed = take(&line, " disarmed");
    nic->paused = take(&line, " paused");
    return read_verdict(&line, nic) && line.at == line.end && journal_nic_is_valid(nic);
}

static bool read_takeover(struct cursor line, struct journal_takeover *takeover)
{
    return take(&line, "takeover ") && take_string(&line, takeover->source, sizeof takeover->source) &&
           take(&line, " ") && take_time(&line, &takeover->at_real_ns) && line.at == line.end &&
           journal_takeover_is_valid(takeover);
}

static bool read_services(struct cursor line, struct journal_services *services)
{
    if (!take(&line, "services ") || !take_string(&line, services->source, sizeof services->source))
        return false;
    services->paused = take(&line, " paused");
    services->held = take(&line, " held");
    services->disarmed = take(&line, " disarmed");
    services->forced = take(&line, " forced");
    return line.at == line.end && journal_services_is_valid(services);
}

static bool read_held(struct cursor *line, struct journal_address *address)
{
    uint64_t prefix;

    address->held = true;
    if (!take_number(line, UINT8_MAX, &prefix))
        return false;
    address->prefix = (uint8_t)prefix;
    return take(line, " dev ") && take_string(line, address->dev, sizeof address->dev) && take(line, " since ") &&
           take_time(line, &address->held_since_real_ns);
}

static bool read_address(struct cursor line, struct journal_address *address)
{
    char ip[IP_ADDRESS_TEXT], mac[MAC_ADDRESS_TEXT];

    if (!take(&line, "address ") || !take_word(&line, ip, sizeof ip) || ip_address_parse(ip, &address->ip) < 0)
        return false;
    if (take(&line, " mac ") && (!take_word(&line, mac, sizeof mac) || mac_address_parse(mac, &address->mac) < 0))
        return false;
    if (take(&line, " held ") && !read_held(&line, address))
        return false;
    return line.at == line.end && journal_address_is_valid(address);
}

/*
 * Whether two of `n` items begin with the same `key_size` bytes: 0, -EBADMSG where they do, -ENOMEM. The table is at
 * most half full.
 */
static int refuse_twins(const void *items, size_t n, size_t item_size, size_t key_size)
{
    CLEANUP_FREE uint32_t *table = NULL; /* place of an item + 1; 0: free */
    size_t size = 16;

    while (size < 2 * n)
        size *= 2;
    table = calloc(size, sizeof *table);
    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *key = (const char *)items + i * item_size;
        size_t slot = journal_checksum(key, key_size) & (size - 1);

        for (; table[slot] != 0; slot = (slot + 1) & (size - 1))
            if (memcmp((const char *)items + (table[slot] - 1) * item_size, key, key_size) == 0)
                return -EBADMSG;
        table[slot] = (uint32_t)i + 1;
    }
    return 0;
}

/* Room for as many records as there are lines that begin like one. */
static int allocate(struct cursor text, struct journal *journal)
{
    size_t nics = 0, takeovers = 0, services = 0, addresses = 0;
    struct cursor line;

    while (next_line(&text, &line)) {
        nics += begins(&line, "nic ");
        takeovers += begins(&line, "takeover ");
        services += begins(&line, "services ");
        addresses += begins(&line, "address ");
    }
    if (nics > JOURNAL_RECORDS_MAX || takeovers > JOURNAL_RECORDS_MAX || services > JOURNAL_RECORDS_MAX ||
        addresses > JOURNAL_RECORDS_MAX)
        return -EBADMSG;
    journal->nics = calloc(nics + 1, sizeof *journal->nics);
    journal->takeovers = calloc(takeovers + 1, sizeof *journal->takeovers);
    journal->services = calloc(services + 1, sizeof *journal->services);
    journal->addresses = calloc(addresses + 1, sizeof *journal->addresses);
    return journal->nics && journal->takeovers && journal->services && journal->addresses ? 0 : -ENOMEM;
}

static bool read_record(struct cursor line, struct journal *journal)
{
    if (begins(&line, "nic "))
        return read_nic(line, &journal->nics[journal->n_nics++]);
    if (begins(&line, "takeover "))
        return read_takeover(line, &journal->takeovers[journal->n_takeovers++]);
    if (begins(&line, "services "))
        return read_services(line, &journal->services[journal->n_services++]);
    return begins(&line, "address ") && read_address(line, &journal->addresses[journal->n_addresses++]);
}

static int read_records(struct cursor text, struct journal *journal)
{
    struct cursor line;
    int r = allocate(text, journal);

    if (r < 0)
        return r;
    while (next_line(&text, &line)) {
        if (!read_record(line, journal))
            return -EBADMSG;
    }
    if (text.at != text.end)
        return -EBADMSG;
    /* What makes a record the same begins it, and is zero beyond its text. */
    r = refuse_twins(journal->nics, journal->n_nics, sizeof *journal->nics, offsetof(struct journal_nic, armed));
    if (r < 0)
        return r;
    r = refuse_twins(journal->services, journal->n_services, sizeof *journal->services,
                     offsetof(struct journal_services, paused));
    if (r < 0)
        return r;
    return refuse_twins(journal->addresses, journal->n_addresses, sizeof *journal->addresses,
                        offsetof(struct journal_address, mac));
}

static bool read_header(struct cursor *text, struct journal *journal)
{
    struct cursor line;

    if (!take(text, JOURNAL_NOTE "boot ") || !next_line(text, &line))
        return false;
    if (!take_string(&line, journal->boot_id, sizeof journal->boot_id) || line.at != line.end)
        return false;
    return take(text, "serial ") && next_line(text, &line) && take_number(&line, UINT64_MAX, &journal->serial) &&
           line.at == line.end;
}

/* The first line, which every version has. */
static int read_version(struct cursor *text)
{
    struct cursor line;
    uint64_t version;

    if ((size_t)(text->end - text->at) < strlen(JOURNAL_MAGIC) &&
        memcmp(text->at, JOURNAL_MAGIC, (size_t)(text->end - text->at)) == 0)
        return -EBADMSG; /* torn early, as after a power cut */
    if (!take(text, JOURNAL_MAGIC))
        return -EMEDIUMTYPE;
    if (!next_line(text, &line) || !take_number(&line, UINT64_MAX, &version) || line.at != line.end)
        return -EBADMSG;
    return version == JOURNAL_VERSION ? 0 : -ENOTSUP;
}

/* Cuts the last line off. False where it does not fit the rest. */
static bool take_checksum(const char *begin, struct cursor *text)
{
    const size_t length = JOURNAL_CHECKSUM_LINE - 1;
    char expected[JOURNAL_CHECKSUM_LINE];

    if ((size_t)(text->end - text->at) < length)
        return false;
    text->end -= length;
    journal_checksum_line(begin, (size_t)(text->end - begin), expected);
    return memcmp(text->end, expected, length) == 0;
}

int journal_decode(const char *text, size_t length, struct journal *ret)
{
    CLEANUP(journal_free) struct journal journal = {0};
    struct cursor cursor = {text, text + length};
    int r = read_version(&cursor);

    if (r < 0)
        return r;
    /* Without NULs, what is cut out of the text is all of a C string. */
    if (!take_checksum(text, &cursor) || memchr(text, '\0', length) || !read_header(&cursor, &journal))
        return -EBADMSG;
    r = read_records(cursor, &journal);
    if (r < 0)
        return r;
    *ret = journal;
    journal = (struct journal){0};
    return 0;
}
