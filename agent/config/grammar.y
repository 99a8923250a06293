/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of an ipmap: statements of words, some with a block of statements. It takes every run of tokens that has
 * its braces in pairs, which tokens.c sees to; what a statement means is judged in blocks.c, so that each mistake gets
 * a message of its own and none leads to others.
 */

%define api.pure full
%define api.prefix {ipmap_grammar_}
%define api.token.prefix {TOKEN_}
%define api.value.type {struct word}
%parse-param {struct reader *reader}
%lex-param {struct reader *reader}

%code requires {
#include "agent/config/reader.h"
}

%code {
#include "agent/config/blocks.h"
#include "agent/config/tokens.h"

/* A block costs four places on the stack, and their depth is limited: it never grows onto the heap. */
#define YYINITDEPTH (8 * READER_DEPTH_MAX)
#define YYMAXDEPTH YYINITDEPTH

/* Only memory that ran out ends the tokens early, and that is known already. */
static void ipmap_grammar_error(struct reader *reader, const char *text)
{
    (void)reader, (void)text;
}
}

%token WORD STRING COMMA
%token BAD UNTERMINATED /* a token that was reported already */
%token OPEN CLOSE
%token LATE_OPEN        /* a '{' that stands below its statement */
%token ENDING           /* of a statement */
%token NEWLINE SEMICOLON /* of the scanner only */

%%

file:
    body
    ;

body:
    statements
  | statements simple
    ;

statements:
    %empty
  | statements ENDING
  | statements simple ENDING
  | statements compound
    ;

simple:
    words { statement_end(reader); }
    ;

compound:
    words OPEN { statement_open(reader, NULL); } body CLOSE { statement_close(reader); }
  | words LATE_OPEN { statement_open(reader, &$2.place); } body CLOSE { statement_close(reader); }
  | OPEN { statement_open_nameless(reader, &$1.place); } body CLOSE { statement_close(reader); }
    ;

words:
    item { statement_begin(reader, &$1); statement_add(reader, &$1); }
  | words item { statement_add(reader, &$2); }
    ;

item:
    WORD
  | STRING
  | COMMA
  | BAD
    ;
