/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/ctl.h"

int main(int argc, char **argv)
{
    int status = ctl_run(argc, argv, stdout, stderr);

    /* A full disk must not turn half a status into a good one. */
    if (fflush(stdout) != 0) {
        perror("standinctl: cannot write the output");
        return CTL_FAILED;
    }
    return status;
}
