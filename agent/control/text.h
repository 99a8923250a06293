/* SPDX-License-Identifier: Apache-2.0 */
/* Text for people: durations, wrapped lines, colours, and strings that a terminal may safely be given. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "agent/base/cleanup.h"
#include "agent/base/time.h"

/* Columns that everything for people fits in, as far as names and addresses allow. */
#define TEXT_COLUMNS 80
/* Room for any text that text_duration writes, with its NUL. */
#define TEXT_DURATION 32

enum text_colour {
    TEXT_PLAIN,
    TEXT_GREEN,
    TEXT_YELLOW,
    TEXT_RED,
    TEXT_BOLD,
};

/*
 * Makes every string in `value` fit for a terminal: control characters (but for newlines) and characters that reorder
 * the text around them become '?'. In place.
 */
void text_sanitise(json_t *value);

/* "0.84 ms", "12.3 s", "4 m 12 s", "3 d 4 h"; "never" for NSEC_NEVER. Returns `text`. */
const char *text_duration(nsec_t duration_ns, char text[static TEXT_DURATION]);

/* Reads a number with its unit (us ms s m h), as in the ipmap. -EINVAL, or -ERANGE outside 1 ms to 24 h. */
int text_parse_duration(const char *text, nsec_t *ret);

/* Columns that the text takes. */
size_t text_width(const char *text);
/* Writes `text` and blanks up to `width`, at least one; where it is too long, a new line goes on at indent + width. */
void text_pad(FILE *out, const char *text, size_t indent, size_t width);
/* Writes `text` in lines of TEXT_COLUMNS, broken at blanks: the first from `column`, where the cursor is, on. */
void text_wrap(FILE *out, size_t column, size_t indent, const char *text);
/* `indent` blanks, and text_wrap. */
void text_paragraph(FILE *out, size_t indent, const char *text);

/* A line that is written piece by piece and measured before it is printed. */
struct text_line {
    char *bytes; /* owned; valid after text_line_end */
    size_t length;
    FILE *file; /* to write to; NULL when memory ran out */
};
#define CLEANUP_LINE CLEANUP(text_line_free)

/* False when memory ran out. */
bool text_line_begin(struct text_line *line);
/* What was written; "?" when memory ran out. */
const char *text_line_end(struct text_line *line);
void text_line_free(struct text_line *line);

/* Starts a colour (TEXT_PLAIN ends it), where `enabled`. */
void text_colour(FILE *out, bool enabled, enum text_colour colour);
