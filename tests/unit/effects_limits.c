/* SPDX-License-Identifier: Apache-2.0 */
/* Journals of many addresses: up to the limit, beyond it, and what they cost. */
#include <time.h>

#include "tests/unit/effects_sample.h"

#define HEADER "standin journal 1\n" JOURNAL_NOTE "boot \"b\"\nserial 1\n"

static int decode_body(const char *body)
{
    char *text = sealed(body, strlen(body));
    struct journal journal = {0};
    int r = journal_decode(text, strlen(text), &journal);

    free(text);
    journal_free(&journal);
    return r;
}

static void too_many_records_are_refused(void **state)
{
    const size_t n = JOURNAL_RECORDS_MAX + 1;
    char *body = malloc(sizeof HEADER + n * sizeof "address 2001:db8::ffff:ffff\n"), *end = stpcpy(body, HEADER);
    char *last = end;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        last = end;
        end += sprintf(end, "address 2001:db8::%zx:%zx\n", i >> 16, i & 0xffff);
    }
    assert_int_equal(decode_body(body), -EBADMSG);
    *last = '\0';
    assert_int_equal(decode_body(body), 0);
    free(body);
}

static void too_long_a_file_is_not_written(void **state)
{
    struct journal journal = {.n_nics = LIMIT_ADDRESSES};
    char *text = NULL;
    size_t length;

    (void)state;
    journal.nics = calloc(journal.n_nics, sizeof *journal.nics);
    for (size_t i = 0; i < journal.n_nics; i++) {
        memset(journal.nics[i].source, '\n', LIMIT_NAME);
        memset(journal.nics[i].nic, '\n', LIMIT_NAME);
    }
    assert_int_equal(journal_encode(&journal, &text, &length), -EFBIG);
    assert_null(text);
    free(journal.nics);
}

/* The processor's time for one way and back, the best of some. */
static int64_t cost_ns(size_t n)
{
    struct journal before = {.n_nics = n / 10, .n_addresses = n}, after;
    int64_t best_ns = INT64_MAX;

    before.nics = calloc(before.n_nics, sizeof *before.nics);
    before.addresses = calloc(n, sizeof *before.addresses);
    for (size_t i = 0; i < before.n_nics; i++) {
        snprintf(before.nics[i].source, sizeof before.nics[i].source, "host%zu", i);
        strcpy(before.nics[i].nic, "eth0");
    }
    for (uint32_t i = 0; i < n; i++) {
        before.addresses[i] =
            (struct journal_address){.ip = ip_address_of(i % 2 ? AF_INET : AF_INET6, &(uint32_t[4]){i}),
                                     .mac = {{1, 2, 3, 4, 5, 6}},
                                     .held = true,
                                     .prefix = 32,
                                     .dev = "eth0",
                                     .held_since_real_ns = SAMPLE_TIME_NS + i};
    }
    for (int i = 0; i < 3; i++) {
        struct timespec begin, end;
        size_t length;
        char *text;
        int64_t spent_ns;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
        text = encoded(&before, &length);
        assert_int_equal(journal_decode(text, length, &after), 0);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        spent_ns = (end.tv_sec - begin.tv_sec) * NSEC_PER_SEC + end.tv_nsec - begin.tv_nsec;
        best_ns = spent_ns < best_ns ? spent_ns : best_ns;
        assert_int_equal(after.n_addresses, n);
        journal_free(&after);
        free(text);
    }
    journal_free(&before);
    return best_ns;
}

static void cost_grows_with_the_number(void **state)
{
    int64_t few_ns = cost_ns(LIMIT_ADDRESSES / 20), many_ns = cost_ns(LIMIT_ADDRESSES);

    (void)state;
    print_message("%d addresses: %lld us, %d: %lld us\n", LIMIT_ADDRESSES / 20, (long long)(few_ns / NSEC_PER_USEC),
                  LIMIT_ADDRESSES, (long long)(many_ns / NSEC_PER_USEC));
    /* 20 times as many: 20 is linear (with caches somewhat more), 400 is quadratic. */
    assert_true(many_ns < 100 * few_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_records_are_refused),
        cmocka_unit_test(too_long_a_file_is_not_written),
        cmocka_unit_test(cost_grows_with_the_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
