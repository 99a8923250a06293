/* SPDX-License-Identifier: Apache-2.0 */
/* Ipmaps of many addresses: reading them must cost what their length says, and no square of it. */
#include "agent/config/ipmap.h"
#include "tests/bench/micro.h"

/* Addresses in one source. */
#define EACH 100

static char *text;
static size_t length;
static struct ipmap *ipmap;
static struct ipmap_messages messages;

static void prepare(unsigned operations)
{
    FILE *out = open_memstream(&text, &length);

    MICRO_MUST(out);
    for (unsigned i = 0; i < operations; i++) {
        if (i % EACH == 0)
            fprintf(out, "%ssource s%u { interval 100ms; nic eth0 {\n", i ? "} }\n" : "", i / EACH);
        fprintf(out, "10.%u.%u.%u/32 dev eth%u\n", i >> 16, i >> 8 & 255, i & 255, i % 16);
    }
    fputs("} }\n", out);
    MICRO_MUST(fclose(out) == 0);
    ipmap = NULL;
}

static void run(unsigned operations)
{
    MICRO_MUST(ipmap_parse("ipmap.conf", text, length, NULL, &ipmap, &messages) == 0);
    MICRO_MUST(ipmap->n_addresses == operations);
}

static void clean(void)
{
    ipmap_free(ipmap);
    ipmap_messages_free(&messages);
    free(text);
}

int main(int argc, char **argv)
{
    const struct micro list[] = {
        {"ipmap_10000", 10000, prepare, run, clean},
        {"ipmap_100000", 100000, prepare, run, clean},
    };

    return micro_main(argc, argv, list, sizeof list / sizeof *list);
}
