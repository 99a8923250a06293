/* SPDX-License-Identifier: Apache-2.0 */
/* What a takeover changes in the DNS. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/config/apply.h"
#include "agent/config/checks.h"
#include "agent/config/dns_name.h"
#include "agent/config/files.h"
#include "agent/config/key_file.h"
#include "agent/config/service.h"
#include "agent/config/text.h"
#include "agent/config/values.h"

#define PORT 53
#define TTL_NS (60 * NSEC_PER_SEC)
#define TIMEOUT_NS (2 * NSEC_PER_SEC)
#define RETRIES 3

bool apply_dns(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct service *service = service_begin(reader, statement);

    (void)opened;
    service->dns = (struct ipmap_dns){.port = PORT, .retries = RETRIES};
    service->ttl_ns = TTL_NS;
    service->timeout_ns = TIMEOUT_NS;
    return statement->bad || expect_values(reader, statement, 0);
}

static bool read_dns_name(struct reader *reader, const struct word *word, const char **ret)
{
    char name[DNS_NAME_TEXT];
    const char *refusal = dns_name_read(word->text, word->length, name), *kept;

    if (refusal)
        return refuse_word(reader, word, refusal);
    kept = pool_text(&reader->pool, name, strlen(name));
    if (!kept) {
        reader->status = -ENOMEM;
        return false;
    }
    *ret = kept;
    return true;
}

bool apply_server(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct ipmap_dns *dns = &reader->service.dns;
    uint32_t port = PORT;
    size_t n;
    const struct word *values = statement_values(statement, &n);

    (void)opened;
    if (!expect_between(reader, statement, 1, 2) || !read_server(reader, &values[0], &dns->server))
        return false;
    if (n == 2 && !read_number(reader, statement->kind, &values[1], &port))
        return false;
    dns->port = (uint16_t)port;
    return true;
}

bool apply_zone(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;

    (void)opened;
    return expect_values(reader, statement, 1) &&
           read_dns_name(reader, statement_values(statement, &n), &reader->service.dns.zone);
}

bool apply_keep_old(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;

    (void)opened;
    reader->service.keep_old_place = statement->place;
    return expect_values(reader, statement, 1) &&
           read_dns_name(reader, statement_values(statement, &n), &reader->service.dns.keep_old);
}

bool apply_key_file(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct service *service = &reader->service;
    size_t n;
    const struct word *word = statement_values(statement, &n);

    (void)opened;
    service->key_file_place = word->place;
    if (!expect_values(reader, statement, 1))
        return false;
    if (word->length < 2 || word->text[0] != '/')
        return refuse_word(reader, word, "is no absolute path of a file");
    service->dns.key_file = keep_readable(reader, word, LIMIT_PATH);
    return service->dns.key_file;
}

bool apply_ttl(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;
    const struct word *word = statement_values(statement, &n);

    if (!apply_duration(reader, statement, opened))
        return false;
    return reader->service.ttl_ns % NSEC_PER_SEC == 0 || refuse_word(reader, word, "is no whole number of seconds");
}

static bool read_type(struct reader *reader, const struct word *word, uint8_t *ret_family)
{
    if (!word_is(word, "A") && !word_is(word, "AAAA"))
        return refuse_word(reader, word, "was not expected; A or AAAA was");
    *ret_family = word_is(word, "A") ? AF_INET : AF_INET6;
    return true;
}

static bool check_record_twice(struct reader *reader, const struct statement *statement,
                               const struct ipmap_record *record)
{
    const struct service *service = &reader->service;
    char text[IP_ADDRESS_TEXT];

    for (size_t i = 0; i < service->dns.n_records; i++)
        if (strcmp(service->records[i].name, record->name) == 0 &&
            ip_address_equal(&service->records[i].ip, &record->ip)) {
            reader_error(reader, &statement->place, "%s is given twice for '%s'", ip_address_format(&record->ip, text),
                         record->name);
            return false;
        }
    return true;
}

/* record NAME A|AAAA ADDRESS [ptr] */
bool apply_record(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct service *service = &reader->service;
    struct ipmap_record record = {0};
    uint8_t family = 0;
    size_t n;
    const struct word *values = statement_values(statement, &n);

    (void)opened;
    if (!expect_between(reader, statement, 3, 4))
        return false;
    if (service->dns.n_records == LIMIT_RECORDS_PER_SOURCE) {
        reader_error(reader, &statement->place, "more than %d records in one source", LIMIT_RECORDS_PER_SOURCE);
        return false;
    }
    if (!read_dns_name(reader, &values[0], &record.name) || !read_type(reader, &values[1], &family) ||
        !read_address(reader, &values[2], &record.ip, NULL))
        return false;
    if (record.ip.family != family)
        return refuse_word(reader, &values[2],
                           family == AF_INET ? "is no IPv4 address, which A takes"
                                             : "is no IPv6 address, which AAAA takes");
    if (n == 4 && !word_is(&values[3], "ptr"))
        return refuse_word(reader, &values[3], "was not expected; 'ptr' or the end of the statement was");
    record.ptr = n == 4;
    if (!check_record_twice(reader, statement, &record))
        return false;
    service->record_places[service->dns.n_records] = statement->place;
    service->records[service->dns.n_records++] = record;
    return true;
}

static bool check_complete(struct reader *reader, const struct frame *frame, const struct ipmap_dns *dns)
{
    const char *missing = !dns->server.family  ? "server"
                          : !dns->zone         ? "zone"
                          : !dns->key_file     ? "key-file"
                          : dns->n_records < 1 ? "record"
                                               : NULL;

    if (missing)
        reader_error(reader, &frame->place, "'dns' has no '%s'", missing);
    return !missing;
}

/* The zone may stand below the names. */
static bool check_names(struct reader *reader, const struct service *service)
{
    const struct ipmap_dns *dns = &service->dns;
    uint64_t errors = reader->n_errors;

    for (size_t i = 0; i < dns->n_records; i++) {
        const struct place *place = &service->record_places[i];

        if (!dns_name_within(service->records[i].name, dns->zone))
            reader_error(reader, place, "'%s' is not in zone '%s'", service->records[i].name, dns->zone);
        else if (dns->keep_old && strcmp(service->records[i].name, dns->keep_old) == 0)
            reader_error(reader, place, "'%s' is the name of 'keep-old', which cannot be a record as well",
                         dns->keep_old);
    }
    if (dns->keep_old && !dns_name_within(dns->keep_old, dns->zone))
        reader_error(reader, &service->keep_old_place, "'%s' is not in zone '%s'", dns->keep_old, dns->zone);
    return reader->n_errors == errors;
}

static struct ipmap_key *keep_key(struct reader *reader, const struct key_file *file)
{
    struct ipmap_key *key = pool_alloc(&reader->pool, sizeof *key);

    if (!key)
        return NULL;
    key->algorithm = file->algorithm;
    key->name = pool_text(&reader->pool, file->name, strlen(file->name));
    key->secret = pool_text(&reader->pool, file->secret, strlen(file->secret));
    return key->name && key->secret ? key : NULL;
}

static bool parse_key(struct reader *reader, struct service *service, const struct file_text *text)
{
    struct key_file file;
    char reason[KEY_REASON], shown[QUOTE_TEXT];

    if (key_file_parse(text->text, text->length, &file, reason) < 0) {
        reader_error(reader, &service->key_file_place, "'%s' %s", quote_text(service->dns.key_file, shown), reason);
        return false;
    }
    service->dns.key = keep_key(reader, &file);
    explicit_bzero(&file, sizeof file);
    if (!service->dns.key)
        reader->status = -ENOMEM;
    return service->dns.key;
}

/* A key that is not there yet keeps nobody from being watched: addresses move without it. */
static bool load_key(struct reader *reader, struct service *service)
{
    struct file_text text = {0};
    char reason[FILES_REASON], shown[QUOTE_TEXT];
    bool good = false;
    int r = files_read_secret(service->dns.key_file, KEY_FILE_BYTES_MAX, &text, reason);

    quote_text(service->dns.key_file, shown);
    if (r == 0) {
        good = parse_key(reader, service, &text);
        explicit_bzero(text.text, text.length);
        free(text.text);
    } else if (r == -ENOENT) {
        reader_warning(reader, &service->key_file_place,
                       "'%s' %s; no name can be moved until it is there and the ipmap is loaded again", shown, reason);
        good = true;
    } else if (r == -EINVAL) {
        reader_error(reader, &service->key_file_place, "'%s' %s", shown, reason);
    } else {
        reader->status = r;
    }
    return good;
}

void close_dns(struct reader *reader, const struct frame *frame)
{
    struct service *service = &reader->service;
    struct source_draft *source = service_source(reader);
    struct ipmap_dns *dns = &service->dns;

    if (reader->n_errors != frame->errors || !check_complete(reader, frame, dns) || !check_names(reader, service) ||
        !load_key(reader, service))
        return;
    dns->ttl_s = (uint32_t)(service->ttl_ns / NSEC_PER_SEC);
    dns->timeout_ns = service->timeout_ns;
    dns->records = pool_copy(&reader->pool, service->records, dns->n_records * sizeof *dns->records);
    source->dns = pool_copy(&reader->pool, dns, sizeof *dns);
    source->dns_place = service->place;
    if (!dns->records || !source->dns)
        reader->status = -ENOMEM;
}
