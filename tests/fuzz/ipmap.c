/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an ipmap: reading ends, messages are text of limited number in order, and what is accepted holds what
 * ipmap.h promises. There is no file system here: what follows the first NUL is the text of every included file, and of
 * every key.
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

int files_read_secret(const char *path, size_t max, struct file_text *ret, char reason[static FILES_REASON])
{
    int r = files_read(path, max, ret, reason);

    return r == -EINVAL ? -ENOENT : r;
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

static void check_text(const char *text, size_t max)
{
    check(text && strlen(text) > 0 && strlen(text) <= max);
}

static void check_command(const struct ipmap_command *command)
{
    check_text(command->text, LIMIT_COMMAND);
    check(command->n_args > 0 && command->n_args <= LIMIT_COMMAND_WORDS && !command->argv[command->n_args]);
    for (size_t i = 0; i < command->n_args; i++)
        check_text(command->argv[i], LIMIT_COMMAND);
    check(command->shell ? command->n_args == 1 : command->argv[0][0] == '/');
    check(command->timeout_ns > 0 && (!command->user || strlen(command->user) > 0));
}

static void check_check(const struct ipmap_check *c)
{
    check_text(c->text, LIMIT_COMMAND);
    check(c->timeout_ns > 0 && c->timeout_ns <= c->interval_ns && c->misses >= 1 && c->misses <= LIMIT_MISSES_MAX);
    check(c->from.family == 0 || c->from_dev[0] == '\0');
    check(ipmap_check_equal(c, c) && c->place.line > 0 && c->n_expect <= LIMIT_EXPECT);
    for (size_t i = 0; i < c->n_expect; i++)
        check(c->expect[i].from >= 100 && c->expect[i].from <= c->expect[i].to && c->expect[i].to <= 599);
    check((c->kind == IPMAP_CHECK_TCP) == (c->port > 0) && (c->kind == IPMAP_CHECK_TCP) == (c->address.family > 0));
    check((c->kind == IPMAP_CHECK_URL) == (c->url != NULL) && (c->url || (!c->host && !c->body && !c->n_expect)));
    check((c->kind == IPMAP_CHECK_EXEC) == (c->command.argv != NULL));
    if (c->kind == IPMAP_CHECK_URL)
        check(strstr(c->url, "://") && strncmp(c->url, "file", 4) != 0 && strncmp(c->url, "scp", 3) != 0);
    if (c->kind == IPMAP_CHECK_EXEC)
        check_command(&c->command);
}

static void check_dns(const struct ipmap_dns *dns)
{
    size_t zone = strlen(dns->zone);

    check(dns->server.family && dns->port > 0 && dns->key_file[0] == '/' && zone > 0 && zone <= LIMIT_DNS_NAME);
    check(dns->n_records > 0 && dns->n_records <= LIMIT_RECORDS_PER_SOURCE && dns->ttl_s >= 1 && dns->ttl_s <= 86400);
    check(dns->timeout_ns > 0 && dns->retries <= 10 && dns->place.line > 0);
    for (size_t i = 0; i < dns->n_records; i++) {
        const char *name = dns->records[i].name;

        check(strlen(name) <= LIMIT_DNS_NAME && strlen(name) >= zone && dns->records[i].ip.family);
        check(strcmp(name + strlen(name) - zone, dns->zone) == 0 &&
              (!dns->keep_old || strcmp(name, dns->keep_old) != 0));
    }
    if (dns->key)
        check(strlen(dns->key->name) > 0 && strlen(dns->key->secret) % 4 == 0 &&
              ipmap_key_algorithm_name(dns->key->algorithm));
}

static void check_services(const struct ipmap_source *source)
{
    check(source->n_checks <= LIMIT_CHECKS_PER_SOURCE && source->n_hooks <= LIMIT_HOOKS_PER_SOURCE);
    check(source->n_units <= LIMIT_UNITS_PER_SOURCE && ipmap_takeover_name(source->on_service));
    for (size_t i = 0; i < source->n_checks; i++)
        check_check(&source->checks[i]);
    for (size_t i = 0; i < source->n_hooks; i++) {
        check_command(&source->hooks[i].command);
        check(ipmap_hook_point_name(source->hooks[i].point));
        check(!source->hooks[i].veto || source->hooks[i].point == IPMAP_HOOK_PRE_TAKEOVER);
    }
    for (size_t i = 0; i < source->n_units; i++) {
        check_text(source->units[i].name, 255);
        check(strchr(source->units[i].name, '.') && source->units[i].timeout_ns > 0);
    }
    if (source->fence)
        check_command(source->fence);
    if (source->dns)
        check_dns(source->dns);
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
    check((source->n_nics > 0 || source->dns) && source->n_nics <= LIMIT_NICS_PER_SOURCE);
    check_services(source);
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
