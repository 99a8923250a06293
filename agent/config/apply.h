/* SPDX-License-Identifier: Apache-2.0 */
/* What each statement does with its words: the functions of the table in statements.c. */
#pragma once

#include "agent/config/reader.h"

/* One value, by its type (values.c). */
bool apply_number(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_duration(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_hold_down(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_choice(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_flag(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_rate(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_trigger(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_probe(struct reader *reader, const struct statement *statement, struct frame *opened);

/* Sources and what they hold (sources.c, addresses.c). */
bool apply_defaults(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_source(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_nic(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_address(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_monitor(struct reader *reader, const struct statement *statement, struct frame *opened);
/* Called when their blocks end, for what is missing in them. */
void close_source(struct reader *reader, const struct frame *frame);
void close_nic(struct reader *reader, const struct frame *frame);

/* Other (witness.c, include.c). */
bool apply_witness(struct reader *reader, const struct statement *statement, struct frame *opened);
bool apply_include(struct reader *reader, const struct statement *statement, struct frame *opened);
