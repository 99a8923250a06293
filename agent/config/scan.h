/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner: cuts a buffer into tokens. It knows no grammar, reports nothing and allocates nothing. */
#pragma once

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

/* What flex asks for: its state, one buffer and a stack of one. */
#define SCAN_ARENA 1024
#define SCAN_PROBLEM 80

struct scan {
    void *lexer;                /* flex's state, in the arena */
    char *text;                 /* what is scanned; strings are decoded in place */
    size_t length;              /* in bytes */
    uint32_t line;              /* of the next token, from 1 */
    size_t line_start;          /* offset in `text` at which that line begins */
    char *token;                /* the token just read: a word, or a string without quotes and escapes */
    uint32_t token_length;      /* in bytes */
    uint32_t token_line;        /* where it begins, from 1 */
    uint32_t token_column;      /* from 1, in bytes */
    char problem[SCAN_PROBLEM]; /* what is wrong with a bad token */
    uint32_t problem_column;    /* and where, in the token's line */
    size_t arena_used;          /* bytes */
    alignas(max_align_t) char arena[SCAN_ARENA];
};

/*
 * Begins to scan `length` bytes without NUL. Two NULs must follow them, and all of it must stay until scan_end; tokens
 * point into it. A UTF-8 byte order mark in front is passed over.
 */
void scan_begin(struct scan *scan, char *text, size_t length);
/* Reads one token and returns its kind, of grammar.tab.h; 0 at the end, and again whenever asked after it. */
int scan_token(struct scan *scan);
void scan_end(struct scan *scan);
