/* SPDX-License-Identifier: Apache-2.0 */
/* standinctl as its users see it: exit status, output and errors, against an agent that answers what the test says. */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/control/ctl.h"
#include "tests/unit/control_sample.h"
#include "tests/unit/control_world.h"

/* An agent in a thread of its own, and what standinctl said of it. */
struct agent {
    struct world world;
    pthread_t thread;
    int stop_fd;       /* eventfd: written to end the thread */
    json_t *answer;    /* to every request */
    char request[512]; /* the newest, as the agent read it */
    char *out, *err;   /* of the newest standinctl */
};

static void on_ctl_request(void *userdata, struct control_client *client, const struct control_peer *peer,
                           json_t *request)
{
    struct agent *agent = userdata;
    char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);

    (void)peer;
    snprintf(agent->request, sizeof agent->request, "%s", text);
    free(text);
    control_answer(client, json_deep_copy(agent->answer));
}

static void on_ctl_gone(void *userdata, struct control_client *client)
{
    (void)userdata;
    (void)client;
}

static void *serve(void *userdata)
{
    struct agent *agent = userdata;
    struct pollfd poll_fds[] = {
        {.fd = control_server_fd(agent->world.server), .events = POLLIN},
        {.fd = agent->stop_fd, .events = POLLIN},
    };

    while (poll(poll_fds, 2, -1) > 0 && !poll_fds[1].revents)
        control_server_on_readable(agent->world.server, 1);
    return NULL;
}

static int setup_agent(void **state)
{
    struct agent *agent = calloc(1, sizeof *agent);

    strcpy(agent->world.folder, "/tmp/standin-control-XXXXXX");
    if (!mkdtemp(agent->world.folder))
        return -1;
    snprintf(agent->world.path, sizeof agent->world.path, "%s/socket", agent->world.folder);
    agent->stop_fd = eventfd(0, EFD_CLOEXEC);
    agent->answer = json_pack("{s:b}", "ok", 1);
    *state = agent;
    return control_server_open(&agent->world.server, agent->world.path, NULL, on_ctl_request, on_ctl_gone, agent) < 0 ||
                   pthread_create(&agent->thread, NULL, serve, agent) != 0
               ? -1
               : 0;
}

static int teardown_agent(void **state)
{
    struct agent *agent = *state;
    struct world *world = calloc(1, sizeof *world);

    if (write(agent->stop_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
        return -1;
    pthread_join(agent->thread, NULL);
    close(agent->stop_fd);
    json_decref(agent->answer);
    free(agent->out);
    free(agent->err);
    *world = agent->world;
    free(agent);
    return teardown((void *[]){world});
}

static void set_answer(struct agent *agent, const char *json)
{
    json_decref(agent->answer);
    agent->answer = json_loads(json, 0, NULL);
    assert_non_null(agent->answer);
}

static void set_report(struct agent *agent)
{
    json_decref(agent->answer);
    agent->answer = json_pack("{s:b, s:o}", "ok", 1, "report", report_to_json(&sample_report));
}

/* Runs standinctl with the blank-separated arguments, at the agent's path, and returns its exit status. */
static int ctl(struct agent *agent, const char *arguments)
{
    char text[512], *argv[16];
    int argc = 0, status;
    size_t length;
    FILE *out, *err;

    free(agent->out);
    free(agent->err);
    agent->request[0] = '\0';
    snprintf(text, sizeof text, "standinctl --control %s %s", agent->world.path, arguments);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    out = open_memstream(&agent->out, &length);
    err = open_memstream(&agent->err, &length);
    status = ctl_run(argc, argv, out, err);
    fclose(out);
    fclose(err);
    return status;
}

static void test_requests(void **state)
{
    static const char *const cases[][2] = {
        {"failover db1", "{\"command\":\"failover\",\"source\":\"db1\"}"},
        {"failover db1/eth0 --force", "{\"command\":\"failover\",\"force\":true,\"nic\":\"eth0\",\"source\":\"db1\"}"},
        {"--force failover db1", "{\"command\":\"failover\",\"force\":true,\"source\":\"db1\"}"},
        {"failback db1/eth0", "{\"command\":\"failback\",\"nic\":\"eth0\",\"source\":\"db1\"}"},
        {"approve db1", "{\"command\":\"approve\",\"source\":\"db1\"}"},
        {"deny db1/eth1", "{\"command\":\"deny\",\"nic\":\"eth1\",\"source\":\"db1\"}"},
        {"pause", "{\"command\":\"pause\"}"},
        {"pause db1", "{\"command\":\"pause\",\"source\":\"db1\"}"},
        {"resume db1", "{\"command\":\"resume\",\"source\":\"db1\"}"},
        {"reload", "{\"command\":\"reload\"}"},
        {"check", "{\"command\":\"check\"}"},
    };
    struct agent *agent = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ctl(agent, cases[i][0]), CTL_DONE);
        assert_string_equal(agent->request, cases[i][1]);
        assert_string_equal(agent->out, "done\n");
        assert_string_equal(agent->err, "");
    }
}

static void test_message_and_warnings(void **state)
{
    struct agent *agent = *state;

    set_answer(agent,
               "{\"ok\":true,\"message\":\"released 2 addresses\\nit is safe\\u001b[31m\",\"warnings\":[\"w1\",2]}");
    assert_int_equal(ctl(agent, "failback db1"), CTL_DONE);
    assert_string_equal(agent->out, "released 2 addresses\nit is safe?[31m\n");
    assert_string_equal(agent->err, "warning: w1\n");
}

static void test_refusal(void **state)
{
    struct agent *agent = *state;

    set_answer(agent, "{\"ok\":false,\"error\":\"192.0.2.10 is alive at 52:54:00:12:34:56; --force\\u0007 takes it\"}");
    assert_int_equal(ctl(agent, "failover db1"), CTL_FAILED);
    assert_string_equal(agent->out, "");
    assert_string_equal(agent->err, "standinctl: 192.0.2.10 is alive at 52:54:00:12:34:56; --force? takes it\n");
    assert_int_equal(ctl(agent, "--json failover db1"), CTL_FAILED);
    assert_non_null(strstr(agent->out, "\"ok\": false"));
    /* What is wrong in detail, as a refused file has it, stands below. */
    set_answer(agent,
               "{\"ok\":false,\"error\":\"the file has errors\",\"warnings\":[\"f:1:2: what\",\"f:3:4: that\"]}");
    assert_int_equal(ctl(agent, "reload"), CTL_FAILED);
    assert_string_equal(agent->err, "standinctl: the file has errors\n  f:1:2: what\n  f:3:4: that\n");
    /* A refused status is no unhealthy source. */
    assert_int_equal(ctl(agent, "status"), CTL_FAILED);
}

static void test_usage(void **state)
{
    static const char *const cases[][2] = {
        {"", "no command"},
        {"dance", "unknown command \"dance\""},
        {"failover", "needs SOURCE"},
        {"failback", "needs SOURCE"},
        {"approve", "needs SOURCE"},
        {"deny", "needs SOURCE"},
        {"failback db1 db2", "does not take \"db2\""},
        {"reload now", "does not take \"now\""},
        {"pause db1/eth0", "takes a whole source"},
        {"show db1/eth0", "takes a whole source"},
        {"failback db1/", "without a name"},
        {"failback /eth0", "without a name"},
        {"approve db1 --force", "does not take --force"},
        {"status --colour", "unknown option --colour"},
        {"--timeout", "needs a value"},
        {"--timeout 60 status", "number with a unit"},
        {"--timeout 25h status", "1ms to 24h"},
        {"failback a-name-of-sixty-four-bytes-which-is-one-more-than-a-name-may-have", "longer than 63 bytes"},
    };
    struct agent *agent = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ctl(agent, cases[i][0]), CTL_USAGE);
        assert_non_null(strstr(agent->err, cases[i][1]));
        assert_string_equal(agent->out, "");
        assert_string_equal(agent->request, ""); /* nobody was asked */
    }
}

static void test_status(void **state)
{
    struct agent *agent = *state;

    set_report(agent);
    assert_int_equal(ctl(agent, "status"), CTL_NOT_HEALTHY);
    assert_string_equal(agent->request, "{\"command\":\"status\"}");
    assert_non_null(strstr(agent->out, "db1/eth0"));
    assert_non_null(strstr(agent->out, "fw/lan"));
    assert_string_equal(agent->err, "");
}

static void test_status_of_one(void **state)
{
    struct agent *agent = *state;

    set_report(agent);
    assert_int_equal(ctl(agent, "status web1"), CTL_DONE);
    assert_non_null(strstr(agent->out, "web1/eth0"));
    assert_null(strstr(agent->out, "db1"));
    /* Of the target NICs only those that its addresses go to. */
    assert_non_null(strstr(agent->out, "\neth0 "));
    assert_non_null(strstr(agent->out, "\neth1 "));
    assert_null(strstr(agent->out, "\neth2 "));

    assert_int_equal(ctl(agent, "status db1/eth1"), CTL_NOT_HEALTHY);
    assert_non_null(strstr(agent->out, "db1/eth1"));
    assert_null(strstr(agent->out, "db1/eth0"));

    assert_int_equal(ctl(agent, "status nobody"), CTL_FAILED);
    assert_non_null(strstr(agent->err, "has no nobody;"));
    assert_int_equal(ctl(agent, "status db1/eth7"), CTL_FAILED);
    assert_non_null(strstr(agent->err, "has no db1/eth7;"));
}

static void test_status_as_json(void **state)
{
    struct agent *agent = *state;
    json_t *report, *sources;

    set_report(agent);
    assert_int_equal(ctl(agent, "--json status db1"), CTL_NOT_HEALTHY);
    report = json_loads(agent->out, 0, NULL);
    sources = json_object_get(report, "sources");
    assert_int_equal(json_array_size(sources), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(sources, 0), "name")), "db1");
    assert_non_null(json_object_get(report, "agent"));
    json_decref(report);
}

static void test_json_is_ascii(void **state)
{
    struct agent *agent = *state;

    set_answer(agent, "{\"ok\":true,\"message\":\"\\u009b31m \\u202e \\u001b\"}");
    assert_int_equal(ctl(agent, "reload --json"), CTL_DONE);
    for (const char *c = agent->out; *c; c++)
        assert_true((*c >= ' ' && *c < 0x7f) || *c == '\n');
}

static void test_show(void **state)
{
    struct agent *agent = *state;

    set_report(agent);
    assert_int_equal(ctl(agent, "show web1"), CTL_DONE);
    assert_non_null(strstr(agent->out, "source web1 {\n"));
    assert_null(strstr(agent->out, "source db1 {\n"));
    set_answer(agent, "{\"ok\":true,\"message\":\"source web1 { }\"}");
    assert_int_equal(ctl(agent, "show"), CTL_DONE);
    assert_string_equal(agent->out, "source web1 { }\n");
}

static void test_version(void **state)
{
    struct agent *agent = *state;

    set_answer(agent, "{\"ok\":true,\"version\":\"7.7\"}");
    assert_int_equal(ctl(agent, "version"), CTL_DONE);
    assert_string_equal(agent->out, "standinctl " STANDIN_VERSION "\nstandind 7.7\n");
    assert_int_equal(ctl(agent, "--version"), CTL_DONE);
    assert_string_equal(agent->out, "standinctl " STANDIN_VERSION "\n");
    assert_string_equal(agent->request, "");
    strcat(agent->world.path, ".not-there");
    assert_int_equal(ctl(agent, "version"), CTL_NO_AGENT);
    assert_string_equal(agent->out, "standinctl " STANDIN_VERSION "\n");
    assert_non_null(strstr(agent->err, "cannot reach the agent"));
    agent->world.path[strlen(agent->world.path) - strlen(".not-there")] = '\0';
}

static void test_help(void **state)
{
    struct agent *agent = *state;

    assert_int_equal(ctl(agent, "help"), CTL_DONE);
    assert_non_null(strstr(agent->out, "failback SOURCE[/NIC]"));
    assert_int_equal(ctl(agent, "--help"), CTL_DONE);
    assert_int_equal(ctl(agent, "-h"), CTL_DONE);
    for (char *line = strtok(agent->out, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 80);
}

static void test_answers_that_make_no_sense(void **state)
{
    static const char *const answers[] = {"{}", "{\"ok\":1}", "{\"ok\":true}", "{\"ok\":true,\"report\":[]}"};
    struct agent *agent = *state;

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        set_answer(agent, answers[i]);
        assert_int_equal(ctl(agent, "status"), CTL_FAILED);
        assert_non_null(strstr(agent->err, "makes no sense"));
    }
}

/* Listens beside the agent, in place of it, and does what `behave` does with the first caller. */
static int ctl_against(struct agent *agent, const char *arguments, void (*behave)(int fd))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
    pid_t child;

    strcat(agent->world.path, ".other");
    strcpy(address.sun_path, agent->world.path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        behave(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
        _exit(0);
    }
    close(fd);
    status = ctl(agent, arguments);
    waitpid(child, NULL, 0);
    unlink(agent->world.path);
    agent->world.path[strlen(agent->world.path) - strlen(".other")] = '\0';
    return status;
}

static void hang_up(int fd)
{
    char byte;

    (void)!read(fd, &byte, 1);
    close(fd);
}

static void talk_nonsense(int fd)
{
    (void)!write(fd, "[1]\n", 4);
    close(fd);
}

static void stop_in_mid_sentence(int fd)
{
    (void)!write(fd, "{\"ok\":true", 10);
    close(fd);
}

/* Until the caller has gone. */
static void keep_silent(int fd)
{
    char bytes[512];

    while (read(fd, bytes, sizeof bytes) > 0)
        continue;
}

static void test_agents_that_do_not_answer(void **state)
{
    struct agent *agent = *state;

    assert_int_equal(ctl_against(agent, "status", hang_up), CTL_NO_AGENT);
    assert_non_null(strstr(agent->err, "without an answer"));
    assert_int_equal(ctl_against(agent, "status", stop_in_mid_sentence), CTL_NO_AGENT);
    assert_int_equal(ctl_against(agent, "status", talk_nonsense), CTL_FAILED);
    assert_non_null(strstr(agent->err, "makes no sense"));
    assert_int_equal(ctl_against(agent, "--timeout 20ms failback db1", keep_silent), CTL_NO_AGENT);
    assert_non_null(strstr(agent->err, "within 20 ms"));
}

static void test_no_agent(void **state)
{
    struct agent *agent = *state;

    strcat(agent->world.path, ".not-there");
    assert_int_equal(ctl(agent, "status"), CTL_NO_AGENT);
    assert_non_null(strstr(agent->err, ".not-there: No such file or directory; is standind running?\n"));
    agent->world.path[strlen(agent->world.path) - strlen(".not-there")] = '\0';
}

/* In a child, because of what it does to its own rights. */
static void test_no_permission(void **state)
{
    struct agent *agent = *state;
    int status = 0;
    pid_t child;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(agent->world.folder, 0755), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(99);
        status = ctl(agent, "status");
        _exit(strstr(agent->err, "Permission denied; run as root or join the control group") ? status : 98);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CTL_NO_AGENT);
}

static void test_check_runs_standind(void **state)
{
    static const char script[] = "#!/bin/sh\necho \"$@\" >\"$STANDIN_TEST_OUT\"\nexit 7\n";
    struct agent *agent = *state;
    char program[128], result[128], text[64] = "";
    int status = 0, fd;
    pid_t child;

    snprintf(program, sizeof program, "%s/standind", agent->world.folder);
    snprintf(result, sizeof result, "%s/result", agent->world.folder);
    fd = open(program, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("PATH", agent->world.folder, 1);
        setenv("STANDIN_TEST_OUT", result, 1);
        _exit(ctl(agent, "check some.conf") == CTL_FAILED ? 98 : 99);
    }
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 7);
    fd = open(result, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    assert_string_equal(text, "--check -f some.conf\n");
    unlink(program);
    unlink(result);
}

#define CTL_TEST(function) cmocka_unit_test_setup_teardown(function, setup_agent, teardown_agent)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CTL_TEST(test_requests),
        CTL_TEST(test_message_and_warnings),
        CTL_TEST(test_refusal),
        CTL_TEST(test_usage),
        CTL_TEST(test_status),
        CTL_TEST(test_status_of_one),
        CTL_TEST(test_status_as_json),
        CTL_TEST(test_json_is_ascii),
        CTL_TEST(test_show),
        CTL_TEST(test_version),
        CTL_TEST(test_help),
        CTL_TEST(test_answers_that_make_no_sense),
        CTL_TEST(test_agents_that_do_not_answer),
        CTL_TEST(test_no_agent),
        CTL_TEST(test_no_permission),
        CTL_TEST(test_check_runs_standind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
