/* SPDX-License-Identifier: Apache-2.0 */
/* Words and values as messages show them. */
#pragma once

#include "agent/config/reader.h"

/* Bytes of a word that a message shows, and room for them: a byte may take four characters. */
#define QUOTE_BYTES 64
#define QUOTE_TEXT (QUOTE_BYTES * 4 + 4)

/* The word, with what is not printable as \xNN, and shortened where it is long. Returns `text`. */
const char *quote(const struct word *word, char text[static QUOTE_TEXT]);
const char *quote_text(const char *word, char text[static QUOTE_TEXT]);

#define DURATION_TEXT 32
/* The duration in the largest unit that divides it: "1500ms", "1h". Returns `text`. */
const char *duration_text(nsec_t duration_ns, char text[static DURATION_TEXT]);

/* Whether the word reads exactly so. */
bool word_is(const struct word *word, const char *text);

/*
 * How many letters must be put in, left out, changed or swapped with their neighbour to turn the word into `name`;
 * UINT_MAX where the word is so long that it is no misspelling of anything.
 */
unsigned edit_distance(const struct word *word, const char *name);
