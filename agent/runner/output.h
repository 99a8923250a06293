/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command writes: its beginning is kept for the answer, its lines go to whoever wants them, up to a limit, and
 * the rest is thrown away. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/effects/job.h"

/* Bytes of a line; a longer one becomes several. */
#define OUTPUT_LINE_MAX 800
/* Lines of one command; how many more there were is told at its end. */
#define OUTPUT_LINES_MAX 100

/* Gets a line, cleaned, without its newline. False: there is no room for it now; it counts as left out. */
typedef bool (*output_line)(void *userdata, const char *line);

/* All zero is an empty one. */
struct output {
    output_line take_line;          /* NULL: nobody wants lines */
    void *userdata;                 /* for take_line */
    char kept[JOB_OUTPUT_MAX + 1];  /* the beginning, as it was written */
    size_t n_kept;                  /* bytes of it */
    char line[OUTPUT_LINE_MAX + 1]; /* the line that has not ended yet */
    size_t n_line;                  /* bytes of it */
    unsigned lines;                 /* that were taken */
    unsigned left_out;              /* that were not */
};

void output_add(struct output *output, const char *bytes, size_t length);
/* No more will come: the last line ends. */
void output_end(struct output *output);
/* What was kept, cleaned and without newlines at its end; in place. */
const char *output_text(struct output *output);

/*
 * Makes the text valid UTF-8 without control characters but newlines and tabs: whatever is not becomes '?'. In place.
 */
void output_clean(char *text);
