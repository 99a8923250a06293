/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runner/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/runner/child.h"

/* From SIGTERM to SIGKILL; from there to the answer, should it be stuck in the kernel. */
#define TERM_NS (1 * NSEC_PER_SEC)
#define STUCK_NS (1 * NSEC_PER_SEC)
/* How long output is awaited from others that have the pipe when the main process has ended. */
#define DRAIN_NS (200 * NSEC_PER_MSEC)
/* Read in one go, so that a flood does not keep others waiting. */
#define READ_BYTES 65536

struct task {
    struct job_request request;
    pid_t pid;                 /* of the main process, and of its group; 0: reaped */
    int status;                /* as waitpid has it, once it is reaped */
    int input;                 /* to its stdin; -EBADF when all was written */
    int output;                /* from its stdout and stderr; -EBADF at its end */
    int news;                  /* see child.h; -EBADF: it was let go, or not to be */
    size_t n_input;            /* bytes of the input that were written */
    char said[CHILD_NEWS_MAX]; /* by the child, why it was not to be; "" where it was let go */
    size_t n_said;             /* bytes of it */
    struct output written;     /* by the command */
    nsec_t start_ns;           /* when it was forked */
    nsec_t end_ns;             /* when the main process had ended, or was given up */
    nsec_t due_ns;   /* when the next of the signals below is due, or the output was awaited for long enough */
    int next_signal; /* SIGTERM, SIGKILL; 0: it got both */
    bool timed_out;  /* the time limit ended it */
    bool ended;      /* there is nothing more to wait for before the answer */
    bool owes_start; /* JOB_STARTED was not answered yet */
    bool owes_end;   /* the last answer was not given yet */
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -EBADF;
}

/* Three pipes, of which the child has the ends in *ret_child. 0 or negative errno. */
static int open_pipes(struct task *task, struct child_pipes *ret_child)
{
    int input[2] = {-EBADF, -EBADF}, output[2] = {-EBADF, -EBADF}, news[2] = {-EBADF, -EBADF}, error = 0;

    if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 || pipe2(news, O_CLOEXEC) < 0 ||
        fcntl(input[1], F_SETFL, O_NONBLOCK) < 0 || fcntl(output[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(news[0], F_SETFL, O_NONBLOCK) < 0)
        error = -errno;
    task->input = input[1];
    task->output = output[0];
    task->news = news[0];
    *ret_child = (struct child_pipes){.input = input[0], .output = output[1], .news = news[1]};
    return error;
}

static void close_child_ends(struct child_pipes *pipes)
{
    close_end(&pipes->input);
    close_end(&pipes->output);
    close_end(&pipes->news);
}

static int start(struct task *task)
{
    struct child_pipes pipes;
    pid_t parent = getpid();
    int error = open_pipes(task, &pipes);

    if (error == 0) {
        task->pid = fork();
        if (task->pid == 0)
            child_run(&task->request.run, &pipes, parent);
        if (task->pid < 0) {
            error = -errno;
            task->pid = 0;
        }
    }
    close_child_ends(&pipes);
    return error;
}

int task_start(struct job_request *request, output_line take_line, nsec_t now_ns, struct task **ret)
{
    struct task *task = calloc(1, sizeof *task);
    int r;

    if (!task) {
        job_request_free(request);
        return -ENOMEM;
    }
    task->request = *request;
    task->start_ns = now_ns;
    task->due_ns = now_ns + request->run.timeout_ns;
    task->next_signal = SIGTERM;
    task->owes_end = true;
    if (!request->run.check) {
        task->written.take_line = take_line;
        task->written.userdata = task;
    }
    r = start(task);
    if (r < 0) {
        task_free(task);
        return r;
    }
    if (!request->run.input || request->run.input[0] == '\0')
        close_end(&task->input);
    *ret = task;
    return 0;
}

/* The main process is not reaped, so that neither its pid nor its group can be somebody else's. */
static void signal_all(const struct task *task, int number)
{
    if (task->pid == 0)
        return;
    kill(task->pid, number);
    kill(-task->pid, number);
}

void task_free(struct task *task)
{
    signal_all(task, SIGKILL);
    close_end(&task->input);
    close_end(&task->output);
    close_end(&task->news);
    job_request_free(&task->request);
    free(task);
}

size_t task_poll(const struct task *task, struct pollfd ret[static TASK_FDS])
{
    size_t n = 0;

    if (task->input >= 0)
        ret[n++] = (struct pollfd){.fd = task->input, .events = POLLOUT};
    if (task->output >= 0)
        ret[n++] = (struct pollfd){.fd = task->output, .events = POLLIN};
    if (task->news >= 0)
        ret[n++] = (struct pollfd){.fd = task->news, .events = POLLIN};
    return n;
}

static void write_input(struct task *task)
{
    const char *rest = task->request.run.input + task->n_input;
    ssize_t n = write(task->input, rest, strlen(rest));

    if (n > 0)
        task->n_input += (size_t)n;
    /* It need not read what it is given. */
    if ((n < 0 && errno != EAGAIN && errno != EINTR) || task->request.run.input[task->n_input] == '\0')
        close_end(&task->input);
}

/* The end of the output. */
static void close_output(struct task *task)
{
    close_end(&task->output);
    output_end(&task->written);
}

static void read_output(struct task *task)
{
    static char bytes[READ_BYTES];
    ssize_t n = read(task->output, bytes, sizeof bytes);

    if (n > 0)
        output_add(&task->written, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_output(task);
}

static void read_news(struct task *task)
{
    ssize_t n = read(task->news, task->said + task->n_said, sizeof task->said - 1 - task->n_said);

    if (n > 0) {
        task->n_said += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_end(&task->news);
        task->owes_start = task->n_said == 0 && !task->request.run.check && task->owes_end;
    }
}

void task_on_ready(struct task *task, const struct pollfd *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].revents == 0)
            continue;
        if (fds[i].fd == task->input)
            write_input(task);
        else if (fds[i].fd == task->output)
            read_output(task);
        else if (fds[i].fd == task->news)
            read_news(task);
    }
}

static void end(struct task *task, nsec_t now_ns)
{
    if (task->end_ns == NSEC_UNSET)
        task->end_ns = now_ns;
    task->ended = true;
    task->due_ns = NSEC_NEVER;
    close_end(&task->input);
    close_output(task);
    close_end(&task->news);
}

nsec_t task_deadline(const struct task *task)
{
    /* Nothing more will come: at once. */
    if (!task->ended && task->pid == 0 && task->output < 0 && task->news < 0)
        return 0;
    return task->due_ns;
}

void task_on_time(struct task *task, nsec_t now_ns)
{
    if (task->ended || task_deadline(task) > now_ns)
        return;
    if (task->pid == 0 || task->next_signal == 0) {
        /* Not reaped: there is no status to tell of. */
        task->timed_out |= task->pid != 0;
        end(task, now_ns);
        return;
    }
    signal_all(task, task->next_signal);
    if (task->next_signal == SIGTERM) {
        task->timed_out = true;
        task->next_signal = SIGKILL;
        task->due_ns = now_ns + TERM_NS;
    } else {
        task->next_signal = 0;
        task->due_ns = now_ns + STUCK_NS;
    }
}

pid_t task_pid(const struct task *task)
{
    return task->pid;
}

void task_on_exit(struct task *task, nsec_t now_ns)
{
    kill(-task->pid, SIGKILL);
    if (waitpid(task->pid, &task->status, 0) != task->pid)
        task->status = SIGKILL;
    task->pid = 0;
    if (task->ended)
        return;
    task->end_ns = now_ns;
    task->due_ns = now_ns + DRAIN_NS;
}

uint64_t task_id(const struct task *task)
{
    return task->request.id;
}

void task_kill(struct task *task, nsec_t now_ns)
{
    if (task->pid == 0 || task->next_signal != SIGTERM)
        return;
    signal_all(task, SIGTERM);
    task->next_signal = SIGKILL;
    task->due_ns = now_ns + TERM_NS;
}

void task_orphan(struct task *task)
{
    task->owes_start = false;
    task->owes_end = false;
    task->request.id = 0;
    if (task->request.run.check)
        signal_all(task, SIGKILL);
}

bool task_answer(struct task *task, struct job_answer *ret)
{
    struct job_answer answer = {.id = task->request.id, .outcome = JOB_STARTED};

    if (task->owes_start) {
        *ret = answer;
        return true;
    }
    if (!task->ended || !task->owes_end)
        return false;
    answer.took_ns = task->end_ns - task->start_ns;
    if (task->n_said > 0) {
        output_clean(task->said);
        answer.outcome = task->said[0] == CHILD_REFUSED ? JOB_REFUSED : JOB_FAILED;
        answer.text = task->said + 1;
        *ret = answer;
        return true;
    }
    answer.text = output_text(&task->written);
    if (task->timed_out) {
        answer.outcome = JOB_TIMED_OUT;
    } else if (WIFSIGNALED(task->status)) {
        answer.outcome = JOB_SIGNALLED;
        answer.status = WTERMSIG(task->status);
    } else {
        answer.outcome = JOB_EXITED;
        answer.status = WEXITSTATUS(task->status);
    }
    *ret = answer;
    return true;
}

void task_answered(struct task *task)
{
    if (task->owes_start)
        task->owes_start = false;
    else
        task->owes_end = false;
}

bool task_is_done(const struct task *task)
{
    return task->ended && !task->owes_end && !task->owes_start;
}

bool task_is_over(const struct task *task)
{
    return task_is_done(task) && task->pid == 0;
}

const char *task_name(const struct task *task)
{
    return task->request.run.name ? task->request.run.name : task->request.run.argv[0];
}

unsigned task_lines_left_out(const struct task *task)
{
    return task->written.left_out;
}
