/* SPDX-License-Identifier: Apache-2.0 */
/* Reads words as values of a statement; each mistake is reported, with what the statement takes. */
#pragma once

#include "agent/config/statements.h"

/* The words after the statement's name. */
const struct word *statement_values(const struct statement *statement, size_t *ret_n);
/* Whether the statement has exactly n values and no comma. */
bool expect_values(struct reader *reader, const struct statement *statement, size_t n);
bool expect_between(struct reader *reader, const struct statement *statement, size_t min, size_t max);

bool read_number(struct reader *reader, const struct statement_kind *kind, const struct word *word, uint32_t *ret);
bool read_duration(struct reader *reader, const struct statement_kind *kind, const struct word *word, nsec_t *ret);
bool read_choice(struct reader *reader, const struct statement_kind *kind, const struct word *word, unsigned *ret);

/* Warns of what a hold-down costs a source with addresses. */
void warn_of_hold_down(struct reader *reader, const struct place *place, nsec_t hold_down_ns);

/* Reads decimal digits; what is too large for the type is INT64_MAX. -EINVAL where there is anything else. */
int parse_digits(const char *text, size_t length, int64_t *ret);
