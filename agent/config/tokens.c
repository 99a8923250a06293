/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/tokens.h"

#include "agent/config/grammar.tab.h"

#define TOKEN_END 0

/* One token, the one that was read ahead first. Bad ones are reported here, at most one for a statement. */
static int take(struct reader *reader, struct input *input, struct word *ret)
{
    struct scan *scan = &input->scan;
    int token = input->pending_token;

    if (token >= 0) {
        input->pending_token = -1;
        *ret = input->pending;
        return token;
    }
    token = scan_token(scan);
    *ret = (struct word){
        .text = scan->token,
        .length = scan->token_length,
        .kind = token == TOKEN_COMMA ? WORD_COMMA : WORD_TEXT,
        .place = {reader->order++, input->file, scan->token_line, scan->token_column},
    };
    if (token == TOKEN_BAD || token == TOKEN_UNTERMINATED) {
        struct place place = ret->place;

        place.column = scan->problem_column;
        if (!input->bad_reported)
            reader_error(reader, &place, "%s", scan->problem);
        input->bad_reported = true;
        /* The braces that the string may have swallowed are not to be missed. */
        if (token == TOKEN_UNTERMINATED)
            input->braces_reported = true;
        ret->kind = WORD_BAD;
        token = TOKEN_BAD;
    }
    return token;
}

static bool is_in_statement(int token)
{
    return token == TOKEN_WORD || token == TOKEN_STRING || token == TOKEN_BAD || token == TOKEN_COMMA;
}

/* At the end of a statement's line: whether its block opens on a line below, which is then *ret. */
static bool opens_late(struct reader *reader, struct input *input, struct word *ret)
{
    struct word next;
    int token;

    input->bad_reported = false;
    do
        token = take(reader, input, &next);
    while (token == TOKEN_NEWLINE);
    if (token == TOKEN_OPEN) {
        *ret = next;
        return true;
    }
    input->pending = next;
    input->pending_token = token;
    return false;
}

static int open_brace(struct input *input, int token)
{
    if (input->depth == READER_DEPTH_MAX) {
        input->ignored++;
        return TOKEN_ENDING;
    }
    input->depth++;
    return token;
}

static int close_brace(struct reader *reader, struct input *input, const struct place *place)
{
    if (input->ignored > 0) {
        input->ignored--;
        return TOKEN_ENDING;
    }
    if (input->depth == 0) {
        if (!input->braces_reported)
            reader_error(reader, place, "'}' closes nothing; a statement was expected");
        input->braces_reported = true;
        return TOKEN_ENDING;
    }
    input->depth--;
    return TOKEN_CLOSE;
}

/* The grammar wants each block closed: at the end of the file those still open are. */
static int end_of_file(struct reader *reader, struct input *input, const struct word *word)
{
    const struct frame *frame = reader_frame(reader);

    if (input->depth == 0)
        return TOKEN_END;
    if (!input->braces_reported)
        reader_error(reader, &word->place, "end of file inside '%s', opened at line %u", frame->label,
                     frame->place.line);
    input->braces_reported = true;
    input->depth--;
    input->pending = *word;
    input->pending_token = TOKEN_END;
    return TOKEN_CLOSE;
}

static int next_token(struct reader *reader, struct input *input, struct word *ret)
{
    int token = take(reader, input, ret);

    while (token == TOKEN_NEWLINE && input->previous_token == TOKEN_COMMA)
        token = take(reader, input, ret);
    switch (token) {
    case TOKEN_NEWLINE:
        if (is_in_statement(input->previous_token) && opens_late(reader, input, ret))
            return open_brace(input, TOKEN_LATE_OPEN);
        return TOKEN_ENDING;
    case TOKEN_SEMICOLON:
        return TOKEN_ENDING;
    case TOKEN_OPEN:
        return open_brace(input, token);
    case TOKEN_CLOSE:
        return close_brace(reader, input, &ret->place);
    case TOKEN_END:
        return end_of_file(reader, input, ret);
    }
    return token;
}

int ipmap_grammar_lex(struct word *value, struct reader *reader)
{
    struct input *input = reader->input;

    if (reader->status < 0)
        return TOKEN_END;
    input->previous_token = next_token(reader, input, value);
    if (!is_in_statement(input->previous_token))
        input->bad_reported = false;
    return input->previous_token;
}
