/* SPDX-License-Identifier: Apache-2.0 */
/* One request line, judged: pure, so that it can be tested and fuzzed without a socket. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* Room for the sentence that says what is wrong with a request, with its NUL. */
#define CONTROL_ERROR_TEXT 160

/*
 * Reads `length` bytes of one line, without its newline: a JSON object with a string "command", and nothing in it but
 * the keys that requests have, each of its type. 0 and *ret (a new reference); -EBADMSG and a sentence in `ret_error`.
 */
int control_request_parse(const char *line, size_t length, json_t **ret, char ret_error[static CONTROL_ERROR_TEXT]);
