/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/ipmap.h"

#include <stdlib.h>
#include <string.h>

#include "agent/config/statements.h"

static void free_source(struct ipmap_source *source)
{
    for (size_t i = 0; i < source->n_nics; i++)
        free(source->nics[i].addresses);
    free(source->nics);
}

void ipmap_free(struct ipmap *ipmap)
{
    if (!ipmap)
        return;
    for (size_t i = 0; i < ipmap->n_sources; i++)
        free_source(&ipmap->sources[i]);
    free(ipmap->sources);
    for (size_t i = 0; i < ipmap->n_files; i++)
        free(ipmap->files[i]);
    free(ipmap->files);
    free(ipmap);
}

const struct ipmap_source *ipmap_find_source(const struct ipmap *ipmap, const char *name)
{
    for (size_t i = 0; i < ipmap->n_sources; i++)
        if (strcmp(ipmap->sources[i].name, name) == 0)
            return &ipmap->sources[i];
    return NULL;
}

const char *ipmap_takeover_name(enum ipmap_takeover takeover)
{
    return takeover_choices[takeover].word;
}
