/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the statement that words name, and puts the table of statements into words. */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "agent/config/statements.h"
#include "agent/config/text.h"

const char *block_name(enum block block)
{
    switch (block) {
    case BLOCK_NONE:
        break;
    case BLOCK_TOP:
        return "the top level";
    case BLOCK_DEFAULTS:
        return "defaults";
    case BLOCK_SOURCE:
        return "source";
    case BLOCK_NIC:
        return "nic";
    case BLOCK_ADDRESS:
        return "an address's block";
    case BLOCK_TCP:
        return "probe tcp";
    case BLOCK_URL:
        return "probe url";
    case BLOCK_EXEC:
        return "probe exec";
    case BLOCK_FENCE:
        return "fence";
    case BLOCK_HOOK:
        return "hook";
    case BLOCK_UNIT:
        return "unit";
    case BLOCK_DNS:
        return "dns";
    }
    assert(!"a block that no statement opens");
    return "";
}

/* Joins words as a sentence does: "a", "a or b", "a, b or c". */
struct joined {
    char *text;
    size_t used;
    size_t left; /* words to come */
    bool begun;
};

static void join(struct joined *joined, const char *word)
{
    const char *before = !joined->begun ? "" : joined->left == 1 ? " or " : ", ";
    int length = snprintf(joined->text + joined->used, STATEMENT_TEXT - joined->used, "%s%s", before, word);

    joined->used += (size_t)length;
    assert(joined->used < STATEMENT_TEXT);
    joined->begun = true;
    joined->left--;
}

/* "automatic, manual or notify". Returns `text`. */
static const char *choices_text(const struct choice *choices, char text[static STATEMENT_TEXT])
{
    struct joined joined = {.text = text};

    while (choices[joined.left].word)
        joined.left++;
    for (size_t i = 0; choices[i].word; i++)
        join(&joined, choices[i].word);
    return text;
}

const char *blocks_text(unsigned blocks, char text[static STATEMENT_TEXT])
{
    struct joined joined = {.text = text, .left = (size_t)__builtin_popcount(blocks)};

    for (enum block block = BLOCK_TOP; block <= BLOCK_DNS; block++)
        if (blocks & IN(block))
            join(&joined, block_name(block));
    return text;
}

const char *statement_name(const struct statement_kind *kind, char text[static STATEMENT_TEXT])
{
    snprintf(text, STATEMENT_TEXT, "%s%s%s", kind->name, kind->variant ? " " : "", kind->variant ? kind->variant : "");
    return text;
}

const char *statement_takes(const struct statement_kind *kind, char text[static STATEMENT_TEXT])
{
    char name[STATEMENT_TEXT], min[DURATION_TEXT], max[DURATION_TEXT], choices[STATEMENT_TEXT];
    bool has_number = kind->number.max > 0, has_duration = kind->duration.max > 0;

    statement_name(kind, name);
    duration_text(kind->duration.min, min);
    duration_text(kind->duration.max, max);
    if (kind->takes)
        snprintf(text, STATEMENT_TEXT, "%.40s takes %.100s", name, kind->takes);
    else if (has_number && has_duration)
        snprintf(text, STATEMENT_TEXT, "%.40s takes N %s DURATION, with N %d to %d and DURATION %s to %s", name,
                 kind->word, (int)kind->number.min, (int)kind->number.max, min, max);
    else if (has_number)
        snprintf(text, STATEMENT_TEXT, "%.40s takes %d to %d", name, (int)kind->number.min, (int)kind->number.max);
    else if (has_duration)
        snprintf(text, STATEMENT_TEXT, "%.40s takes %s to %s%s%s", name, min, max, kind->word ? ", or " : "",
                 kind->word ? kind->word : "");
    else if (kind->choices)
        snprintf(text, STATEMENT_TEXT, "%.40s takes %.100s", name, choices_text(kind->choices, choices));
    else
        snprintf(text, STATEMENT_TEXT, "%.40s takes nothing more", name);
    return text;
}

/* Whether the word is meant as an address: names of statements have no such signs. */
static bool looks_like_address(const struct word *word)
{
    return word->length > 0 && (isdigit((unsigned char)word->text[0]) || memchr(word->text, ':', word->length) ||
                                memchr(word->text, '/', word->length));
}

/* The statement in this block whose name is nearest, where one is near; NULL. */
static const char *nearest_name(enum block block, const struct word *word)
{
    unsigned best = word->length <= 3 ? 2 : 3;
    const char *name = NULL;

    for (size_t i = 0; i < STATEMENTS; i++) {
        const struct statement_kind *kind = &statement_kinds[i];
        unsigned distance;

        if (i == STATEMENT_ADDRESS || !(kind->blocks & IN(block)))
            continue;
        distance = edit_distance(word, kind->name);
        if (distance < best) {
            best = distance;
            name = kind->name;
        }
    }
    return name;
}

/* The name is right, the variant is not. */
static void report_variant(struct reader *reader, const struct statement *statement, const char *name)
{
    char variants[STATEMENT_TEXT], shown[QUOTE_TEXT];
    struct joined joined = {.text = variants};

    for (size_t i = 0; i < STATEMENTS; i++)
        if (strcmp(statement_kinds[i].name, name) == 0 && statement_kinds[i].status != STATUS_UNSUPPORTED)
            joined.left++;
    for (size_t i = 0; i < STATEMENTS; i++)
        if (strcmp(statement_kinds[i].name, name) == 0 && statement_kinds[i].status != STATUS_UNSUPPORTED)
            join(&joined, statement_kinds[i].variant);
    if (statement->n < 2)
        reader_error(reader, &statement->words[0].place, "'%s' is not complete; %s was expected after it", name,
                     variants);
    else
        reader_error(reader, &statement->words[1].place, "'%s' after '%s' was not expected; %s was",
                     quote(&statement->words[1], shown), name, variants);
}

unsigned statement_blocks(const struct statement_kind *kind)
{
    unsigned blocks = 0;

    for (size_t i = 0; i < STATEMENTS; i++) {
        const struct statement_kind *other = &statement_kinds[i];

        if (strcmp(other->name, kind->name) == 0 && other->status != STATUS_UNSUPPORTED &&
            (other->variant == kind->variant ||
             (other->variant && kind->variant && strcmp(other->variant, kind->variant) == 0)))
            blocks |= other->blocks;
    }
    return blocks;
}

const struct statement_kind *statement_find(struct reader *reader, const struct statement *statement)
{
    const struct word *word = &statement->words[0];
    enum block block = reader_frame(reader)->block;
    const struct statement_kind *elsewhere = NULL;
    const char *name = NULL, *hint;
    char shown[QUOTE_TEXT];

    if (looks_like_address(word))
        return &statement_kinds[STATEMENT_ADDRESS];
    for (size_t i = 0; i < STATEMENTS; i++) {
        const struct statement_kind *kind = &statement_kinds[i];

        if (i == STATEMENT_ADDRESS || !word_is(word, kind->name))
            continue;
        name = kind->name;
        if (kind->variant && (statement->n < 2 || !word_is(&statement->words[1], kind->variant)))
            continue;
        if (kind->blocks & IN(block))
            return kind;
        if (!elsewhere)
            elsewhere = kind;
    }
    if (elsewhere)
        return elsewhere;
    if (name) {
        report_variant(reader, statement, name);
        return NULL;
    }
    hint = nearest_name(block, word);
    reader_error(reader, &word->place, "unknown statement '%s'%s%s%s", quote(word, shown),
                 hint ? "; did you mean '" : "", hint ? hint : "", hint ? "'?" : "");
    return NULL;
}
