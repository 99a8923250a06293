/* SPDX-License-Identifier: Apache-2.0 */
/* standind: options, the loop, signals, the control socket, reload, systemd. */
#pragma once

/* The whole program. Returns the exit status: 0 done, 1 failed, 2 usage. */
int daemon_main(int argc, char **argv);
