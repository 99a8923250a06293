/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/ipmap.h"

#include <stdlib.h>
#include <string.h>

#include "agent/config/pool.h"
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
    pool_free(ipmap->pool);
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

const char *ipmap_hook_point_name(enum ipmap_hook_point point)
{
    return hook_choices[point].word;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool command_equal(const struct ipmap_command *a, const struct ipmap_command *b)
{
    return a->shell == b->shell && same_text(a->user, b->user) && a->timeout_ns == b->timeout_ns &&
           same_text(a->text, b->text);
}

static bool expects_equal(const struct ipmap_check *a, const struct ipmap_check *b)
{
    return a->n_expect == b->n_expect && memcmp(a->expect, b->expect, a->n_expect * sizeof *a->expect) == 0;
}

bool ipmap_check_equal(const struct ipmap_check *a, const struct ipmap_check *b)
{
    return a->kind == b->kind && a->interval_ns == b->interval_ns && a->misses == b->misses &&
           a->timeout_ns == b->timeout_ns && a->port == b->port && ip_address_equal(&a->address, &b->address) &&
           ip_address_equal(&a->from, &b->from) && strcmp(a->from_dev, b->from_dev) == 0 && same_text(a->url, b->url) &&
           same_text(a->host, b->host) && same_text(a->body, b->body) && expects_equal(a, b) &&
           a->verify_peer == b->verify_peer && a->redirects == b->redirects && command_equal(&a->command, &b->command);
}
