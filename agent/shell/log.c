/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* At most this many lines in a window; a remote host may cause any number of events. */
#define BURST_LINES 1000
#define BURST_WINDOW_NS (10 * NSEC_PER_SEC)
/* Below what a pipe takes at once (PIPE_BUF), so that a line is written whole or not at all. */
#define LINE_MAX_BYTES 2048

static struct {
    int level;
    bool journal; /* stderr leads to the journal */
    bool socket;
    nsec_t window_ns; /* when the current window began */
    unsigned lines;   /* in it */
    unsigned cut;     /* lines left out in it */
    unsigned lost;    /* lines that nobody took */
} log_state = {.level = LOG_INFO};

static const char *const priority_names[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

void log_open(int level)
{
    struct stat status;

    log_state.level = level;
    log_state.journal = getenv("JOURNAL_STREAM") != NULL;
    log_state.socket = fstat(STDERR_FILENO, &status) == 0 && S_ISSOCK(status.st_mode);
}

static bool write_now(const char *line, size_t length)
{
    struct pollfd poll_stderr = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (log_state.socket)
        return send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
    return poll(&poll_stderr, 1, 0) == 1 && (poll_stderr.revents & POLLOUT) &&
           write(STDERR_FILENO, line, length) == (ssize_t)length;
}

/* What a client or a file said stays on its line, and cannot steer a terminal. */
static void blank_controls(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
}

static bool emit_line(int priority, const char *text)
{
    char line[LINE_MAX_BYTES];
    struct timespec wall;
    struct tm parts;
    int length;

    if (log_state.journal) {
        length = snprintf(line, sizeof line, "<%d>%s\n", priority, text);
    } else {
        clock_gettime(CLOCK_REALTIME, &wall);
        localtime_r(&wall.tv_sec, &parts);
        length = snprintf(line, sizeof line, "%02d:%02d:%02d.%06ld %-7s %s\n", parts.tm_hour, parts.tm_min,
                          parts.tm_sec, wall.tv_nsec / 1000, priority_names[priority], text);
    }
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    blank_controls(line, (size_t)length - 1);
    line[length - 1] = '\n';
    return write_now(line, (size_t)length);
}

static void tell_omissions(void)
{
    char text[128];

    if (log_state.cut == 0 && log_state.lost == 0)
        return;
    snprintf(text, sizeof text, "%u lines were left out: %u in a burst, %u that nobody took",
             log_state.cut + log_state.lost, log_state.cut, log_state.lost);
    if (emit_line(LOG_WARNING, text))
        log_state.cut = log_state.lost = 0;
}

void log_line(nsec_t now_ns, int priority, const char *text)
{
    if (priority > log_state.level)
        return;
    if (now_ns - log_state.window_ns >= BURST_WINDOW_NS) {
        log_state.window_ns = now_ns;
        log_state.lines = 0;
        tell_omissions();
    }
    if (++log_state.lines > BURST_LINES)
        log_state.cut++;
    else if (!emit_line(priority, text))
        log_state.lost++;
}

void log_format(nsec_t now_ns, int priority, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_line(now_ns, priority, text);
}
