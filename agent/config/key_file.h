/* SPDX-License-Identifier: Apache-2.0 */
/* TSIG keys as tsig-keygen(8) writes them: key "name" { algorithm hmac-sha256; secret "base64"; }; */
#pragma once

#include "agent/config/dns_name.h"
#include "agent/config/ipmap.h"

#define KEY_FILE_BYTES_MAX 4096
/* Characters of a secret in base64, and the fewest bytes that it may stand for. */
#define KEY_SECRET_MAX 512
#define KEY_SECRET_MIN_BYTES 16
#define KEY_REASON 128

struct key_file {
    char name[DNS_NAME_TEXT];
    enum ipmap_key_algorithm algorithm;
    char secret[KEY_SECRET_MAX + 1]; /* base64 */
};

/* Reads the one key in the text. -EINVAL with the reason in words, in which nothing of the text stands. */
int key_file_parse(const char *text, size_t length, struct key_file *ret, char reason[static KEY_REASON]);
