/* SPDX-License-Identifier: Apache-2.0 */
/* Reads ipmaps for the tests, and keeps what came of it until it is read. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config/ipmap.h"

/* What a reading brought. */
struct world {
    int r;
    struct ipmap *ipmap;
    struct ipmap_messages messages;
    char *printed; /* the messages as ipmap_messages_print prints them */
    size_t printed_length;
};

/* What this host is to the tests: it has the NICs eth0 to eth3, and 192.0.2.200 on eth0. */
static inline bool host_nic_exists(void *userdata, const char *name)
{
    (void)userdata;
    return strlen(name) == 4 && strncmp(name, "eth", 3) == 0 && name[3] >= '0' && name[3] <= '3';
}

static inline bool host_address_is_own(void *userdata, const struct ip_address *ip, char nic[LIMIT_NIC_NAME])
{
    struct ip_address own;

    (void)userdata;
    assert_int_equal(ip_address_parse("192.0.2.200", &own), 0);
    if (!ip_address_equal(&own, ip))
        return false;
    strcpy(nic, "eth0");
    return true;
}

static const struct ipmap_host this_host = {.nic_exists = host_nic_exists, .address_is_own = host_address_is_own};

/* Every promise of ipmap.h that does not depend on the text. */
static inline void take(struct world *world)
{
    FILE *out = open_memstream(&world->printed, &world->printed_length);
    size_t errors = 0;

    assert_non_null(out);
    ipmap_messages_print(&world->messages, out);
    fclose(out);
    for (size_t i = 0; i < world->messages.n; i++)
        errors += !world->messages.list[i].warning;
    if (world->messages.n_left_off == 0)
        assert_int_equal(errors, world->messages.n_errors);
    assert_true(world->r == 0 || world->r == -EINVAL);
    assert_int_equal(world->r == 0, world->messages.n_errors == 0);
    assert_int_equal(world->r == 0, world->ipmap != NULL);
}

static inline void read_bytes(struct world *world, const char *text, size_t length, const struct ipmap_host *host)
{
    *world = (struct world){0};
    world->r = ipmap_parse("f", text, length, host, &world->ipmap, &world->messages);
    take(world);
}

static inline void read_text(struct world *world, const char *text)
{
    read_bytes(world, text, strlen(text), NULL);
}

static inline void read_file(struct world *world, const char *path)
{
    *world = (struct world){0};
    world->r = ipmap_load(path, NULL, &world->ipmap, &world->messages);
    take(world);
}

static inline void end(struct world *world)
{
    ipmap_free(world->ipmap);
    ipmap_messages_free(&world->messages);
    free(world->printed);
}

/* The text brings exactly these lines; with an error among them it is refused. */
static inline void expect(const char *text, const char *lines)
{
    struct world world;

    read_bytes(&world, text, strlen(text), &this_host);
    assert_string_equal(world.printed, lines);
    end(&world);
}

/* Each text is one statement, or more, in the block of a source that is right otherwise; its line is line 2. */
#define IN_SOURCE(statements) "source web1 {\n" statements "\nnic eth0 { 192.0.2.10/24 dev eth0 }\n}\n"
#define IN_NIC(statements) "source web1 { nic eth0 {\n" statements "\n192.0.2.10/24 dev eth0\n}}\n"
