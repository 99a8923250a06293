/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/apply.h"
#include "agent/config/checks.h"
#include "agent/config/text.h"
#include "agent/config/values.h"

static bool add_none(struct reader *reader, const struct word *word, struct ipmap_source *values)
{
    if (values->n_witnesses > 0 || values->witness_none) {
        reader_error(reader, &word->place, "'none' was not expected; 'witness' was given before");
        return false;
    }
    values->witness_none = true;
    return true;
}

static bool add_witness(struct reader *reader, const struct word *word, struct ipmap_source *values)
{
    struct ip_address ip;
    char shown[IP_ADDRESS_TEXT];

    if (!read_address(reader, word, &ip, NULL) || !check_not_own(reader, &word->place, &ip))
        return false;
    for (size_t i = 0; i < values->n_witnesses; i++)
        if (ip_address_equal(&values->witnesses[i], &ip)) {
            reader_error(reader, &word->place, "witness %s is given twice", ip_address_format(&ip, shown));
            return false;
        }
    if (values->n_witnesses == LIMIT_WITNESSES) {
        reader_error(reader, &word->place, "more than %d witnesses", LIMIT_WITNESSES);
        return false;
    }
    if (!READER_GROW(reader, reader->witnesses, reader->n_witnesses, reader->witnesses_room))
        return false;
    reader->witnesses[reader->n_witnesses++] = (struct witness_draft){.ip = ip, .place = word->place};
    values->witnesses[values->n_witnesses++] = ip;
    return true;
}

bool apply_witness(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    const struct frame *frame = reader_frame(reader);
    struct settings *settings =
        frame->source == READER_NONE ? &reader->defaults : &reader->sources[frame->source].settings;
    char shown[QUOTE_TEXT];
    bool good = true;
    size_t n;
    const struct word *values = statement_values(statement, &n);

    (void)opened;
    if (n == 0)
        return expect_values(reader, statement, 1);
    settings->given[STATEMENT_WITNESS] = true;
    if (n == 1 && word_is(values, "none"))
        return add_none(reader, values, &settings->values);
    if (settings->values.witness_none) {
        reader_error(reader, &values->place, "'%s' was not expected; 'witness none' was given before",
                     quote(values, shown));
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (values[i].after_comma != (i > 0)) {
            reader_error(reader, &values[i].place, "',' before '%s' was %s", quote(&values[i], shown),
                         i > 0 ? "expected" : "not expected");
            return false;
        }
        good &= add_witness(reader, &values[i], &settings->values);
    }
    return good;
}
