/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: reads what the agent wants, has it done, and tells what became of it. */
#pragma once

/* Serves the agent at the other end of `socket` until it closes that. 0, or negative errno where it could not begin. */
int serve(int socket);
