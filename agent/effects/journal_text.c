/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/effects/journal_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define DATE "%Y-%m-%dT%H:%M:%S"

uint64_t journal_checksum(const void *bytes, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (const uint8_t *byte = bytes, *end = byte + length; byte < end; byte++)
        hash = (hash ^ *byte) * 0x100000001b3;
    return hash;
}

void journal_checksum_line(const char *text, size_t length, char ret[static JOURNAL_CHECKSUM_LINE])
{
    snprintf(ret, JOURNAL_CHECKSUM_LINE, "checksum %016" PRIx64 "\n", journal_checksum(text, length));
}

const char *journal_time_format(int64_t real_ns, char text[static JOURNAL_TIME_TEXT])
{
    /* Rounded down, so that the fraction counts forward before 1970 too. */
    int64_t fraction_ns = (real_ns % NSEC_PER_SEC + NSEC_PER_SEC) % NSEC_PER_SEC;
    time_t seconds = real_ns / NSEC_PER_SEC - (real_ns % NSEC_PER_SEC < 0);
    struct tm date;
    size_t length = strftime(text, JOURNAL_TIME_TEXT, DATE, gmtime_r(&seconds, &date));

    snprintf(text + length, JOURNAL_TIME_TEXT - length, ".%09" PRId64 "Z", fraction_ns);
    return text;
}

bool journal_time_parse(const char *text, int64_t *ret_real_ns)
{
    char again[JOURNAL_TIME_TEXT];
    struct tm date = {0};
    const char *rest = strptime(text, DATE, &date);
    __int128 real_ns;

    if (!rest || *rest != '.')
        return false;
    real_ns = (__int128)timegm(&date) * NSEC_PER_SEC + strtoul(rest + 1, NULL, 10);
    if (real_ns < INT64_MIN || real_ns > INT64_MAX)
        return false;
    /* Those functions take more than what is written: blanks, missing digits, the 30th of February. */
    if (strcmp(journal_time_format((int64_t)real_ns, again), text) != 0)
        return false;
    *ret_real_ns = (int64_t)real_ns;
    return true;
}

static bool is_text(const char *text, size_t room)
{
    size_t length = strnlen(text, room);

    return length > 0 && length < room;
}

const char *journal_verdict_text(enum journal_verdict verdict)
{
    switch (verdict) {
    case JOURNAL_VERDICT_NONE:
        break;
    case JOURNAL_VERDICT_AWAITING:
        return " awaiting";
    case JOURNAL_VERDICT_UNWITNESSED:
        return " awaiting unwitnessed";
    case JOURNAL_VERDICT_DAMPED:
        return " awaiting damped";
    case JOURNAL_VERDICT_DENIED:
        return " denied";
    case JOURNAL_VERDICT_EXPIRED:
        return " expired";
    }
    return "";
}

bool journal_nic_is_valid(const struct journal_nic *nic)
{
    return is_text(nic->source, sizeof nic->source) && is_text(nic->nic, sizeof nic->nic);
}

bool journal_takeover_is_valid(const struct journal_takeover *takeover)
{
    return is_text(takeover->source, sizeof takeover->source);
}

bool journal_services_is_valid(const struct journal_services *services)
{
    return is_text(services->source, sizeof services->source);
}

bool journal_address_is_valid(const struct journal_address *address)
{
    uint8_t family = address->ip.family;

    if (family != AF_INET && family != AF_INET6)
        return false;
    if (!address->held)
        return true;
    return address->prefix > 0 && address->prefix <= ip_address_bits(family) &&
           is_text(address->dev, sizeof address->dev);
}
