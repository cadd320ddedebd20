/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/prctl.h>

#include "sim/cli/cli.h"

int main(int argc, char **argv)
{
    /* Unicorn asks for huge pages for each VP's translation buffer. A small
     * guest uses a hundredth of it, but the kernel then backs all 32 MiB:
     * measured, 31 MiB a VP with huge pages and 3 without. */
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    return cli_main(argc, argv);
}
