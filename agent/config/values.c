/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/values.h"

#include <errno.h>
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/text.h"

const struct word *statement_values(const struct statement *statement, size_t *ret_n)
{
    size_t skipped = statement_name_words(statement->kind);

    *ret_n = statement->n - skipped;
    return statement->words + skipped;
}

static bool report(struct reader *reader, const struct statement_kind *kind, const struct word *word, const char *what)
{
    char takes[STATEMENT_TEXT], shown[QUOTE_TEXT];

    reader_error(reader, &word->place, "'%s' %s; %s", quote(word, shown), what, statement_takes(kind, takes));
    return false;
}

bool expect_between(struct reader *reader, const struct statement *statement, size_t min, size_t max)
{
    const struct statement_kind *kind = statement->kind;
    char takes[STATEMENT_TEXT], name[STATEMENT_TEXT];
    size_t given;
    const struct word *values = statement_values(statement, &given);

    for (size_t i = 0; i < given; i++)
        if (values[i].after_comma)
            return report(reader, kind, &values[i], "must have no ',' before it");
    if (given > max)
        return report(reader, kind, &values[max], "is one word too many");
    if (given >= min)
        return true;
    reader_error(reader, &statement->place, "'%s' is not complete; %s", statement_name(kind, name),
                 statement_takes(kind, takes));
    return false;
}

bool expect_values(struct reader *reader, const struct statement *statement, size_t n)
{
    return expect_between(reader, statement, n, n);
}

int parse_digits(const char *text, size_t length, int64_t *ret)
{
    int64_t value = 0;

    if (length == 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text[i] - '0', &value))
            value = INT64_MAX;
    }
    *ret = value;
    return 0;
}

bool read_number(struct reader *reader, const struct statement_kind *kind, const struct word *word, uint32_t *ret)
{
    int64_t value;

    if (parse_digits(word->text, word->length, &value) < 0)
        return report(reader, kind, word, "is no number");
    if (value < kind->number.min || value > kind->number.max)
        return report(reader, kind, word, "is out of range");
    *ret = (uint32_t)value;
    return true;
}

bool read_duration(struct reader *reader, const struct statement_kind *kind, const struct word *word, nsec_t *ret)
{
    static const struct {
        const char *name;
        nsec_t ns;
    } units[] = {
        {"us", NSEC_PER_USEC}, {"ms", NSEC_PER_MSEC}, {"s", NSEC_PER_SEC}, {"m", NSEC_PER_MIN}, {"h", NSEC_PER_HOUR},
    };
    struct word unit = *word;
    nsec_t value, unit_ns = 0;

    while (unit.length > 0 && *unit.text >= '0' && *unit.text <= '9')
        unit.text++, unit.length--;
    if (parse_digits(word->text, word->length - unit.length, &value) < 0)
        return report(reader, kind, word, "is no duration");
    if (unit.length == 0)
        return report(reader, kind, word, "has no unit (us, ms, s, m or h)");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (word_is(&unit, units[i].name))
            unit_ns = units[i].ns;
    if (unit_ns == 0)
        return report(reader, kind, word, "is no whole number of us, ms, s, m or h");
    if (__builtin_mul_overflow(value, unit_ns, &value) || value < kind->duration.min || value > kind->duration.max)
        return report(reader, kind, word, "is out of range");
    *ret = value;
    return true;
}

bool read_choice(struct reader *reader, const struct statement_kind *kind, const struct word *word, unsigned *ret)
{
    for (const struct choice *choice = kind->choices; choice->word; choice++) {
        if (!word_is(word, choice->word))
            continue;
        *ret = choice->value;
        return true;
    }
    return report(reader, kind, word, "was not expected");
}

/* Where the value belongs: the service whose block is open, else a source's own settings, else those of all. */
static void *field_of(struct reader *reader, const struct statement *statement, size_t i)
{
    const struct frame *frame = reader_frame(reader);
    struct settings *settings =
        frame->source == READER_NONE ? &reader->defaults : &reader->sources[frame->source].settings;
    struct field field = statement->kind->fields[i];

    if (IN(frame->block) & IN_SERVICES)
        return (char *)&reader->service + field.offset;
    settings->given[statement_id(statement->kind)] = true;
    return (char *)settings + field.offset;
}

bool apply_number(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    uint32_t value, *field;
    size_t n;

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    if (!read_number(reader, statement->kind, statement_values(statement, &n), &value))
        return false;
    field = field_of(reader, statement, 0);
    *field = value;
    return true;
}

bool apply_duration(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;
    const struct word *word = statement_values(statement, &n);
    nsec_t value, *field;

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    if (statement->kind->word && word_is(word, statement->kind->word))
        value = NSEC_NEVER;
    else if (!read_duration(reader, statement->kind, word, &value))
        return false;
    field = field_of(reader, statement, 0);
    *field = value;
    return true;
}

void warn_of_hold_down(struct reader *reader, const struct place *place, nsec_t hold_down_ns)
{
    if (hold_down_ns > 0)
        reader_warning(reader, place,
                       "for so long two hosts answer for each address, because there is no agent on the source");
}

/* Of a source it is told at the end, when it is known whether it has addresses. */
bool apply_hold_down(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    if (!apply_duration(reader, statement, opened))
        return false;
    if (reader_frame(reader)->block == BLOCK_DEFAULTS)
        warn_of_hold_down(reader, &statement->words[0].place, reader->defaults.values.hold_down_ns);
    return true;
}

bool apply_choice(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    unsigned value = 0, *field;
    size_t n;

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    if (!read_choice(reader, statement->kind, statement_values(statement, &n), &value))
        return false;
    field = field_of(reader, statement, 0);
    *field = value;
    return true;
}

bool apply_flag(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    unsigned value = 0;
    bool *field;
    size_t n;

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    if (!read_choice(reader, statement->kind, statement_values(statement, &n), &value))
        return false;
    field = field_of(reader, statement, 0);
    *field = value;
    return true;
}

/* "N within DURATION", "N per DURATION". */
bool apply_rate(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;
    const struct word *values = statement_values(statement, &n);
    uint32_t number, *number_field;
    nsec_t duration, *duration_field;
    bool good;

    (void)opened;
    if (!expect_values(reader, statement, 3))
        return false;
    if (!word_is(&values[1], statement->kind->word))
        return report(reader, statement->kind, &values[1], "was not expected");
    /* Both are looked at, so that both mistakes show. */
    good = read_number(reader, statement->kind, &values[0], &number);
    good &= read_duration(reader, statement->kind, &values[2], &duration);
    if (!good)
        return false;
    number_field = field_of(reader, statement, 0);
    duration_field = field_of(reader, statement, 1);
    *number_field = number;
    *duration_field = duration;
    return true;
}

/* That of a NIC goes before that of its source. */
bool apply_trigger(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    const struct frame *frame = reader_frame(reader);
    struct nic_draft *nic;
    unsigned value = 0;
    size_t n;

    if (frame->block != BLOCK_NIC)
        return apply_choice(reader, statement, opened);
    if (!expect_values(reader, statement, 1))
        return false;
    if (!read_choice(reader, statement->kind, statement_values(statement, &n), &value))
        return false;
    nic = &reader->nics[frame->nic];
    nic->trigger = (enum ipmap_trigger)value;
    nic->trigger_given = true;
    return true;
}

bool apply_probe(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    uint8_t bits =
        statement_id(statement->kind) == STATEMENT_PROBE_ICMP ? IPMAP_PROBE_ICMP : IPMAP_PROBE_ARP | IPMAP_PROBE_ND;
    uint8_t *field;

    (void)opened;
    if (!expect_values(reader, statement, 0))
        return false;
    field = field_of(reader, statement, 0);
    *field |= bits;
    return true;
}
