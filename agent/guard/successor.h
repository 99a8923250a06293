/* SPDX-License-Identifier: Apache-2.0 */
/* Signs of another guard, or of an agent that will bring one. */
#pragma once

#include <stdbool.h>

/* Whether the file names a living process other than this one: the guard of a successor. */
bool successor_in_charge(const char *pid_path);
/* Whether somebody holds the lock: a successor that is on its way. To see that is to take it, for a moment. */
bool successor_is_starting(const char *lock_path);
/* Takes the file away where it names this process. */
void successor_free_charge(const char *pid_path);
