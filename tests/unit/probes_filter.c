/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of the ARP and ND probes say what libpcap's compiler would have them say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/link_kind.h"
#include "tests/unit/filter_twin.h"

/* RFC 826: a reply from 192.0.2.10 to 192.0.2.2; and one that differs in one bit from a gratuitous one. */
static const struct twin_frame arp_answers[] = {
    {"\x02\x11\x22\x33\x44\xaa\x02\x55\x66\x77\x88\xbb\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02"
     "\x02\x55\x66\x77\x88\xbb\xc0\x00\x02\x0a\x02\x11\x22\x33\x44\xaa\xc0\x00\x02\x02",
     42},
    {"\x02\x11\x22\x33\x44\xaa\x02\x55\x66\x77\x88\xbb\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02"
     "\x02\x55\x66\x77\x88\xbb\xc0\x00\x02\x0a\x02\x11\x22\x33\x44\xaa\xc0\x00\x02\x0b",
     42},
};
/* RFC 4861 section 4.4: a solicited advertisement. */
static const struct twin_frame nd_answers[] = {
    {"\x02\x11\x22\x33\x44\xaa\x02\x55\x66\x77\x88\xbb\x86\xdd\x60\x00\x00\x00\x00\x20\x3a\xff"
     "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"
     "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x88\x00\x12\x34\x60\x00\x00\x00",
     86},
};

static void lets_arp_replies_through(void **state)
{
    const struct sock_fprog *filter = &link_kind_arp.filter;

    (void)state;
    twin_compare(filter->filter, filter->len,
                 "arp[0:2] = 1 and arp[2:2] = 0x0800 and arp[6:2] = 2 and arp[14:4] != arp[24:4]", arp_answers,
                 sizeof arp_answers / sizeof *arp_answers, true);
}

static void lets_solicited_advertisements_through(void **state)
{
    const struct sock_fprog *filter = &link_kind_nd.filter;

    (void)state;
    twin_compare(filter->filter, filter->len,
                 "ip6[6] = 58 and ip6[7] = 255 and ip6[40] = 136 and ip6[41] = 0 and ip6[44] & 0x40 != 0", nd_answers,
                 sizeof nd_answers / sizeof *nd_answers, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_arp_replies_through),
        cmocka_unit_test(lets_solicited_advertisements_through),
    };

    twin_seed_from_environment();
    return cmocka_run_group_tests_name("probes_filter", tests, NULL, NULL);
}
