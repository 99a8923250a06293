/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: framing, limits, order, and clients of every kind of bad manners. */
#include "tests/unit/control_world.h"

static void test_request_and_answer(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    say(fd, STATUS);
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), STATUS_ANSWER);
    assert_int_equal(world->peer.pid, getpid());
    assert_int_equal(world->peer.uid, geteuid());
    assert_int_equal(world->peer.gid, getegid());
    say(fd, STATUS);
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), STATUS_ANSWER);
    close(fd);
}

static void test_line_byte_by_byte(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    for (const char *c = STATUS; *c; c++) {
        assert_int_equal(world->n_commands, 0);
        assert_int_equal(send(fd, c, 1, 0), 1);
        assert_true(turn(world));
    }
    assert_string_equal(hear(fd, text), STATUS_ANSWER);
    close(fd);
}

static void test_many_lines_at_once_answered_in_order(void **state)
{
    struct world *world = *state;
    char lines[8192] = "", expected[8192] = "", all[16384] = "", text[8192];
    int fd = call(world);

    for (int i = 0; i < 100; i++) {
        snprintf(lines + strlen(lines), 64, "{\"command\":\"c%d\"}\n", i);
        snprintf(expected + strlen(expected), 64, "{\"ok\":true,\"command\":\"c%d\"}\n", i);
    }
    say(fd, lines);
    /* The server waits for a reader now and then. */
    for (int i = 0; i < 100 && strlen(all) < strlen(expected); i++) {
        assert_true(turn(world));
        strcat(all, hear(fd, text));
    }
    assert_string_equal(all, expected);
    assert_int_equal(world->n_commands, 100);
    close(fd);
}

static void test_deferred_answers_stay_in_order(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world), other = call(world);

    world->deferring = true;
    say(fd, "{\"command\":\"first\"}\n{\"command\":\"second\"}\n");
    assert_true(turn(world));
    /* The second waits until the first is answered; another client does not. */
    assert_int_equal(world->n_commands, 1);
    world->deferring = false;
    say(other, STATUS);
    assert_true(turn(world));
    assert_string_equal(hear(other, text), STATUS_ANSWER);
    assert_string_equal(hear(fd, text), "");

    control_answer(world->deferred[0], answer_to("first", 0));
    assert_int_equal(world->n_commands, 2); /* answering never calls back */
    assert_true(turn(world));
    assert_int_equal(world->n_commands, 3);
    assert_string_equal(hear(fd, text), "{\"ok\":true,\"command\":\"first\"}\n{\"ok\":true,\"command\":\"second\"}\n");
    assert_int_equal(world->n_gone, 0);
    close(fd);
    close(other);
}

static void test_gone_before_its_answer(void **state)
{
    struct world *world = *state;
    int fd = call(world);

    world->deferring = true;
    say(fd, STATUS);
    assert_true(turn(world));
    assert_int_equal(world->n_deferred, 1);
    assert_int_equal(world->n_gone, 0);
    close(fd);
    assert_true(turn(world));
    assert_int_equal(world->n_gone, 1);
    assert_ptr_equal(world->gone[0], world->deferred[0]);
}

static void test_gone_when_the_server_ends(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    world->deferring = true;
    say(fd, STATUS);
    assert_true(turn(world));
    control_server_close(world->server);
    world->server = NULL;
    assert_int_equal(world->n_gone, 1);
    assert_string_equal(hear(fd, text), "(end)");
    assert_int_equal(access(world->path, F_OK), -1);
    close(fd);
}

static void test_half_closed_client_gets_its_answer(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    /* As a shell pipe does it, without a newline at the end of the last line. */
    world->deferring = true;
    say(fd, "{\"command\":\"first\"}\n{\"command\":\"last\"}");
    shutdown(fd, SHUT_WR);
    assert_true(turn(world));
    world->deferring = false;
    assert_int_equal(world->n_gone, 0);
    control_answer(world->deferred[0], answer_to("first", 0));
    assert_true(turn(world));
    assert_string_equal(hear(fd, text),
                        "{\"ok\":true,\"command\":\"first\"}\n{\"ok\":true,\"command\":\"last\"}\n(end)");
    close(fd);
}

static void test_garbage_is_answered_and_ended(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"hello\n", 6},
        {"\n", 1},
        {"\0\0\0\n", 4},
        {"\x16\x03\x01\x02\n", 5},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"{\"command\":\"status\",\"command\":\"reload\"}\n", 40},
        {"{\"command\":\"x\"\0}\n", 17},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[8192];
        int fd = call(world);

        assert_int_equal(send(fd, cases[i].bytes, cases[i].length, 0), cases[i].length);
        assert_true(turn(world));
        hear(fd, text);
        assert_ptr_equal(strstr(text, "{\"ok\":false,\"error\":\""), text);
        assert_non_null(strstr(text, "\n(end)"));
        close(fd);
    }
    assert_int_equal(world->n_commands, 0);
}

static void test_good_requests_before_garbage_count(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    say(fd, STATUS "nonsense\n{\"command\":\"reload\"}\n");
    assert_true(turn(world));
    hear(fd, text);
    assert_ptr_equal(strstr(text, STATUS_ANSWER), text);
    assert_non_null(strstr(text, "\"ok\":false"));
    assert_int_equal(world->n_commands, 1);
    close(fd);
}

static void test_line_limit(void **state)
{
    struct world *world = *state;
    char line[2 * CONTROL_LINE_MAX], text[8192];
    int fd = call(world);

    memset(line, ' ', sizeof line);
    memcpy(line, STATUS, strlen(STATUS) - 1);
    line[CONTROL_LINE_MAX] = '\n';
    assert_int_equal(send(fd, line, CONTROL_LINE_MAX + 1, 0), CONTROL_LINE_MAX + 1);
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), STATUS_ANSWER);

    line[CONTROL_LINE_MAX] = ' ';
    assert_int_equal(send(fd, line, sizeof line, 0), sizeof line);
    assert_true(turn(world));
    assert_non_null(strstr(hear(fd, text), "longer than 4096 bytes"));
    assert_non_null(strstr(text, "(end)"));
    assert_int_equal(world->n_commands, 1);
    close(fd);
}

static void test_client_limit(void **state)
{
    struct world *world = *state;
    int fds[CONTROL_CLIENTS_MAX], extra;
    char text[8192];

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = call(world);
        assert_true(turn(world));
    }
    extra = call(world);
    assert_true(turn(world));
    assert_non_null(strstr(hear(extra, text), "too many clients"));
    assert_non_null(strstr(text, "(end)"));
    close(extra);

    /* Those that were there first are served, and a place that is left is given again. */
    say(fds[CONTROL_CLIENTS_MAX - 1], STATUS);
    close(fds[0]);
    assert_true(turn(world));
    assert_string_equal(hear(fds[CONTROL_CLIENTS_MAX - 1], text), STATUS_ANSWER);
    fds[0] = call(world);
    say(fds[0], STATUS);
    assert_true(turn(world));
    assert_string_equal(hear(fds[0], text), STATUS_ANSWER);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
}

static void test_long_answer_to_a_slow_reader(void **state)
{
    struct world *world = *state;
    size_t length = 8 * 1024 * 1024, read_bytes = 0;
    char text[8192], last = 0;
    int fd = call(world), other = call(world);

    world->answer_bytes = length;
    say(fd, STATUS STATUS);
    assert_true(turn(world));
    /* Of the second, nothing is made before the first is read. */
    assert_int_equal(world->n_commands, 1);
    world->answer_bytes = 0;
    say(other, STATUS);
    assert_true(turn(world));
    assert_string_equal(hear(other, text), STATUS_ANSWER);

    while (world->n_commands < 3) {
        ssize_t n = recv(fd, text, sizeof text, 0);

        if (n > 0) {
            read_bytes += (size_t)n;
            last = text[n - 1];
        }
        assert_true(n > 0 || errno == EAGAIN);
        assert_true(turn(world));
    }
    /* The rest of the long answer, and the short one behind it. */
    for (ssize_t n; (n = recv(fd, text, sizeof text, 0)) > 0;) {
        read_bytes += (size_t)n;
        last = text[n - 1];
        assert_true(turn(world));
    }
    assert_int_equal(last, '\n');
    assert_int_equal(read_bytes, length + strlen("{\"ok\":true,\"command\":\"status\",\"padding\":\"\"}\n") +
                                     strlen(STATUS_ANSWER));
    close(fd);
    close(other);
}

static void test_client_that_never_reads_is_dropped(void **state)
{
    struct world *world = *state;
    int fd = call(world);

    world->answer_bytes = 8 * 1024 * 1024;
    say(fd, STATUS);
    assert_true(turn(world));
    assert_int_equal(control_server_deadline(world->server), world->now_ns + CONTROL_IDLE_NS);
    world->now_ns += CONTROL_IDLE_NS;
    control_server_on_deadline(world->server, world->now_ns);
    assert_int_equal(control_server_deadline(world->server), NSEC_NEVER);
    assert_int_equal(world->n_gone, 0); /* it had its answer */
    close(fd);
}

static void test_answers_beyond_the_cap_become_errors(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    world->answer_bytes = CONTROL_UNREAD_MAX;
    say(fd, STATUS);
    assert_true(turn(world));
    assert_non_null(strstr(hear(fd, text), "{\"ok\":false,\"error\":\"the answer is too long"));
    close(fd);
}

static void test_silent_client_is_dropped(void **state)
{
    struct world *world = *state;
    char text[8192];
    int silent = call(world), talking = call(world);

    assert_true(turn(world));
    world->now_ns += CONTROL_IDLE_NS / 2;
    say(talking, STATUS);
    assert_true(turn(world));
    world->now_ns += CONTROL_IDLE_NS / 2;
    assert_int_equal(control_server_deadline(world->server), world->now_ns);
    control_server_on_deadline(world->server, world->now_ns);
    assert_string_equal(hear(silent, text), "(end)");
    assert_string_equal(hear(talking, text), STATUS_ANSWER);
    close(silent);
    close(talking);
}

static void test_client_that_waits_is_not_silent(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    world->deferring = true;
    say(fd, STATUS);
    assert_true(turn(world));
    assert_int_equal(control_server_deadline(world->server), NSEC_NEVER);
    world->now_ns += 10 * CONTROL_IDLE_NS;
    control_server_on_deadline(world->server, world->now_ns);
    assert_int_equal(world->n_gone, 0);
    /* Its time starts with the answer, even where a deadline is looked at before the answer leaves. */
    control_answer(world->deferred[0], answer_to("status", 0));
    control_server_on_deadline(world->server, world->now_ns);
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), STATUS_ANSWER);
    assert_int_equal(control_server_deadline(world->server), world->now_ns + CONTROL_IDLE_NS);
    close(fd);
}

static void test_answers_that_could_not_be_made(void **state)
{
    struct world *world = *state;
    char text[8192];
    int fd = call(world);

    world->deferring = true;
    say(fd, STATUS STATUS STATUS);
    assert_true(turn(world));
    control_answer(world->deferred[0], json_pack("{s:s}", "error", "caf\xe9"));
    assert_true(turn(world));
    assert_non_null(strstr(hear(fd, text), "{\"ok\":false,\"error\":\"the answer could not be made"));
    control_answer_text(world->deferred[1], strdup("{\"ok\":true}"));
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), "{\"ok\":true}\n");
    control_answer_text(world->deferred[2], NULL);
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), "(end)");
    assert_int_equal(world->n_gone, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_request_and_answer),
        TEST(test_line_byte_by_byte),
        TEST(test_many_lines_at_once_answered_in_order),
        TEST(test_deferred_answers_stay_in_order),
        TEST(test_gone_before_its_answer),
        TEST(test_gone_when_the_server_ends),
        TEST(test_half_closed_client_gets_its_answer),
        TEST(test_garbage_is_answered_and_ended),
        TEST(test_good_requests_before_garbage_count),
        TEST(test_line_limit),
        TEST(test_client_limit),
        TEST(test_long_answer_to_a_slow_reader),
        TEST(test_client_that_never_reads_is_dropped),
        TEST(test_answers_beyond_the_cap_become_errors),
        TEST(test_silent_client_is_dropped),
        TEST(test_client_that_waits_is_not_silent),
        TEST(test_answers_that_could_not_be_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
