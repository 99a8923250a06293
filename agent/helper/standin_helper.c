/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standin-helper: asks URLs and changes DNS records for standind, which starts it with one end of a socket pair. It has
 * what its libraries need and nothing else; see confine.h. It ends when the agent closes the other end.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/helper/confine.h"
#include "agent/helper/serve.h"

/* Where the program was called wrongly, which no restart mends. */
#define EXIT_USAGE 2

/* "N": the descriptor of a socket of packets. -EBADF where it is none. */
static int read_fd(const char *text)
{
    char *end;
    long number;
    int kind = 0;
    socklen_t size = sizeof kind;

    errno = 0;
    number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end || number < 0 || number > INT_MAX)
        return -EBADF;
    if (getsockopt((int)number, SOL_SOCKET, SO_TYPE, &kind, &size) < 0 || kind != SOCK_SEQPACKET)
        return -EBADF;
    return (int)number;
}

/* Requests hold keys; whatever was read of one is overwritten when it goes. */
static void wipe(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

int main(int argc, char **argv)
{
    const char *what = "descriptors";
    int fd = argc == 3 && strcmp(argv[1], "--fd") == 0 ? read_fd(argv[2]) : -EBADF, r;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("standin-helper " STANDIN_VERSION);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (fd < 0) {
        fputs("usage: standin-helper --fd N\n\nstandind starts it; N is a socket of packets that leads there.\n",
              stderr);
        return EXIT_USAGE;
    }
    json_set_alloc_funcs(malloc, wipe);
    r = confine(&what);
    if (r == 0) {
        what = "start";
        r = serve(fd);
    }
    if (r < 0) {
        fprintf(stderr, "standin-helper: %s: %s\n", what, strerror(-r));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
