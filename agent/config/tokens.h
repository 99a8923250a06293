/* SPDX-License-Identifier: Apache-2.0 */
/* Between scanner and grammar: pairs the braces, joins lines, counts places. */
#pragma once

#include "agent/config/reader.h"

int ipmap_grammar_lex(struct word *value, struct reader *reader);
