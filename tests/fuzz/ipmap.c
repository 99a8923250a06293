/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an ipmap: reading ends, messages are text of limited number in order, and what is accepted holds what
 * ipmap.h promises. There is no file system here: what follows the first NUL is the text of every included file.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/files.h"
#include "agent/config/ipmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *included;
static size_t included_length;
static ino_t next_inode;

/* Stands in for the file system; every file is a new one, so that only the levels end a loop. */
int files_read(const char *path, size_t max, struct file_text *ret, char reason[static FILES_REASON])
{
    (void)path;
    if (included_length > max || next_inode > 50) {
        strcpy(reason, "cannot be opened");
        return -EINVAL;
    }
    ret->text = calloc(1, included_length + 2);
    if (!ret->text)
        return -ENOMEM;
    if (included_length > 0)
        memcpy(ret->text, included, included_length);
    ret->length = included_length;
    ret->device = 1;
    ret->inode = ++next_inode;
    return 0;
}

int files_glob(const char *pattern, struct file_names *ret, char reason[static FILES_REASON])
{
    (void)reason;
    ret->list = calloc(1, sizeof *ret->list);
    ret->list[0] = strdup(pattern);
    ret->n = 1;
    return 0;
}

void files_names_free(struct file_names *names)
{
    free(names->list[0]);
    free(names->list);
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool own_when_odd(void *userdata, const struct ip_address *ip, char nic[LIMIT_NIC_NAME])
{
    (void)userdata;
    memcpy(nic, "own", sizeof "own");
    return ip->bytes[3] == 199;
}

static bool exists_when_short(void *userdata, const char *name)
{
    (void)userdata;
    check(strlen(name) > 0 && strlen(name) < LIMIT_NIC_NAME);
    return strlen(name) < 5;
}

static void check_messages(const struct ipmap_messages *messages)
{
    size_t errors = 0;

    check(messages->n <= 100);
    for (size_t i = 0; i < messages->n; i++) {
        const struct ipmap_message *message = &messages->list[i];

        errors += !message->warning;
        check(message->place.line > 0 && message->place.column > 0 && message->text[0] != '\0');
        for (const char *c = message->text; *c; c++)
            check(*c >= ' ' && *c < 0x7f);
    }
    check(errors <= messages->n_errors && (messages->n_left_off > 0 || errors == messages->n_errors));
}

static void check_nic(const struct ipmap_nic *nic)
{
    size_t monitored = 0;

    check(strlen(nic->name) > 0 && nic->n_addresses > 0 && nic->place.line > 0);
    for (size_t i = 0; i < nic->n_addresses; i++) {
        const struct ipmap_address *address = &nic->addresses[i];

        monitored += address->monitor;
        check(address->prefix > 0 && address->prefix <= ip_address_bits(address->ip.family));
        check(!ip_address_is_unspecified(&address->ip) && !ip_address_is_multicast(&address->ip));
        check(strlen(address->dev) > 0 && strcmp(address->dev, address->fallback) != 0);
        check(address->ip.bytes[3] != 199);
    }
    check(monitored > 0);
}

static void check_source(const struct ipmap *ipmap, const struct ipmap_source *source)
{
    check(strlen(source->name) > 0 && ipmap_find_source(ipmap, source->name) == source);
    check(source->interval_ns >= LIMIT_INTERVAL_MIN_NS && source->interval_ns <= LIMIT_INTERVAL_MAX_NS);
    check(source->misses >= 1 && source->misses <= LIMIT_MISSES_MAX);
    check(source->probes != 0 && source->verify_asks > 0 && source->verify_within_ns > 0);
    check(source->approval_timeout_ns > 0 && source->lease_ns > 0);
    check(ipmap_takeover_name(source->on_host) && ipmap_takeover_name(source->on_nic));
    check(source->n_witnesses <= LIMIT_WITNESSES && (source->n_witnesses == 0 || !source->witness_none));
    check(source->n_nics > 0 && source->n_nics <= LIMIT_NICS_PER_SOURCE);
    for (size_t i = 0; i < source->n_nics; i++)
        check_nic(&source->nics[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ipmap_host host = {.nic_exists = exists_when_short, .address_is_own = own_when_odd};
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t length = nul ? (size_t)(nul - data) : size;
    struct ipmap_messages messages;
    struct ipmap *ipmap = NULL;
    int r;

    included = nul ? nul + 1 : NULL;
    included_length = nul ? size - length - 1 : 0;
    next_inode = 0;
    r = ipmap_parse("dir/main", size > 0 ? (const char *)data : "", length, &host, &ipmap, &messages);
    check(r == 0 || r == -EINVAL);
    check((r == 0) == (ipmap != NULL) && (r == 0) == (messages.n_errors == 0));
    check_messages(&messages);
    for (size_t i = 0; ipmap && i < ipmap->n_sources; i++)
        check_source(ipmap, &ipmap->sources[i]);
    ipmap_free(ipmap);
    ipmap_messages_free(&messages);
    return 0;
}
