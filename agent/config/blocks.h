/* SPDX-License-Identifier: Apache-2.0 */
/* What the grammar does: takes statements word by word, judges each at its end, opens and closes blocks. */
#pragma once

#include "agent/config/reader.h"

void statement_begin(struct reader *reader, const struct word *word);
void statement_add(struct reader *reader, const struct word *word);
/* The statement ends without a block. */
void statement_end(struct reader *reader);
/* The statement's block opens; `late` is the place of a '{' that stands below the statement, else NULL. */
void statement_open(struct reader *reader, const struct place *late);
/* A block opens that no statement has. */
void statement_open_nameless(struct reader *reader, const struct place *place);
void statement_close(struct reader *reader);
