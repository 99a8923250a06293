/* SPDX-License-Identifier: Apache-2.0 */
/* What the process asks of the kernel for itself: real-time class, locked memory, few capabilities. */
#pragma once

#include <stdint.h>

/* Real-time priority: above everything ordinary, below the kernel's own threads for interrupts (50). */
#define PROCESS_REALTIME_PRIORITY 30

/*
 * SCHED_RR with a limit on CPU time without a wait (RLIMIT_RTTIME): beyond it we go back to the ordinary class instead
 * of holding up the machine. Returns a sentence for status, either way.
 */
const char *process_become_realtime(void);
const char *process_lock_memory(void);
/* What is freed goes back to the kernel, and is not kept for later. */
void process_spare_memory(void);
/* Keeps NET_ADMIN and NET_RAW, SYS_NICE and IPC_LOCK for what is above, and nothing else. 0 or negative errno. */
int process_drop_capabilities(void);
/* Whether we have what probing and claiming needs. 0 or -EPERM. */
int process_check_capabilities(void);
/* Started without stdin, stdout or stderr, a socket of ours would get that number, and the log with it. */
void process_fill_standard_fds(void);
uint64_t process_random(void);
