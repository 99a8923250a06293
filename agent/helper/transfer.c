/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/helper/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/cleanup.h"

/* All that may be asked for; judged here again, whatever the one who asks has judged. */
#define SCHEMES "http,https,ftp,ftps,smtp,smtps,imap,imaps,pop3,pop3s"
#define SCHEMES_REDIRECTED "http,https"
#define REDIRECTS_MAX 5L
/* Of what is read at once; the default is four times that, for each of a thousand. */
#define BUFFER_BYTES 4096L
#define AGENT_NAME "standin/" STANDIN_VERSION

/* What is asked where the URL names nothing: a question that nobody has to log in for, and that changes nothing. */
static const struct {
    const char *scheme;
    const char *command;
} questions[] = {
    {"smtp", "NOOP"},        /* RFC 5321 section 4.1.1.9 */
    {"smtps", "NOOP"},       /* likewise */
    {"imap", "CAPABILITY"},  /* RFC 3501 section 6.1.1 */
    {"imaps", "CAPABILITY"}, /* likewise */
    {"pop3", "CAPA"},        /* RFC 2449 section 5 */
    {"pop3s", "CAPA"},       /* likewise */
};

static curl_socket_t open_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = userdata;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);

    (void)purpose;
    if (fd < 0)
        transfer->socket_errno = errno;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* No connection outlives its transfer: see FORBID_REUSE, and threads.c. */
static int close_socket(void *userdata, curl_socket_t fd)
{
    struct transfer *transfer = userdata;
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    transfer->connected |= getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
    return close(fd);
}

/* The text may have begun in what was read before. */
static bool is_in(const struct transfer *transfer, const char *data, size_t length)
{
    size_t n_text = strlen(transfer->url.body), n_more = length < n_text - 1 ? length : n_text - 1;
    char seam[2 * JOB_TEXT_MAX];

    memcpy(seam, transfer->tail, transfer->n_tail);
    memcpy(seam + transfer->n_tail, data, n_more);
    return memmem(seam, transfer->n_tail + n_more, transfer->url.body, n_text) ||
           memmem(data, length, transfer->url.body, n_text);
}

static void keep_tail(struct transfer *transfer, const char *data, size_t length)
{
    size_t most = strlen(transfer->url.body) - 1, n_old;

    if (length >= most) {
        memcpy(transfer->tail, data + length - most, most);
        transfer->n_tail = most;
        return;
    }
    n_old = transfer->n_tail < most - length ? transfer->n_tail : most - length;
    memmove(transfer->tail, transfer->tail + transfer->n_tail - n_old, n_old);
    memcpy(transfer->tail + n_old, data, length);
    transfer->n_tail = n_old + length;
}

/* Taking none of it ends the transfer: enough was read. */
static size_t take(char *data, size_t size, size_t n, void *userdata)
{
    struct transfer *transfer = userdata;
    size_t length = size * n, left = TRANSFER_READ_MAX - transfer->n_read, taken = length < left ? length : left;

    if (transfer->url.body && !transfer->found) {
        transfer->found = is_in(transfer, data, taken);
        keep_tail(transfer, data, taken);
    }
    transfer->n_read += taken;
    return transfer->n_read == TRANSFER_READ_MAX ? 0 : length;
}

/* `host` in the place of the URL's, with a rule that leads it where the URL's own would have led. */
static CURLUcode replace_host(struct transfer *transfer)
{
    char *host = NULL, *port = NULL, rule[2 * JOB_TEXT_MAX];
    CURLUcode code = curl_url_get(transfer->parts, CURLUPART_HOST, &host, 0);

    if (code == CURLUE_OK)
        code = curl_url_get(transfer->parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (code == CURLUE_OK)
        code = curl_url_set(transfer->parts, CURLUPART_HOST, transfer->url.host, 0);
    if (code == CURLUE_OK) {
        (void)snprintf(rule, sizeof rule, "%s:%s:%s:%s", transfer->url.host, port, host, port);
        transfer->connect_to = curl_slist_append(NULL, rule);
        if (!transfer->connect_to)
            code = CURLUE_OUT_OF_MEMORY;
    }
    curl_free(host);
    curl_free(port);
    return code;
}

static CURLUcode set_question(struct transfer *transfer)
{
    char *scheme = NULL, *path = NULL;
    CURLUcode code = curl_url_get(transfer->parts, CURLUPART_SCHEME, &scheme, 0);

    if (code == CURLUE_OK)
        code = curl_url_get(transfer->parts, CURLUPART_PATH, &path, 0);
    if (code == CURLUE_OK && (path[0] == '\0' || strcmp(path, "/") == 0))
        for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
            if (strcmp(scheme, questions[i].scheme) == 0)
                curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, questions[i].command);
    curl_free(scheme);
    curl_free(path);
    return code;
}

/* Of our own name or address to ask from. */
static void set_interface(const struct transfer *transfer)
{
    char text[IP_ADDRESS_TEXT], name[sizeof "host!" + IP_ADDRESS_TEXT];

    if (transfer->url.from_dev)
        (void)snprintf(name, sizeof name, "if!%s", transfer->url.from_dev);
    else if (transfer->url.from.family)
        (void)snprintf(name, sizeof name, "host!%s", ip_address_format(&transfer->url.from, text));
    else
        return;
    curl_easy_setopt(transfer->easy, CURLOPT_INTERFACE, name);
}

/* Nothing is taken from the environment or from files of users, and nothing is kept for the next. */
static void set_alone(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, SCHEMES);
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, SCHEMES_REDIRECTED);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A look-up that takes longer than the time limit is left to its thread. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    /* A certificate is judged each time. */
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, AGENT_NAME);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
}

bool transfer_is_http(const struct transfer *transfer)
{
    char *scheme = NULL;
    bool http;

    curl_url_get(transfer->parts, CURLUPART_SCHEME, &scheme, 0);
    http = scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return http;
}

static void set_options(struct transfer *transfer)
{
    const struct job_url *url = &transfer->url;
    CURL *easy = transfer->easy;

    set_alone(easy);
    /* Of the others, a connection that is not kept is one that waits for a goodbye; see threads.c. */
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, transfer_is_http(transfer) ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_CURLU, transfer->parts);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(url->timeout_ns / NSEC_PER_MSEC));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(url->timeout_ns / NSEC_PER_MSEC));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, url->verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, url->verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, url->redirects ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    set_interface(transfer);
}

static CURLUcode prepare(struct transfer *transfer)
{
    CURLUcode code = curl_url_set(transfer->parts, CURLUPART_URL, transfer->url.url, 0);

    if (code == CURLUE_OK && transfer->url.host)
        code = replace_host(transfer);
    if (code == CURLUE_OK)
        code = set_question(transfer);
    return code;
}

struct transfer *transfer_new(uint64_t id, const struct job_url *url, void *memory, struct report *refusal)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    CURLUcode code = CURLUE_OUT_OF_MEMORY;

    if (transfer) {
        transfer->id = id;
        transfer->url = *url;
        transfer->easy = curl_easy_init();
        transfer->parts = curl_url();
        transfer->tail = url->body ? malloc(strlen(url->body)) : NULL;
        if (transfer->easy && transfer->parts && (!url->body || transfer->tail))
            code = prepare(transfer);
    }
    if (code == CURLUE_OK) {
        set_options(transfer);
        transfer->memory = memory;
        return transfer;
    }
    report_set(refusal, JOB_UNABLE, "this URL cannot be asked: %s", curl_url_strerror(code));
    transfer_free(transfer);
    return NULL;
}

void transfer_free(struct transfer *transfer)
{
    struct job_request request = {.kind = JOB_URL};

    if (!transfer)
        return;
    curl_easy_cleanup(transfer->easy);
    curl_url_cleanup(transfer->parts);
    curl_slist_free_all(transfer->connect_to);
    request.memory = transfer->memory;
    job_request_free(&request);
    free(transfer->tail);
    free(transfer);
}
