/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer means: passed, missed (that is the other side's doing), or unable (ours, and says nothing of it). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/helper/transfer.h"

/* HTTP's default: RFC 9110 section 15, what is neither the client's fault nor the server's. */
#define HTTP_GOOD_FROM 200
#define HTTP_GOOD_TO 399

/* What curl knows of one that has ended. */
struct ending {
    CURLcode code;
    long status;   /* of HTTP, or the last reply's; 0 */
    long os_errno; /* of the connection that failed; 0 */
    nsec_t took_ns;
    bool resolved; /* there was an address to connect to */
    bool connected;
    bool http;
};

static nsec_t time_of(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;

    curl_easy_getinfo(easy, info, &us);
    return us * NSEC_PER_USEC;
}

static struct ending ending_of(const struct transfer *transfer, CURLcode code)
{
    CURL *easy = transfer->easy;
    struct ending ending = {.code = code, .took_ns = time_of(easy, CURLINFO_TOTAL_TIME_T)};

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ending.status);
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &ending.os_errno);
    ending.resolved = time_of(easy, CURLINFO_NAMELOOKUP_TIME_T) > 0;
    /* Curl counts a connection only when TLS is done, too. */
    ending.connected = transfer->connected || time_of(easy, CURLINFO_CONNECT_TIME_T) > 0;
    ending.http = transfer_is_http(transfer);
    /* Enough was read. */
    if (code == CURLE_WRITE_ERROR && transfer->n_read == TRANSFER_READ_MAX)
        ending.code = CURLE_OK;
    return ending;
}

/* "200..299, 304" */
static const char *format_ranges(const struct job_url *url, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < url->n_expect && length < size; i++) {
        const struct job_range *range = &url->expect[i];
        const char *comma = i > 0 ? ", " : "";

        if (range->from == range->to)
            length += (size_t)snprintf(text + length, size - length, "%s%u", comma, range->from);
        else
            length += (size_t)snprintf(text + length, size - length, "%s%u..%u", comma, range->from, range->to);
    }
    return text;
}

static bool is_expected(const struct job_url *url, const struct ending *ending)
{
    for (size_t i = 0; i < url->n_expect; i++)
        if (ending->status >= url->expect[i].from && ending->status <= url->expect[i].to)
            return true;
    if (url->n_expect > 0)
        return false;
    return !ending->http || (ending->status >= HTTP_GOOD_FROM && ending->status <= HTTP_GOOD_TO);
}

static void judge_answer(const struct transfer *transfer, const struct ending *ending, struct report *report)
{
    const struct job_url *url = &transfer->url;
    double ms = (double)ending->took_ns / (double)NSEC_PER_MSEC;
    char ranges[128];

    if (!is_expected(url, ending))
        report_set(report, JOB_MISSED, "%ld, where %s was expected", ending->status,
                   url->n_expect > 0 ? format_ranges(url, ranges, sizeof ranges) : "200..399");
    else if (url->body && !transfer->found)
        report_set(report, JOB_MISSED, "%ld, but without the text that was expected%s", ending->status,
                   transfer->n_read == TRANSFER_READ_MAX ? " in the first 64 KiB" : "");
    else if (ending->status >= 100)
        report_set(report, JOB_PASSED, "%ld in %.1f ms", ending->status, ms);
    else
        report_set(report, JOB_PASSED, "answered in %.1f ms", ms);
}

/* Our own limits and settings, and what keeps a packet from leaving this host. */
static bool is_own_errno(long number)
{
    switch (number) {
    case EACCES:
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
    case EMFILE:
    case ENETDOWN:
    case ENETUNREACH:
    case ENFILE:
    case ENOBUFS:
    case ENODEV:
    case ENOMEM:
    case EPERM:
        return true;
    default:
        return false;
    }
}

/* Codes that tell of this process alone; the first two not where an answer led there. */
static bool is_own_code(const struct ending *ending)
{
    static const CURLcode own[] = {CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT,         CURLE_FAILED_INIT,
                                   CURLE_NOT_BUILT_IN,         CURLE_OUT_OF_MEMORY,         CURLE_INTERFACE_FAILED,
                                   CURLE_READ_ERROR,           CURLE_BAD_FUNCTION_ARGUMENT, CURLE_SSL_ENGINE_INITFAILED,
                                   CURLE_SSL_ENGINE_NOTFOUND,  CURLE_SSL_CACERT_BADFILE,    CURLE_UNKNOWN_OPTION,
                                   CURLE_SSL_CRL_BADFILE,      CURLE_ABORTED_BY_CALLBACK};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i] == ending->code)
            return i > 1 || !ending->connected;
    return false;
}

/* Codes by which curl calls an answer a failure, of which `expect` may think otherwise. */
static bool is_answer_code(CURLcode code)
{
    static const CURLcode answers[] = {
        CURLE_OK,
        CURLE_LOGIN_DENIED,
        CURLE_REMOTE_ACCESS_DENIED,
        CURLE_REMOTE_FILE_NOT_FOUND,
        CURLE_FTP_COULDNT_RETR_FILE,
        CURLE_WEIRD_SERVER_REPLY,
        CURLE_QUOTE_ERROR,
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i] == code)
            return true;
    return false;
}

/* Whether we looked so late that the answer may have been there in time. */
static bool is_own_delay(const struct transfer *transfer, const struct ending *ending)
{
    nsec_t timeout_ns = transfer->url.timeout_ns;

    return ending->took_ns - timeout_ns > nsec_max(timeout_ns / 4, 50 * NSEC_PER_MSEC);
}

static void judge_timeout(const struct transfer *transfer, const struct ending *ending, struct report *report)
{
    double ms = (double)transfer->url.timeout_ns / (double)NSEC_PER_MSEC;

    if (is_own_delay(transfer, ending))
        report_set(report, JOB_UNABLE, "this host was too busy to see an answer in time");
    else if (!ending->resolved)
        report_set(report, JOB_UNABLE, "no address for its name in %.0f ms", ms);
    else if (!ending->connected)
        report_set(report, JOB_MISSED, "no connection in %.0f ms", ms);
    else
        report_set(report, JOB_MISSED, "connected, but no answer in %.0f ms", ms);
}

static const char *reason_of(const struct transfer *transfer, const struct ending *ending)
{
    return transfer->error[0] ? transfer->error : curl_easy_strerror(ending->code);
}

static void judge_connection(const struct transfer *transfer, const struct ending *ending, struct report *report)
{
    long number = transfer->socket_errno ? transfer->socket_errno : ending->os_errno;

    if (number != 0)
        report_set(report, is_own_errno(number) ? JOB_UNABLE : JOB_MISSED, "no connection: %s", strerror((int)number));
    else
        report_set(report, JOB_MISSED, "%s", reason_of(transfer, ending));
}

void transfer_judge(const struct transfer *transfer, CURLcode code, struct report *ret)
{
    struct ending ending = ending_of(transfer, code);

    ret->took_ns = ending.took_ns;
    if (ending.code == CURLE_OK || (is_answer_code(ending.code) && transfer->url.n_expect > 0 && ending.status >= 100))
        judge_answer(transfer, &ending, ret);
    else if (ending.code == CURLE_OPERATION_TIMEDOUT)
        judge_timeout(transfer, &ending, ret);
    else if (ending.code == CURLE_COULDNT_CONNECT)
        judge_connection(transfer, &ending, ret);
    /* A name that cannot be looked up says nothing of the host that it once led to. */
    else if (ending.code == CURLE_COULDNT_RESOLVE_HOST || is_own_code(&ending))
        report_set(ret, JOB_UNABLE, "%s", reason_of(transfer, &ending));
    else if (ending.status >= 100)
        report_set(ret, JOB_MISSED, "%ld: %s", ending.status, reason_of(transfer, &ending));
    else
        report_set(ret, JOB_MISSED, "%s", reason_of(transfer, &ending));
}
