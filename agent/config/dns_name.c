/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config/dns_name.h"

#include <string.h>

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 1123 section 2.1: letters, digits, hyphens inside; and the underscore, which some hosts have all the same. */
static const char *label_refusal(const char *label, size_t length)
{
    if (length == 0)
        return "is no DNS name; a label of it is empty";
    if (length > LIMIT_DNS_LABEL) /* RFC 1035 section 2.3.4 */
        return "is no DNS name; a label has at most 63 bytes";
    for (size_t i = 0; i < length; i++)
        if (!is_letter_or_digit(label[i]) && label[i] != '_' && (label[i] != '-' || i == 0 || i + 1 == length))
            return "is no DNS name; letters, digits and hyphens between them were expected";
    return NULL;
}

const char *dns_name_read(const char *text, size_t length, char ret[static DNS_NAME_TEXT])
{
    char name[DNS_NAME_TEXT];
    size_t start = 0;

    if (length > 0 && text[length - 1] == '.')
        length--;
    if (length == 0)
        return "is no DNS name";
    if (length > LIMIT_DNS_NAME)
        return "is no DNS name; it has at most 253 bytes";
    for (size_t i = 0; i <= length; i++) {
        const char *refusal;

        if (i < length)
            name[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        if (i < length && text[i] != '.')
            continue;
        refusal = label_refusal(name + start, i - start);
        if (refusal)
            return refusal;
        start = i + 1;
    }
    memcpy(ret, name, length);
    ret[length] = '\0';
    return NULL;
}

bool dns_name_within(const char *name, const char *zone)
{
    size_t length = strlen(name), zone_length = strlen(zone);

    if (length < zone_length || strcmp(name + length - zone_length, zone) != 0)
        return false;
    return length == zone_length || name[length - zone_length - 1] == '.';
}
