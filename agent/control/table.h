/* SPDX-License-Identifier: Apache-2.0 */
/* The report and the ipmap in effect, for people. `report` is what report_to_json made, sanitised. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_style {
    bool colour;   /* the output is a terminal that wants it */
    bool detailed; /* a source was named: nothing is folded */
};

/* What status prints: what needs somebody first, then what is held, then what is well. */
void table_print_status(FILE *out, const json_t *report, const struct table_style *style);

/* What show prints: the map in the words of the ipmap file. */
void table_print_ipmap(FILE *out, const json_t *report);

/* The parts of the status that stand in files of their own. */
void table_print_agent(FILE *out, const json_t *agent, const struct table_style *style);
void table_print_targets(FILE *out, const json_t *targets, const struct table_style *style);
/* What the sources serve, and what is run for them; nothing where there is none of it. */
void table_print_services(FILE *out, const json_t *sources, const struct table_style *style);
/* An address, with its name column of `name_width`. */
void table_print_address(FILE *out, const json_t *address, size_t name_width, const struct table_style *style);

/* Columns between which two blanks stand: name (as wide as needed), state, since, evidence. */
#define TABLE_NAME_MIN 16
#define TABLE_NAME_MAX 26
#define TABLE_STATE 9
#define TABLE_SINCE 9
