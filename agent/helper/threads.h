/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers that may wait: each in a thread of its own. When curl says goodbye to a server of FTP or mail, and when it
 * awaits FTP's last reply, it waits, in the multi interface, too; nothing else may wait for that.
 */
#pragma once

#include "agent/helper/transfer.h"

struct threads;

/* 0 or negative errno. */
int threads_new(struct threads **ret);
/* Only where the process ends next: threads that still wait are left to that. */
void threads_free(struct threads *threads);
/* Takes the transfer. 0; or negative errno, and it is still the caller's. */
int threads_begin(struct threads *threads, struct transfer *transfer);
/* Readable when one has ended. */
int threads_fd(const struct threads *threads);
/* One that has ended, judged, which is the caller's now; NULL: no more yet. */
struct transfer *threads_take(struct threads *threads);
