/* SPDX-License-Identifier: Apache-2.0 */
/* What takes everything from this process that asking URLs and a DNS server does not need. */
#pragma once

/*
 * An ordinary user (`standin`, else `nobody`), no capabilities, limits, an ordinary schedule, no core file, no new
 * privileges, and a filter of system calls. To be called before there are threads and before anything of others is
 * read. 0 or negative errno, and then *ret_what says which step failed: the process must end.
 */
int confine(const char **ret_what);
/* The filter alone: what is not on its list fails with ENOSYS. 0 or negative errno. */
int confine_filter(void);
