/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/blocks.h"

#include <assert.h>
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/statements.h"
#include "agent/config/text.h"

void statement_begin(struct reader *reader, const struct word *word)
{
    struct statement *statement = &reader->input->statement;

    statement->n = 0;
    statement->kind = NULL;
    statement->place = word->place;
    statement->comma_open = false;
    statement->bad = false;
    statement->nameless = word->kind != WORD_TEXT;
}

/* One mistake spoils the statement: what comes after it is not judged. */
static void spoil(struct reader *reader, struct statement *statement, const struct place *place, const char *text)
{
    if (!statement->bad && reader_frame(reader)->block != BLOCK_NONE)
        reader_error(reader, place, "%s", text);
    statement->bad = true;
}

void statement_add(struct reader *reader, const struct word *word)
{
    struct statement *statement = &reader->input->statement;

    switch (word->kind) {
    case WORD_BAD:
        statement->bad = true;
        return;
    case WORD_COMMA:
        if (statement->n == 0 || statement->comma_open)
            spoil(reader, statement, &word->place, "a word was expected before ','");
        statement->comma = word->place;
        statement->comma_open = true;
        return;
    case WORD_TEXT:
        break;
    }
    if (statement->n == READER_WORDS_MAX) {
        spoil(reader, statement, &word->place, "this statement has too many words");
        return;
    }
    statement->words[statement->n] = *word;
    statement->words[statement->n++].after_comma = statement->comma_open;
    statement->comma_open = false;
}

/*
 * Whether the statement belongs to a block further out. One that has a block itself then shows that a '}' before it is
 * missing: the blocks between are closed, and reading goes on as if it had been there.
 */
static bool close_forgotten(struct reader *reader, const struct statement *statement, const struct statement_kind *kind)
{
    size_t outer = reader->n_frames;
    const struct frame *frame = reader_frame(reader);
    char shown[QUOTE_TEXT];

    if (kind->opens == BLOCK_NONE)
        return false;
    while (outer > 0 && !(kind->blocks & IN(reader->frames[outer - 1].block)))
        outer--;
    if (outer == 0)
        return false;
    if (!reader->input->braces_reported)
        reader_error(reader, &statement->place, "'%s' inside '%s', opened at line %u; is a '}' missing before it?",
                     quote(&statement->words[0], shown), frame->label, frame->place.line);
    reader->input->braces_reported = true;
    while (reader->n_frames > outer)
        statement_close(reader);
    return true;
}

/* Where braces do not pair, nobody knows which block a statement was meant for: nothing is said then. */
static void report_misplaced(struct reader *reader, const struct statement *statement,
                             const struct statement_kind *kind)
{
    enum block block = reader_frame(reader)->block;
    char shown[QUOTE_TEXT], blocks[STATEMENT_TEXT];

    if (!reader->input->braces_reported)
        reader_error(reader, &statement->place, "'%s' does not belong to %s, but to %s",
                     quote(&statement->words[0], shown), block_name(block),
                     blocks_text(statement_blocks(kind), blocks));
    /* A part of a source out here: likely a '}' too many stands before it. */
    if (block == BLOCK_TOP && kind->opens != BLOCK_NONE)
        reader->input->braces_reported = true;
}

/* Whether it was given in this block before. */
static bool is_twice(struct reader *reader, const struct statement *statement, const struct statement_kind *kind)
{
    struct frame *frame = reader_frame(reader);
    enum statement_id id = statement_id(kind);
    const struct place *place = &statement->words[0].place;
    char name[STATEMENT_TEXT], first[PLACE_TEXT];

    if (kind->repeats)
        return false;
    if (frame->given[id]) {
        reader_error(reader, place, "'%s' is given twice; first at %s", statement_name(kind, name),
                     reader_place_text(reader, &frame->first[id], place, first));
        return true;
    }
    frame->given[id] = true;
    frame->first[id] = *place;
    return false;
}

/* Finds the statement and judges whether it may stand here. NULL, with the mistake reported, where it does not. */
static const struct statement_kind *judge(struct reader *reader, struct statement *statement)
{
    const struct frame *frame = reader_frame(reader);
    const struct statement_kind *kind;
    char name[STATEMENT_TEXT];

    if (frame->block == BLOCK_NONE || statement->nameless)
        return NULL;
    kind = statement_find(reader, statement);
    if (!kind)
        return NULL;
    if (kind->status == STATUS_UNSUPPORTED) {
        reader_error(reader, &statement->words[0].place, "'%s' is not supported yet", statement_name(kind, name));
        return NULL;
    }
    if (!(kind->blocks & IN(frame->block)) && !close_forgotten(reader, statement, kind)) {
        report_misplaced(reader, statement, kind);
        return NULL;
    }
    if (is_twice(reader, statement, kind) && !kind->opens)
        return NULL;
    return kind;
}

static void check_last_comma(struct reader *reader, struct statement *statement)
{
    if (statement->comma_open)
        spoil(reader, statement, &statement->comma, "a word was expected after ','");
}

/* Opens a block whose content is passed over, inside the one that is open. */
static struct frame *push(struct reader *reader, const struct place *place)
{
    struct frame *parent = reader_frame(reader), *frame = parent + 1;

    assert(reader->n_frames <= READER_DEPTH_MAX);
    frame->block = BLOCK_NONE;
    frame->source = parent->source;
    frame->nic = parent->nic;
    frame->address = parent->address;
    frame->errors = reader->n_errors;
    frame->place = *place;
    frame->kind = NULL;
    memset(frame->given, 0, sizeof frame->given);
    memcpy(frame->label, "{", sizeof "{");
    reader->n_frames++;
    return frame;
}

/* "source web1": what a message about the block calls it. */
static void set_label(struct frame *frame, const struct statement *statement)
{
    const struct statement_kind *kind = statement->kind;
    char shown[QUOTE_TEXT];
    int length;

    if (statement->nameless)
        return;
    length = snprintf(frame->label, sizeof frame->label, "%.30s", quote(&statement->words[0], shown));
    if (statement->n >= 2 && kind && (kind->opens == BLOCK_SOURCE || kind->opens == BLOCK_NIC))
        snprintf(frame->label + length, sizeof frame->label - (size_t)length, " %.63s",
                 quote(&statement->words[1], shown));
}

/* Opens the block of a statement that is judged; where that is wrong, its content is passed over. */
static void enter(struct reader *reader, struct statement *statement, uint64_t errors)
{
    struct frame *frame = push(reader, &statement->place);

    /* What is wrong with a bad statement was told while it was read. */
    frame->errors = errors - statement->bad;
    set_label(frame, statement);
    if (!statement->kind)
        return;
    frame->kind = statement->kind;
    frame->block = statement->kind->opens;
    statement->kind->apply(reader, statement, frame);
}

void statement_end(struct reader *reader)
{
    struct statement *statement = &reader->input->statement;
    char takes[STATEMENT_TEXT], name[STATEMENT_TEXT];

    check_last_comma(reader, statement);
    if (statement->bad)
        return;
    statement->kind = judge(reader, statement);
    if (!statement->kind)
        return;
    if (statement->kind->needs_block) {
        reader_error(reader, &statement->words[0].place, "'%s' has no block; %s", statement_name(statement->kind, name),
                     statement_takes(statement->kind, takes));
    } else if (statement->kind->close) {
        enter(reader, statement, reader->n_errors);
        statement_close(reader);
    } else {
        statement->kind->apply(reader, statement, NULL);
    }
}

/* The kind of the statement whose block opens; NULL where the block is to be passed over. */
static const struct statement_kind *judge_open(struct reader *reader, struct statement *statement)
{
    const struct statement_kind *kind = judge(reader, statement);
    char name[STATEMENT_TEXT];

    if (!kind || kind->opens != BLOCK_NONE)
        return kind;
    if (!statement->bad)
        reader_error(reader, &statement->words[0].place, "'%s' takes no block", statement_name(kind, name));
    return NULL;
}

void statement_open(struct reader *reader, const struct place *late)
{
    struct statement *statement = &reader->input->statement;
    uint64_t errors = reader->n_errors;

    check_last_comma(reader, statement);
    statement->kind = judge_open(reader, statement);
    if (late && statement->kind)
        reader_error(reader, late, "'{' was expected on the line of its statement, line %u", statement->place.line);
    enter(reader, statement, errors);
}

void statement_open_nameless(struct reader *reader, const struct place *place)
{
    if (reader_frame(reader)->block != BLOCK_NONE)
        reader_error(reader, place, "a statement was expected before '{'");
    push(reader, place);
}

void statement_close(struct reader *reader)
{
    const struct frame *frame = reader_frame(reader);

    /* Closed before, when its '}' was found missing: this one is the end of the file's. */
    if (reader->n_frames == 1)
        return;
    if (frame->block != BLOCK_NONE && frame->kind->close)
        frame->kind->close(reader, frame);
    reader->n_frames--;
}
