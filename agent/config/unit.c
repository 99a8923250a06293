/* SPDX-License-Identifier: Apache-2.0 */
/* systemd units. */
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/checks.h"
#include "agent/config/service.h"
#include "agent/config/values.h"

#define UNIT_TIMEOUT_NS (90 * NSEC_PER_SEC)
#define UNIT_NAME_MAX 255

/* What systemd can be told to start: not devices and scopes, which come into being otherwise. */
static const char *const suffixes[] = {
    ".service", ".socket", ".target", ".mount", ".automount", ".swap", ".timer", ".path", ".slice",
};

static bool has_suffix(const struct word *word, const char *suffix)
{
    size_t n = strlen(suffix);

    return word->length > n && memcmp(word->text + word->length - n, suffix, n) == 0;
}

/* As systemd.unit(5) says. A name that begins with "@", or has nothing between "@" and its suffix, is none to start. */
static const char *unit_refusal(const struct word *word)
{
    const char *at = memchr(word->text, '@', word->length), *dot = memrchr(word->text, '.', word->length);
    bool known = false;

    if (word->length > UNIT_NAME_MAX)
        return "is too long; the name of a unit has at most 255 bytes";
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        known |= has_suffix(word, suffixes[i]);
    if (!known)
        return "is no name of a unit that can be started; .service, .socket, .target, .mount, .automount, .swap, "
               ".timer, "
               ".path or .slice was expected at its end";
    for (size_t i = 0; i < word->length; i++) {
        char c = word->text[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr(":-_.\\@", c))
            return "is no name of a unit; letters, digits and any of : - _ . \\ @ were expected";
    }
    if (at == word->text)
        return "is no name of a unit; it begins with '@'";
    return at && at + 1 == dot ? "is a template; a name was expected between '@' and '.'" : NULL;
}

static bool check_twice(struct reader *reader, const struct word *word, const struct source_draft *source)
{
    for (size_t i = reader->n_units - source->n_units; i < reader->n_units; i++)
        if (strlen(reader->units[i].unit.name) == word->length &&
            memcmp(reader->units[i].unit.name, word->text, word->length) == 0)
            return refuse_word(reader, word, "is given twice in this source");
    return true;
}

bool apply_unit(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    const struct source_draft *source = service_source(reader);
    struct service *service = service_begin(reader, statement);
    const char *refusal;
    size_t n;
    const struct word *word = statement_values(statement, &n);

    if (!service_has_room(reader, opened, source->n_units, LIMIT_UNITS_PER_SOURCE, "units") || statement->bad ||
        !expect_values(reader, statement, 1))
        return false;
    refusal = unit_refusal(word);
    if (refusal)
        return refuse_word(reader, word, refusal);
    if (!check_twice(reader, word, source))
        return false;
    service->unit.name = keep_word(reader, word);
    return service->unit.name != NULL;
}

void close_unit(struct reader *reader, const struct frame *frame)
{
    struct service *service = &reader->service;

    if (reader->n_errors != frame->errors || reader->status < 0)
        return;
    if (!READER_GROW(reader, reader->units, reader->n_units, reader->units_room))
        return;
    service->unit.timeout_ns = service->timeout_ns ? service->timeout_ns : UNIT_TIMEOUT_NS;
    reader->units[reader->n_units++] = (struct unit_draft){service->unit, service->place};
    service_source(reader)->n_units++;
}
