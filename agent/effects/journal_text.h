/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's text: what its encoder and its decoder must agree on. Pure. */
#pragma once

#include "agent/effects/journal.h"

/* The first line is this and the version, the second one is for people. */
#define JOURNAL_MAGIC "standin journal "
#define JOURNAL_NOTE "# What standind holds and knows, for its next start. Whatever is changed here makes it void.\n"

/* The last line, with its newline and a NUL. */
#define JOURNAL_CHECKSUM_LINE (sizeof "checksum 0123456789abcdef\n")
/* A point in time as text, with its NUL. */
#define JOURNAL_TIME_TEXT (sizeof "2262-04-11T23:47:16.854775807Z")

/*
 * 64-bit FNV-1a. It is for torn files and tired disks, not against people: whoever may write the file may also write
 * its checksum. A change of one byte always shows, because each step is a bijection of the hash and of the byte.
 */
uint64_t journal_checksum(const void *bytes, size_t length);

/* The last line of a file that begins with these bytes. */
void journal_checksum_line(const char *text, size_t length, char ret[static JOURNAL_CHECKSUM_LINE]);

/* In UTC to the nanosecond, as JOURNAL_TIME_TEXT shows it. Returns `text`. */
const char *journal_time_format(int64_t real_ns, char text[static JOURNAL_TIME_TEXT]);
/* Exactly that. False otherwise, and *ret_real_ns is then untouched. */
bool journal_time_parse(const char *text, int64_t *ret_real_ns);

/* What a verdict is called, with the blank before it; "" for none. The longest that fits is the one that is meant. */
const char *journal_verdict_text(enum journal_verdict verdict);

/* Whether every value is one that a journal may hold: the encoder writes and the decoder takes no other. */
bool journal_nic_is_valid(const struct journal_nic *nic);
bool journal_takeover_is_valid(const struct journal_takeover *takeover);
bool journal_services_is_valid(const struct journal_services *services);
bool journal_address_is_valid(const struct journal_address *address);
