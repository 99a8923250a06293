/* SPDX-License-Identifier: Apache-2.0 */
/* The journal on the disk. The functions wait for it: for the writer's thread alone. */
#pragma once

#include <stddef.h>

/*
 * Puts a file of these bytes (mode 0600) into the place of the journal in folder `state`: whatever happens meanwhile,
 * there is the old one or the new one. 0 when it is on the disk, or negative errno; then nothing is left behind.
 */
int journal_replace(const char *state, const char *text, size_t length);

/* Removes the unfinished files of those that ended while they wrote. */
void journal_sweep(const char *state);
