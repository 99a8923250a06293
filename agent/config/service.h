/* SPDX-License-Identifier: Apache-2.0 */
/* Inside this folder: what checks, commands, units and DNS have in common while they are read. */
#pragma once

#include "agent/config/statements.h"

/* Begins the check, hook, fence, unit or dns that the statement names: the reader's service. */
struct service *service_begin(struct reader *reader, const struct statement *statement);
/* Whether its source has room for one more of `what`; where not, that is said, and the block is passed over. */
bool service_has_room(struct reader *reader, struct frame *opened, size_t n, size_t limit, const char *what);
/* The draft of the source whose block is open. */
struct source_draft *service_source(struct reader *reader);

/* The word as a text of the ipmap's. NULL, with the reader's status set, where memory ran out. */
char *keep_word(struct reader *reader, const struct word *word);
/* The same for a text that people see, too: not empty, not longer than `max`, and UTF-8. NULL also where it is not. */
char *keep_readable(struct reader *reader, const struct word *word, size_t max);

/* Judges the checks of a source at its end; `first` is its first address, NULL where it has none. */
void close_source_checks(struct reader *reader, const struct source_draft *source, const struct ip_address *first);

/* Takes the word as the command. Its own words are told at the end of the block, which may ask for a shell. */
void take_command(struct reader *reader, const struct word *word);
/* Ends the command; `timeout_ns` holds where none was given. */
bool close_command(struct reader *reader, nsec_t timeout_ns);
