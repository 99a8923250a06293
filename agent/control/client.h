/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the control socket: one request, one answer. */
#pragma once

#include <jansson.h>

#include "agent/base/time.h"

/* Bytes of an answer that are read at most. */
#define CONTROL_ANSWER_MAX (256 * 1024 * 1024)

/*
 * Connects to the agent at `path`, sends `request` and waits for its answer, all within timeout_ns. 0 and *ret, an
 * object (new reference). Negative errno of the connection where nobody could be asked; -ETIMEDOUT; -ECONNRESET where
 * the agent closed without an answer; -EBADMSG where the answer is no JSON object; -EMSGSIZE where it has no end.
 */
int control_call(const char *path, nsec_t timeout_ns, const json_t *request, json_t **ret);
