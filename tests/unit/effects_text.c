/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as text: there and back again, and everything that must not be taken for one. */
#include "tests/unit/effects_sample.h"

#define WORLDS 300

/* What decoding these exact bytes gives, in memory of exactly that size. On failure nothing was touched. */
static int decode(const char *text, size_t length)
{
    char *copy = malloc(length ? length : 1);
    struct journal journal = {.serial = 77};
    int r;

    memcpy(copy, text, length);
    r = journal_decode(copy, length, &journal);
    free(copy);
    if (r < 0) {
        assert_true(journal.serial == 77 && !journal.nics && !journal.addresses);
        return r;
    }
    journal_free(&journal);
    assert_null(journal.nics);
    return 0;
}

static int decode_body(const char *body)
{
    char *text = sealed(body, strlen(body));
    int r = decode(text, strlen(text));

    free(text);
    return r;
}

static void text_is_what_people_read(void **state)
{
    char *expected = sealed(SAMPLE_TEXT, strlen(SAMPLE_TEXT));
    struct journal journal;
    size_t length;
    char *text = encoded(sample_journal(), &length);

    (void)state;
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
    assert_int_equal(journal_decode(expected, length, &journal), 0);
    assert_journal_equal(sample_journal(), &journal);
    journal_free(&journal);
    free(text);
    free(expected);
}

static void empty_journal_returns(void **state)
{
    const struct journal empty = {0};
    struct journal journal;
    size_t length;
    char *text = encoded(&empty, &length);

    (void)state;
    assert_int_equal(journal_decode(text, length, &journal), 0);
    assert_journal_equal(&empty, &journal);
    journal_free(&journal);
    free(text);
}

/* A name of any bytes, long ones more often than chance has it; the number makes it the only one. */
static void random_name(uint64_t *seed, char *name, size_t room, size_t number)
{
    static const char special[] = "a\"\\ \n#x7";
    size_t length = next_random(seed) % 4 == 0 ? room - 1 : 6 + next_random(seed) % (room - 6);

    for (size_t i = 0; i < length; i++) {
        bool chosen = next_random(seed) % 2;

        name[i] = chosen ? special[next_random(seed) % strlen(special)] : (char)(1 + next_random(seed) % 255);
    }
    for (size_t i = 0; i < 3; i++)
        name[i] = (char)('0' + (number >> (4 * i)) % 16);
    name[length] = '\0';
}

static int64_t random_time(uint64_t *seed)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX, -NSEC_PER_SEC};

    if (next_random(seed) % 4 == 0)
        return edges[next_random(seed) % (sizeof edges / sizeof *edges)];
    return (int64_t)next_random(seed);
}

static void random_nic(uint64_t *seed, size_t number, struct journal_nic *nic)
{
    random_name(seed, nic->source, sizeof nic->source, number);
    random_name(seed, nic->nic, sizeof nic->nic, next_random(seed));
    nic->armed = next_random(seed) % 2;
    nic->disarmed = next_random(seed) % 2;
    nic->paused = next_random(seed) % 2;
    nic->verdict = next_random(seed) % (JOURNAL_VERDICT_EXPIRED + 1);
    if (journal_verdict_awaits(nic->verdict))
        nic->approval_until_real_ns = random_time(seed);
}

static void random_address(uint64_t *seed, size_t number, struct journal_address *address)
{
    uint8_t family = next_random(seed) % 2 ? AF_INET : AF_INET6;
    uint64_t bytes[2] = {next_random(seed), next_random(seed)};

    memcpy(bytes, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
    address->ip = ip_address_of(family, bytes);
    if (next_random(seed) % 2)
        memcpy(address->mac.bytes, bytes, sizeof address->mac.bytes);
    address->held = next_random(seed) % 2;
    if (!address->held)
        return;
    address->prefix = (uint8_t)(1 + next_random(seed) % ip_address_bits(family));
    random_name(seed, address->dev, sizeof address->dev, number);
    address->held_since_real_ns = random_time(seed);
}

static void random_journal(uint64_t *seed, struct journal *ret)
{
    ret->serial = next_random(seed);
    random_name(seed, ret->boot_id, sizeof ret->boot_id, 0);
    ret->n_nics = next_random(seed) % 40;
    ret->n_takeovers = next_random(seed) % 40;
    ret->n_addresses = next_random(seed) % 40;
    ret->nics = calloc(ret->n_nics + 1, sizeof *ret->nics);
    ret->takeovers = calloc(ret->n_takeovers + 1, sizeof *ret->takeovers);
    ret->n_services = next_random(seed) % 40;
    ret->services = calloc(ret->n_services + 1, sizeof *ret->services);
    ret->addresses = calloc(ret->n_addresses + 1, sizeof *ret->addresses);
    for (size_t i = 0; i < ret->n_nics; i++)
        random_nic(seed, i, &ret->nics[i]);
    for (size_t i = 0; i < ret->n_takeovers; i++) {
        random_name(seed, ret->takeovers[i].source, sizeof ret->takeovers[i].source, i % 3);
        ret->takeovers[i].at_real_ns = random_time(seed);
    }
    for (size_t i = 0; i < ret->n_services; i++) {
        random_name(seed, ret->services[i].source, sizeof ret->services[i].source, i);
        ret->services[i].paused = next_random(seed) % 2;
        ret->services[i].held = next_random(seed) % 2;
        ret->services[i].disarmed = next_random(seed) % 2;
        ret->services[i].forced = next_random(seed) % 2;
    }
    for (size_t i = 0; i < ret->n_addresses; i++)
        random_address(seed, i, &ret->addresses[i]);
}

static void random_journals_return(void **state)
{
    uint64_t seed = sample_seed();

    (void)state;
    for (int i = 0; i < WORLDS; i++) {
        struct journal before = {0}, after;
        size_t length;
        char *text;

        random_journal(&seed, &before);
        text = encoded(&before, &length);
        for (size_t k = 0; k < length; k++)
            assert_true(text[k] == '\n' || (text[k] >= ' ' && text[k] < 0x7f));
        assert_int_equal(journal_decode(text, length, &after), 0);
        assert_journal_equal(&before, &after);
        journal_free(&before);
        journal_free(&after);
        free(text);
    }
}

static void torn_anywhere_is_refused(void **state)
{
    size_t length;
    char *text = encoded(sample_journal(), &length);

    (void)state;
    assert_int_equal(decode(text, length), 0);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(decode(text, i), -EBADMSG);
    /* Torn and filled up, as some file systems do it. */
    for (size_t i = length; i-- > 0;) {
        text[i] = '\0';
        assert_in_range(-decode(text, length), 1, 4095);
    }
    free(text);
}

static void every_flipped_bit_shows(void **state)
{
    size_t length, first = strlen("standin journal 1\n");
    char *text = encoded(sample_journal(), &length);

    (void)state;
    for (size_t bit = 0; bit < 8 * length; bit++) {
        int r;

        text[bit / 8] ^= (char)(1 << bit % 8);
        r = decode(text, length);
        /* In the first line it may become a foreign file, or another version. */
        assert_true(r == -EBADMSG || (bit / 8 < first && (r == -EMEDIUMTYPE || r == -ENOTSUP)));
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(text);
}

static void joined_and_padded_files_are_refused(void **state)
{
    size_t length;
    char *text = encoded(sample_journal(), &length), *twice = malloc(2 * length);

    (void)state;
    memcpy(twice, text, length);
    memcpy(twice + length, text, length);
    assert_int_equal(decode(twice, 2 * length), -EBADMSG);
    twice[length] = '\n';
    assert_int_equal(decode(twice, length + 1), -EBADMSG);
    free(twice);
    free(text);
}

static void versions_and_foreign_files(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"", -EBADMSG},
        {"standin jour", -EBADMSG},
        {"standin journal ", -EBADMSG},
        {"standin journal 2", -EBADMSG}, /* may go on */
        {"standin journal 0\n", -ENOTSUP},
        {"standin journal 2\n", -ENOTSUP},
        {"standin journal 10\nwhatever comes then", -ENOTSUP},
        {"standin journal 99999999999999999999999999\n", -EBADMSG},
        {"standin journal one\n", -EBADMSG},
        {"standin journal 1 \n", -EBADMSG},
        {"standin journal -1\n", -EBADMSG},
        {"standin journey 1\n", -EMEDIUMTYPE},
        {"x", -EMEDIUMTYPE},
        {"{\"leases\": []}\n", -EMEDIUMTYPE},
        {"\n", -EMEDIUMTYPE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(decode(cases[i].text, strlen(cases[i].text)), cases[i].result);
}

#define HEADER "standin journal 1\n" JOURNAL_NOTE "boot \"b\"\nserial 1\n"
#define NAME_63 "123456789012345678901234567890123456789012345678901234567890123"
#define SINCE "2024-02-29T23:59:59.000000001Z"

/* With a checksum that fits, so that each is refused for what it says. */
static const char *const refused[] = {
    "standin journal 1\n",
    "standin journal 1\n" JOURNAL_NOTE,
    "standin journal 1\n# another note\nboot \"b\"\nserial 1\n",
    "standin journal 1\n" JOURNAL_NOTE "serial 1\nboot \"b\"\n",
    "standin journal 1\n" JOURNAL_NOTE "boot b\nserial 1\n",
    "standin journal 1\n" JOURNAL_NOTE "boot \"1234567890123456789012345678901234567\"\nserial 1\n",
    "standin journal 1\n" JOURNAL_NOTE "boot \"b\"\nserial\n",
    "standin journal 1\n" JOURNAL_NOTE "boot \"b\"\nserial -1\n",
    "standin journal 1\n" JOURNAL_NOTE "boot \"b\"\nserial 18446744073709551616\n",
    "standin journal 1\n" JOURNAL_NOTE "boot \"b\"\nserial 1 \n",
    HEADER "\n",
    HEADER "note \"x\"\n",
    HEADER "nic\n",
    HEADER "nic \"a\"\n",
    HEADER "nic \"a\" \"b\"",
    HEADER "nic \"a\" \"b\" \n",
    HEADER "nic \"a\" \"b\" armed armed\n",
    HEADER "nic \"a\" \"b\" paused armed\n",
    HEADER "nic \"a\" \"b\" armedpaused\n",
    HEADER "nic \"a\" \"b\" denied awaiting\n",
    HEADER "nic \"a\" \"b\" denied until " SINCE "\n",
    HEADER "nic \"a\" \"b\" expired until " SINCE "\n",
    HEADER "nic \"a\" \"b\" damped\n",
    HEADER "nic \"a\" \"b\" awaiting damped unwitnessed\n",
    HEADER "takeover\n",
    HEADER "takeover \"a\"\n",
    HEADER "takeover \"\" " SINCE "\n",
    HEADER "takeover \"a\" soon\n",
    HEADER "takeover \"a\" " SINCE " \n",
    HEADER "takeover \"a\" \"b\" " SINCE "\n",
    HEADER "nic \"a\" \"b\" awaiting until\n",
    HEADER "nic \"a\" \"b\" awaiting until soon\n",
    HEADER "nic \"\" \"b\"\n",
    HEADER "nic \"a\" \"\"\n",
    HEADER "nic \"a\"  \"b\"\n",
    HEADER "nic \"a\" \"b\n",
    HEADER "nic a b\n",
    HEADER "nic \"a\" \"" NAME_63 "4\"\n",
    HEADER "nic \"\\x\" \"b\"\n",
    HEADER "nic \"\\x4\" \"b\"\n",
    HEADER "nic \"\\x4G\" \"b\"\n",
    HEADER "nic \"\\x00\" \"b\"\n",
    HEADER "nic \"a\\x00c\" \"b\"\n",
    HEADER "nic \"\\n\" \"b\"\n",
    HEADER "nic \"a\" \"b\"\nnic \"c\" \"b\"\nnic \"a\" \"b\" armed\n",
    HEADER "nic \"a\" \"b\"\nnic \"\\x61\" \"b\"\n",
    HEADER "address\n",
    HEADER "address \n",
    HEADER "address 192.0.2.256\n",
    HEADER "address 192.0.2.1/24\n",
    HEADER "address 2001:db8::g\n",
    HEADER "address 192.0.2.1 \n",
    HEADER "address 0001:0002:0003:0004:0005:0006:0007:00000008.9.\n", /* as long as the buffer, without a NUL */
    HEADER "address 192.0.2.1 mac 52:54:00:12:34:56:\n",
    HEADER "address 192.0.2.1 held 24 dev \"eth0\" since " SINCE "0\n",
    HEADER "address 192.0.2.1 mac\n",
    HEADER "address 192.0.2.1 mac 52:54:00:12:34\n",
    HEADER "address 192.0.2.1 mac 52:54:00:12:34:56:78\n",
    HEADER "address 192.0.2.1 held\n",
    HEADER "address 192.0.2.1 held 24\n",
    HEADER "address 192.0.2.1 held 24 dev \"eth0\"\n",
    HEADER "address 192.0.2.1 held 24 since " SINCE "\n",
    HEADER "address 192.0.2.1 held 0 dev \"eth0\" since " SINCE "\n",
    HEADER "address 192.0.2.1 held 33 dev \"eth0\" since " SINCE "\n",
    HEADER "address 192.0.2.1 held 280 dev \"eth0\" since " SINCE "\n",
    HEADER "address 2001:db8::1 held 129 dev \"eth0\" since " SINCE "\n",
    HEADER "address 192.0.2.1 held 24 dev \"\" since " SINCE "\n",
    HEADER "address 192.0.2.1 held 24 dev \"1234567890123456\" since " SINCE "\n",
    HEADER "address 192.0.2.1 held 24 dev \"eth0\" since " SINCE " mac 52:54:00:12:34:56\n",
    HEADER "address 192.0.2.1\naddress 192.0.2.2\naddress 192.0.2.1\n",
    HEADER "address 2001:db8::1\naddress 2001:db8:0::1\n",
};

static void lines_that_are_wrong_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_body(HEADER), 0);
    assert_int_equal(
        decode_body(HEADER "nic \"a\" \"" NAME_63 "\"\nnic \"b\" \"a\"\nnic \"ab\" \"c\"\nnic \"a\" \"bc\"\n"), 0);
    assert_int_equal(decode_body(HEADER "address 192.0.2.1 held 32 dev \"123456789012345\" since " SINCE "\n"), 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (decode_body(refused[i]) != -EBADMSG)
            fail_msg("taken: %s", refused[i]);
}

static void a_nul_is_refused(void **state)
{
    static const char body[] = HEADER "nic \"a\" \"b\"\naddress 192.0.2.1\0.5\n";
    char *text = sealed(body, sizeof body - 1);

    (void)state;
    assert_int_equal(decode(text, sizeof body - 1 + JOURNAL_CHECKSUM_LINE - 1), -EBADMSG);
    free(text);
}

static void times_are_exact(void **state)
{
    static const char *const wrong[] = {
        "",
        "2024-02-29T23:59:59.000000001ZZ",
        " 2024-02-29T23:59:59.000000001Z",
        "2024-02-30T23:59:59.000000001Z",
        "2024-2-29T23:59:59.000000001Z",
        "2024-02-29T23:59:60.000000001Z",
        "2024-02-29T24:00:00.000000000Z",
        "2024-02-29T23:59:59.1Z",
        "2024-02-29T23:59:59Z",
        "2024-02-29T23:59:59.",
        "2024-02-29T23:59:59.000000001",
        "2024-02-29T23:59:59.-00000001Z",
        "2024-02-29T23:59:59.9999999999Z",
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43.145224191Z",
        "9999-12-31T23:59:59.000000000Z",
    };
    char text[JOURNAL_TIME_TEXT];
    int64_t time_ns = 7;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(journal_time_parse(wrong[i], &time_ns));
    assert_true(time_ns == 7);
    assert_string_equal(journal_time_format(INT64_MAX, text), "2262-04-11T23:47:16.854775807Z");
    assert_string_equal(journal_time_format(INT64_MIN, text), "1677-09-21T00:12:43.145224192Z");
    assert_string_equal(journal_time_format(-1, text), "1969-12-31T23:59:59.999999999Z");
    assert_string_equal(journal_time_format(SAMPLE_TIME_NS, text), SINCE);
}

/* What could not be read again is not written, and nothing is handed out. */
static void encoder_refuses_what_decoder_would(void **state)
{
    struct journal_nic nic = {.source = "a", .nic = "b"};
    struct journal_address address = {.ip = ip("192.0.2.1"), .held = true, .prefix = 32, .dev = "eth0"};
    struct journal journal = {.nics = &nic, .n_nics = 1, .addresses = &address, .n_addresses = 1};
    char *text = NULL;
    size_t length = 5;

    (void)state;
#define REFUSED(change, back)                                                \
    do {                                                                     \
        change;                                                              \
        assert_int_equal(journal_encode(&journal, &text, &length), -EINVAL); \
        assert_true(!text && length == 5);                                   \
        back;                                                                \
    } while (0)
    REFUSED(nic.source[0] = '\0', nic.source[0] = 'a');
    REFUSED(nic.nic[0] = '\0', nic.nic[0] = 'b');
    REFUSED(memset(nic.nic, 'x', sizeof nic.nic), memset(nic.nic + 1, 0, sizeof nic.nic - 1));
    REFUSED(address.prefix = 0, address.prefix = 32);
    REFUSED(address.prefix = 33, address.prefix = 32);
    REFUSED(address.dev[0] = '\0', address.dev[0] = 'e');
    REFUSED(address.ip.family = AF_UNSPEC, address.ip.family = AF_INET);
    REFUSED(memset(journal.boot_id, 'x', JOURNAL_BOOT_ID), memset(journal.boot_id, 0, JOURNAL_BOOT_ID));
#undef REFUSED
    journal.n_addresses = JOURNAL_RECORDS_MAX + 1;
    assert_int_equal(journal_encode(&journal, &text, &length), -EFBIG);
    assert_null(text);
    journal.n_addresses = 1;
    assert_int_equal(journal_encode(&journal, &text, &length), 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_what_people_read),
        cmocka_unit_test(empty_journal_returns),
        cmocka_unit_test(random_journals_return),
        cmocka_unit_test(torn_anywhere_is_refused),
        cmocka_unit_test(every_flipped_bit_shows),
        cmocka_unit_test(joined_and_padded_files_are_refused),
        cmocka_unit_test(versions_and_foreign_files),
        cmocka_unit_test(lines_that_are_wrong_are_refused),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(times_are_exact),
        cmocka_unit_test(encoder_refuses_what_decoder_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
