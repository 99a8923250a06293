/* SPDX-License-Identifier: Apache-2.0 */
/* What sets the guard apart from the process that it was forked from. */
#pragma once

/*
 * A session, a name, signals, descriptors, memory and schedule of its own; *socket is moved to its new number. What is
 * refused of the last two is done without.
 */
void privilege_separate(int *socket);
/* Keeps CAP_NET_ADMIN alone. 0, or -EPERM where that is not there to keep. */
int privilege_drop(void);
