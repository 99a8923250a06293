/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of services: probe tcp, url and exec. */
#include <errno.h>
#include <string.h>

#include "agent/config/apply.h"
#include "agent/config/checks.h"
#include "agent/config/dns_name.h"
#include "agent/config/service.h"
#include "agent/config/text.h"
#include "agent/config/url.h"
#include "agent/config/values.h"

#define INTERVAL_NS (1 * NSEC_PER_SEC)
#define EXEC_INTERVAL_NS (30 * NSEC_PER_SEC)
#define TIMEOUT_NS (1 * NSEC_PER_SEC)
#define EXEC_TIMEOUT_NS (10 * NSEC_PER_SEC)
#define MISSES 3
#define STATUS_MIN 100
#define STATUS_MAX 599

static const struct ipmap_range http_expects = {200, 399};

static bool check_room(struct reader *reader, struct frame *opened)
{
    if (!service_has_room(reader, opened, service_source(reader)->n_checks, LIMIT_CHECKS_PER_SOURCE, "checks"))
        return false;
    if (reader->n_checks < LIMIT_CHECKS)
        return true;
    if (!reader->checks_full)
        reader_error(reader, &opened->place, "more than %d checks", LIMIT_CHECKS);
    reader->checks_full = true;
    opened->block = BLOCK_NONE;
    return false;
}

/* The check with what holds for its kind; NULL where its statement is wrong. */
static struct ipmap_check *begin(struct reader *reader, const struct statement *statement, struct frame *opened,
                                 enum ipmap_check_kind kind)
{
    struct ipmap_check *check = &service_begin(reader, statement)->check;

    if (!check_room(reader, opened) || statement->bad || !expect_values(reader, statement, 1))
        return NULL;
    check->kind = kind;
    check->misses = MISSES;
    check->interval_ns = kind == IPMAP_CHECK_EXEC ? EXEC_INTERVAL_NS : INTERVAL_NS;
    return check;
}

static bool keep_text(struct reader *reader, const char *text, const char **ret)
{
    *ret = pool_text(&reader->pool, text, strlen(text));
    if (!*ret)
        reader->status = -ENOMEM;
    return *ret;
}

bool apply_probe_tcp(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct ipmap_check *check = begin(reader, statement, opened, IPMAP_CHECK_TCP);
    uint32_t port;
    size_t n;

    if (!check || !read_number(reader, statement->kind, statement_values(statement, &n), &port))
        return false;
    check->port = (uint16_t)port;
    return true;
}

/* The URL for people: whatever its password is, they do not see it. */
static bool keep_url(struct reader *reader, const struct word *word, struct ipmap_check *check)
{
    static const char hidden[] = "***";
    size_t length = 0, password = url_password(word->text, word->length, &length);
    char shown[LIMIT_URL + sizeof hidden];

    check->url = keep_word(reader, word);
    if (!check->url)
        return false;
    if (password == 0)
        length = 0, password = word->length;
    snprintf(shown, sizeof shown, "%.*s%s%.*s", (int)password, word->text, length > 0 ? hidden : "",
             (int)(word->length - password - length), word->text + password + length);
    return keep_text(reader, shown, &check->text);
}

bool apply_probe_url(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct ipmap_check *check = begin(reader, statement, opened, IPMAP_CHECK_URL);
    struct service *service = &reader->service;
    const char *refusal;
    size_t n;
    const struct word *word = statement_values(statement, &n);

    if (!check)
        return false;
    refusal = url_read(word->text, word->length, &service->scheme);
    if (refusal)
        return refuse_word(reader, word, refusal);
    check->verify_peer = true;
    return keep_url(reader, word, check);
}

bool apply_probe_exec(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;

    if (!begin(reader, statement, opened, IPMAP_CHECK_EXEC))
        return false;
    take_command(reader, statement_values(statement, &n));
    return true;
}

/* Whether the URL's scheme can do what the statement asks; where it was refused itself, nothing is said. */
static bool scheme_can(struct reader *reader, const struct statement *statement, bool can, const char *what)
{
    const struct service *service = &reader->service;

    if (!service->scheme || can)
        return service->scheme != NULL;
    reader_error(reader, &statement->place, "%s has no %s", service->scheme->name, what);
    return false;
}

/* CODE or CODE..CODE */
static bool read_range(struct reader *reader, const struct word *word, struct ipmap_range *ret)
{
    const char *dots = memmem(word->text, word->length, "..", 2);
    size_t first = dots ? (size_t)(dots - word->text) : word->length;
    int64_t from, to;

    if (parse_digits(word->text, first, &from) < 0)
        return refuse_word(reader, word, "is no status; 200, or 200..299, was expected");
    to = from;
    if (dots && parse_digits(dots + 2, word->length - first - 2, &to) < 0)
        return refuse_word(reader, word, "is no status; 200, or 200..299, was expected");
    if (from < STATUS_MIN || to > STATUS_MAX || from > to)
        return refuse_word(reader, word, "is no range of status codes; they are 100 to 599, the lower one first");
    *ret = (struct ipmap_range){(uint16_t)from, (uint16_t)to};
    return true;
}

bool apply_expect(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct service *service = &reader->service;
    char shown[QUOTE_TEXT];
    size_t n;
    const struct word *values = statement_values(statement, &n);

    (void)opened;
    if (!scheme_can(reader, statement, service->scheme && service->scheme->status, "status of three digits"))
        return false;
    if (n == 0)
        return expect_values(reader, statement, 1);
    for (size_t i = 0; i < n; i++) {
        if (values[i].after_comma != (i > 0)) {
            reader_error(reader, &values[i].place, "',' before '%s' was %s", quote(&values[i], shown),
                         i > 0 ? "expected" : "not expected");
            return false;
        }
        if (service->check.n_expect == LIMIT_EXPECT) {
            reader_error(reader, &values[i].place, "more than %d ranges", LIMIT_EXPECT);
            return false;
        }
        if (!read_range(reader, &values[i], &service->check.expect[service->check.n_expect++]))
            return false;
    }
    return true;
}

bool apply_body(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct service *service = &reader->service;
    size_t n;

    (void)opened;
    if (!scheme_can(reader, statement, service->scheme && service->scheme->body, "text in its answer") ||
        !expect_values(reader, statement, 1))
        return false;
    service->check.body = keep_readable(reader, statement_values(statement, &n), LIMIT_BODY);
    return service->check.body;
}

bool apply_host(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct service *service = &reader->service;
    char name[DNS_NAME_TEXT];
    const char *refusal;
    size_t n;
    const struct word *word = statement_values(statement, &n);

    (void)opened;
    if (!scheme_can(reader, statement, service->scheme && service->scheme->http, "Host header") ||
        !expect_values(reader, statement, 1))
        return false;
    refusal = dns_name_read(word->text, word->length, name);
    return refusal ? refuse_word(reader, word, refusal) : keep_text(reader, name, &service->check.host);
}

bool apply_redirects(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    const struct url_scheme *scheme = reader->service.scheme;

    return scheme_can(reader, statement, scheme && scheme->http, "redirects") && apply_flag(reader, statement, opened);
}

/* A redirect may lead from http to https. */
bool apply_verify_peer(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    const struct url_scheme *scheme = reader->service.scheme;

    return scheme_can(reader, statement, scheme && (scheme->tls || scheme->http), "certificate") &&
           apply_flag(reader, statement, opened);
}

bool apply_ask(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    size_t n;

    (void)opened;
    return expect_values(reader, statement, 1) &&
           read_address(reader, statement_values(statement, &n), &reader->service.check.address, NULL);
}

/* An address of this host, or a NIC of it: what begins with a digit and has a dot is meant as the first. */
bool apply_from(struct reader *reader, const struct statement *statement, struct frame *opened)
{
    struct ipmap_check *check = &reader->service.check;
    size_t n;
    const struct word *word = statement_values(statement, &n);

    (void)opened;
    if (!expect_values(reader, statement, 1))
        return false;
    if (memchr(word->text, ':', word->length) ||
        (word->length > 0 && word->text[0] >= '0' && word->text[0] <= '9' && memchr(word->text, '.', word->length)))
        return read_address(reader, word, &check->from, NULL);
    return read_target_nic(reader, word, check->from_dev);
}

/* Its time limit: never beyond the next round, so that no two rounds of a check are under way at once. */
static bool close_timeout(struct reader *reader, struct service *service)
{
    struct ipmap_check *check = &service->check;
    nsec_t timeout_ns = check->kind == IPMAP_CHECK_EXEC ? EXEC_TIMEOUT_NS : TIMEOUT_NS;
    char timeout[DURATION_TEXT], interval[DURATION_TEXT];

    check->timeout_ns = service->timeout_ns ? service->timeout_ns : nsec_min(timeout_ns, check->interval_ns);
    if (check->timeout_ns <= check->interval_ns)
        return true;
    reader_error(reader, &service->place, "its timeout, %s, is longer than its interval, %s",
                 duration_text(check->timeout_ns, timeout), duration_text(check->interval_ns, interval));
    return false;
}

static bool close_kind(struct reader *reader, struct service *service)
{
    struct ipmap_check *check = &service->check;
    char text[64], address[IP_ADDRESS_TEXT];

    switch (check->kind) {
    case IPMAP_CHECK_TCP:
        if (check->address.family)
            snprintf(text, sizeof text, "tcp %u at %s", check->port, ip_address_format(&check->address, address));
        else
            snprintf(text, sizeof text, "tcp %u", check->port);
        return keep_text(reader, text, &check->text);
    case IPMAP_CHECK_URL:
        if (check->n_expect == 0 && service->scheme->http)
            check->expect[check->n_expect++] = http_expects;
        return true;
    case IPMAP_CHECK_EXEC:
        if (!close_command(reader, check->timeout_ns))
            return false;
        check->command = service->command;
        check->text = check->command.text;
        return true;
    }
    return false;
}

void close_check(struct reader *reader, const struct frame *frame)
{
    struct service *service = &reader->service;

    if (reader->n_errors != frame->errors || reader->status < 0 || !close_timeout(reader, service) ||
        !close_kind(reader, service) || !READER_GROW(reader, reader->checks, reader->n_checks, reader->checks_room))
        return;
    reader->checks[reader->n_checks++] = (struct check_draft){service->check, service->place};
    service_source(reader)->n_checks++;
}

/* Whom a check without an address of its own asks: the source's first one, which may stand below it. */
void close_source_checks(struct reader *reader, const struct source_draft *source, const struct ip_address *first)
{
    for (size_t i = reader->n_checks - source->n_checks; i < reader->n_checks; i++) {
        struct ipmap_check *check = &reader->checks[i].check;

        if (check->kind != IPMAP_CHECK_TCP)
            continue;
        if (!check->address.family && !first)
            reader_error(reader, &reader->checks[i].place, "'%s' has no 'address', and its source has none either",
                         check->text);
        else if (!check->address.family)
            check->address = *first;
        if (check->address.family && check->from.family && check->address.family != check->from.family)
            reader_error(reader, &reader->checks[i].place, "'%s' asks an address of the other family than its 'from'",
                         check->text);
    }
}
