/* SPDX-License-Identifier: Apache-2.0 */
/* The place of the control socket: who may have it, who may use it, and what is left alone. */
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>

#include "tests/unit/control_world.h"

static void test_second_server_is_refused(void **state)
{
    struct world *world = *state;
    struct control_server *second = NULL;
    char text[8192];
    int fd;

    assert_int_equal(control_server_open(&second, world->path, NULL, on_request, on_gone, world), -EADDRINUSE);
    assert_null(second);
    fd = call(world);
    say(fd, STATUS);
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), STATUS_ANSWER);
    close(fd);
}

static void test_listener_without_a_lock_is_respected(void **state)
{
    struct world *world = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct control_server *server = NULL;
    char text[8192];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    control_server_close(world->server);
    world->server = NULL;
    strcpy(address.sun_path, world->path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(control_server_open(&server, world->path, NULL, on_request, on_gone, world), -EADDRINUSE);

    /* Once it is dead its socket file is only a leftover. */
    close(fd);
    assert_int_equal(access(world->path, F_OK), 0);
    assert_int_equal(control_server_open(&world->server, world->path, NULL, on_request, on_gone, world), 0);
    fd = call(world);
    say(fd, STATUS);
    assert_true(turn(world));
    assert_string_equal(hear(fd, text), STATUS_ANSWER);
    close(fd);
}

static void test_other_files_are_left_alone(void **state)
{
    struct world *world = *state;
    struct control_server *server = NULL;

    control_server_close(world->server);
    world->server = NULL;
    close(open(world->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(control_server_open(&server, world->path, NULL, on_request, on_gone, world), -EEXIST);
    assert_int_equal(access(world->path, F_OK), 0);
}

static void test_successors_socket_is_left_alone(void **state)
{
    struct world *world = *state;

    unlink(world->path);
    close(open(world->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    control_server_close(world->server);
    world->server = NULL;
    assert_int_equal(access(world->path, F_OK), 0);
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

static void test_permissions(void **state)
{
    struct world *world = *state;
    const struct group *group = getgrgid(getegid());
    mode_t old = umask(0);

    control_server_close(world->server);
    assert_int_equal(control_server_open(&world->server, world->path, NULL, on_request, on_gone, world), 0);
    assert_int_equal(mode_of(world->path), 0600);
    control_server_close(world->server);
    umask(0777);
    assert_int_equal(control_server_open(&world->server, world->path, NULL, on_request, on_gone, world), 0);
    assert_int_equal(mode_of(world->path), 0600);
    control_server_close(world->server);
    world->server = NULL;
    if (group)
        assert_int_equal(control_server_open(&world->server, world->path, group->gr_name, on_request, on_gone, world),
                         0);
    if (group)
        assert_int_equal(mode_of(world->path), 0660);
    umask(old);
}

static void test_bad_places(void **state)
{
    struct world *world = *state;
    struct control_server *server = NULL;
    char path[256];

    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(control_server_open(&server, path, NULL, on_request, on_gone, world), -ENAMETOOLONG);
    assert_int_equal(control_server_open(&server, "", NULL, on_request, on_gone, world), -EINVAL);
    snprintf(path, sizeof path, "%s/missing/socket", world->folder);
    assert_int_equal(control_server_open(&server, path, NULL, on_request, on_gone, world), -ENOENT);
    snprintf(path, sizeof path, "%s/other", world->folder);
    assert_int_equal(control_server_open(&server, path, "no-such-group-here", on_request, on_gone, world), -ESRCH);
    assert_int_equal(access(path, F_OK), -1);
    assert_null(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_second_server_is_refused),
        TEST(test_listener_without_a_lock_is_respected),
        TEST(test_other_files_are_left_alone),
        TEST(test_successors_socket_is_left_alone),
        TEST(test_permissions),
        TEST(test_bad_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
