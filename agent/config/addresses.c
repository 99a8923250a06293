/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a source's NIC. */
#include <errno.h>
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/checks.h"
#include "agent/config/text.h"
#include "agent/config/values.h"

static uint64_t address_hash(const void *userdata, size_t index)
{
    const struct reader *reader = userdata;

    return ip_address_hash(&reader->addresses[index].ip, 0);
}

static bool address_equal(const void *userdata, size_t index, const void *key)
{
    const struct reader *reader = userdata;

    return ip_address_equal(&reader->addresses[index].ip, key);
}

size_t reader_find_address(const struct reader *reader, const struct ip_address *ip)
{
    return lookup_find(&reader->address_lookup, ip_address_hash(ip, 0), address_equal, reader, ip);
}

/* Reports the word at `i` of the address statement, or the last one where there is none. */
static bool expected(struct reader *reader, const struct statement *statement, size_t i, const char *what)
{
    const struct word *word = &statement->words[i < statement->n ? i : statement->n - 1];
    char shown[QUOTE_TEXT];

    if (i < statement->n)
        reader_error(reader, &word->place, "'%s' was not expected; %s was", quote(word, shown), what);
    else
        reader_error(reader, &word->place, "after '%s' %s was expected", quote(word, shown), what);
    return false;
}

/* dev NIC [or NIC] */
static bool read_targets(struct reader *reader, const struct statement *statement, struct address_draft *draft)
{
    const struct word *words = statement->words;
    char shown[QUOTE_TEXT];

    for (size_t i = 1; i < statement->n; i++)
        if (words[i].after_comma) {
            reader_error(reader, &words[i].place, "',' before '%s' was not expected", quote(&words[i], shown));
            return false;
        }
    if (statement->n < 2 || !word_is(&words[1], "dev"))
        return expected(reader, statement, 1, "'dev'");
    if (statement->n < 3)
        return expected(reader, statement, 2, "the name of a target NIC");
    if (!read_target_nic(reader, &words[2], draft->dev))
        return false;
    if (statement->n == 3)
        return true;
    if (!word_is(&words[3], "or"))
        return expected(reader, statement, 3, "'or', '{' or the end of the statement");
    if (statement->n < 5)
        return expected(reader, statement, 4, "the name of a target NIC");
    if (!read_target_nic(reader, &words[4], draft->fallback))
        return false;
    if (statement->n > 5)
        return expected(reader, statement, 5, "'{' or the end of the statement");
    if (strcmp(draft->dev, draft->fallback) == 0)
        return expected(reader, statement, 4, "another NIC than the first");
    return true;
}

static bool check_twice(struct reader *reader, const struct address_draft *draft)
{
    char text[IP_ADDRESS_TEXT], first[PLACE_TEXT];
    size_t other = reader_find_address(reader, &draft->ip);

    if (other == SIZE_MAX)
        return true;
    reader_error(reader, &draft->place, "%s is mapped twice; first at %s", ip_address_format(&draft->ip, text),
                 reader_place_text(reader, &reader->addresses[other].place, &draft->place, first));
    return false;
}

static bool check_room(struct reader *reader, const struct place *place)
{
    if (reader->n_addresses < LIMIT_ADDRESSES)
        return true;
    if (!reader->addresses_full)
        reader_error(reader, place, "more than %d addresses", LIMIT_ADDRESSES);
    reader->addresses_full = true;
    return false;
}

static bool add_address(struct reader *reader, const struct address_draft *draft)
{
    if (!READER_GROW(reader, reader->addresses, reader->n_addresses, reader->addresses_room))
        return false;
    if (lookup_reserve(&reader->address_lookup, address_hash, reader) < 0) {
        reader->status = -ENOMEM;
        return false;
    }
    lookup_add(&reader->address_lookup, ip_address_hash(&draft->ip, 0), reader->n_addresses);
    reader->addresses[reader->n_addresses++] = *draft;
    return true;
}

bool apply_address(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct address_draft draft = {.monitor = true, .place = statement->place};
    bool good;

    if (opened)
        opened->address = READER_NONE;
    if (statement->bad)
        return false;
    /* Both halves are looked at, so that the mistakes of both show. */
    good = read_address(reader, &statement->words[0], &draft.ip, &draft.prefix);
    good &= read_targets(reader, statement, &draft);
    if (!good || !check_not_own(reader, &draft.place, &draft.ip) || !check_twice(reader, &draft) ||
        !check_room(reader, &draft.place) || !add_address(reader, &draft))
        return false;
    if (opened)
        opened->address = reader->n_addresses - 1;
    return true;
}

bool apply_monitor(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n, address = reader_frame(reader)->address;
    unsigned value;

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    if (!read_choice(reader, statement->kind, statement_values(statement, &n), &value))
        return false;
    if (address != READER_NONE)
        reader->addresses[address].monitor = value;
    return true;
}
