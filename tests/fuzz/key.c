/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file with a TSIG key: what is accepted is a name, an algorithm and base64. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/key_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_key(const struct key_file *key)
{
    char again[DNS_NAME_TEXT];

    check(!dns_name_read(key->name, strlen(key->name), again) && strcmp(key->name, again) == 0);
    check(ipmap_key_algorithm_name(key->algorithm));
    check(strlen(key->secret) % 4 == 0 && strlen(key->secret) / 4 * 3 >= KEY_SECRET_MIN_BYTES);
    for (const char *c = key->secret; *c; c++)
        check(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", *c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[KEY_REASON] = "";
    struct key_file key;
    int r = key_file_parse(size > 0 ? (const char *)data : "", size, &key, reason);

    check(r == 0 || r == -EINVAL);
    check((r == 0) == (reason[0] == '\0'));
    for (const char *c = reason; *c; c++)
        check(*c >= ' ' && *c < 0x7f);
    if (r == 0)
        check_key(&key);
    return 0;
}
