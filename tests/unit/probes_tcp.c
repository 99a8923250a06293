/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP check against a peer that listens, resets, says nothing, or is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "probes/tcp.h"
#include "tests/unit/probes_lan.h"

#define CHECKS 600

static struct {
    uint32_t id;
    enum tcp_outcome outcome;
    int error;
    nsec_t took_ns;
} ends[2 * CHECKS];
static size_t n_ends;
static struct tcp_check *check;

static void done(void *userdata, uint32_t id, enum tcp_outcome outcome, int error, nsec_t took_ns)
{
    (void)userdata;
    assert_true(n_ends < 2 * CHECKS);
    ends[n_ends].id = id;
    ends[n_ends].outcome = outcome;
    ends[n_ends].error = error;
    ends[n_ends++].took_ns = took_ns;
}

static int open_check(void **state)
{
    (void)state;
    n_ends = 0;
    return tcp_check_open(&check, CHECKS, done, NULL);
}

static int close_check(void **state)
{
    (void)state;
    tcp_check_close(check);
    return 0;
}

/* A socket of the peer's that accepts on `port`. */
static int listen_on(const char *address, uint16_t port)
{
    struct ip_address ip = lan_address(address);
    struct sockaddr_storage at = {.ss_family = ip.family};
    static const int yes = 1;
    int fd;

    if (ip.family == AF_INET6) {
        memcpy(&((struct sockaddr_in6 *)&at)->sin6_addr, ip.bytes, 16);
        ((struct sockaddr_in6 *)&at)->sin6_port = htons(port);
    } else {
        memcpy(&((struct sockaddr_in *)&at)->sin_addr, ip.bytes, 4);
        ((struct sockaddr_in *)&at)->sin_port = htons(port);
    }
    lan_enter(lan.peer_ns);
    fd = socket(ip.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    lan_enter(lan.own_ns);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1024), 0);
    return fd;
}

static struct tcp_request request_of(const char *address, uint16_t port)
{
    return (struct tcp_request){.to = lan_address(address), .port = port, .timeout_ns = 10 * NSEC_PER_SEC};
}

static void begin(uint32_t id, const struct tcp_request *request)
{
    assert_int_equal(tcp_check_begin(check, lan_time(CLOCK_MONOTONIC), id, request), 0);
}

/* Until `count` attempts have ended. */
static void wait_for(size_t count)
{
    struct pollfd pollfd = {.fd = tcp_check_fd(check), .events = POLLIN};

    for (int i = 0; n_ends < count; i++) {
        assert_true(i < 2000);
        poll(&pollfd, 1, 10);
        tcp_check_on_readable(check, lan_time(CLOCK_MONOTONIC), 64);
        tcp_check_on_time(check, lan_time(CLOCK_MONOTONIC));
    }
}

#define assert_end(number, wanted, errno_)               \
    do {                                                 \
        assert_int_equal(ends[number].outcome, wanted);  \
        assert_int_equal(ends[number].error, -(errno_)); \
    } while (0)

static void a_service_that_accepts(void **state)
{
    int fd4 = listen_on("192.0.2.1", 80), fd6 = listen_on("2001:db8::1", 80);
    struct tcp_request four = request_of("192.0.2.1", 80), six = request_of("2001:db8::1", 80);

    (void)state;
    begin(0, &four);
    assert_int_equal(tcp_check_begin(check, 0, 0, &four), -EALREADY);
    wait_for(1);
    assert_end(0, TCP_CONNECTED, 0);
    assert_true(ends[0].took_ns > 0);
    begin(1, &six);
    wait_for(2);
    assert_end(1, TCP_CONNECTED, 0);
    assert_true(tcp_check_deadline(check) == NSEC_NEVER);
    close(fd4);
    close(fd6);
}

static void nobody_listens(void **state)
{
    struct tcp_request request = request_of("192.0.2.1", 81);

    (void)state;
    begin(7, &request);
    wait_for(1);
    assert_int_equal(ends[0].id, 7);
    assert_end(0, TCP_REFUSED, ECONNREFUSED);
}

static void no_answer_in_time(void **state)
{
    struct tcp_request request = request_of("192.0.2.99", 80);
    nsec_t begun_ns = lan_time(CLOCK_MONOTONIC);

    (void)state;
    request.timeout_ns = 50 * NSEC_PER_MSEC;
    begin(0, &request);
    assert_true(tcp_check_deadline(check) < NSEC_NEVER);
    wait_for(1);
    assert_end(0, TCP_REFUSED, ETIMEDOUT);
    assert_true(lan_time(CLOCK_MONOTONIC) - begun_ns >= request.timeout_ns);
}

static void what_this_host_cannot_do_is_no_failure(void **state)
{
    struct tcp_request nowhere = request_of("198.51.100.1", 80), down = request_of("192.0.2.1", 80),
                       not_ours = request_of("192.0.2.1", 80);
    struct rlimit was, none;

    (void)state;
    begin(0, &nowhere);
    assert_end(0, TCP_UNABLE, ENETUNREACH);
    down.ifindex = lan.idle;
    begin(1, &down);
    assert_int_equal(ends[1].outcome, TCP_UNABLE);
    not_ours.from = lan_address("192.0.2.77");
    begin(2, &not_ours);
    assert_end(2, TCP_UNABLE, EADDRNOTAVAIL);
    getrlimit(RLIMIT_NOFILE, &was);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = was.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    begin(3, &down);
    setrlimit(RLIMIT_NOFILE, &was);
    assert_end(3, TCP_UNABLE, EMFILE);
    assert_int_equal(n_ends, 4);
}

static void it_asks_from_where_it_is_told(void **state)
{
    int fd = listen_on("192.0.2.1", 82), one;
    struct tcp_request request = request_of("192.0.2.1", 82);
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    uint8_t wanted[4] = {192, 0, 2, 251};

    (void)state;
    request.from = lan_address("192.0.2.251");
    request.ifindex = lan.near;
    begin(0, &request);
    one = accept(fd, (struct sockaddr *)&from, &size);
    assert_true(one >= 0);
    assert_memory_equal(&from.sin_addr, wanted, 4);
    wait_for(1);
    assert_end(0, TCP_CONNECTED, 0);
    close(one);
    close(fd);
}

static void what_is_cancelled_is_not_told_of(void **state)
{
    int fd = listen_on("192.0.2.1", 83);
    struct tcp_request request = request_of("192.0.2.1", 83), silent = request_of("192.0.2.99", 80);

    (void)state;
    begin(0, &silent);
    tcp_check_cancel(check, 0);
    tcp_check_cancel(check, 0);
    assert_true(tcp_check_deadline(check) == NSEC_NEVER);
    begin(0, &request);
    wait_for(1);
    assert_end(0, TCP_CONNECTED, 0);
    close(fd);
}

static void hundreds_at_once(void **state)
{
    int fd = listen_on("192.0.2.1", 84);
    struct tcp_request good = request_of("192.0.2.1", 84), bad = request_of("192.0.2.1", 85);
    size_t connected = 0;

    (void)state;
    for (uint32_t i = 0; i < CHECKS; i++)
        begin(i, i % 3 ? &good : &bad);
    wait_for(CHECKS);
    for (size_t i = 0; i < n_ends; i++) {
        assert_int_equal(ends[i].outcome, ends[i].id % 3 ? TCP_CONNECTED : TCP_REFUSED);
        connected += ends[i].outcome == TCP_CONNECTED;
    }
    assert_int_equal(connected, CHECKS - CHECKS / 3);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_check, close_check)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_that_accepts),
        TEST(nobody_listens),
        TEST(no_answer_in_time),
        TEST(what_this_host_cannot_do_is_no_failure),
        TEST(it_asks_from_where_it_is_told),
        TEST(what_is_cancelled_is_not_told_of),
        TEST(hundreds_at_once),
    };

    return cmocka_run_group_tests(tests, lan_up, NULL);
}
