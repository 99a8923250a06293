/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/options.h"

#include <getopt.h>
#include <stdio.h>

#include "agent/control/server.h"

#define DEFAULT_FILE "/etc/standin/ipmap.conf"
#define DEFAULT_STATE "/var/lib/standin"

static const char usage[] = "Usage: standind [OPTION]...\n"
                            "Watches source hosts and stands in for those that are lost, as the ipmap says.\n"
                            "\n"
                            "  -f, --file FILE          the ipmap (" DEFAULT_FILE ")\n"
                            "      --check              only check the file: exit status 0 when it loads\n"
                            "      --targets            only print the systemd target of each source\n"
                            "      --control PATH       control socket (" CONTROL_PATH ")\n"
                            "      --control-group NAME members of this group may use it, beside root\n"
                            "      --state DIR          folder for what outlives the process (" DEFAULT_STATE ")\n"
                            "  -v, --verbose            also log what passes by itself: every late, verifying, unseen\n"
                            "      --version, --help\n";

enum {
    OPTION_CHECK = 256,
    OPTION_TARGETS,
    OPTION_CONTROL,
    OPTION_CONTROL_GROUP,
    OPTION_STATE,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"file", required_argument, NULL, 'f'},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"targets", no_argument, NULL, OPTION_TARGETS},
    {"control", required_argument, NULL, OPTION_CONTROL},
    {"control-group", required_argument, NULL, OPTION_CONTROL_GROUP},
    {"state", required_argument, NULL, OPTION_STATE},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

int options_read(int argc, char **argv, struct options *ret)
{
    struct options options = {.file = DEFAULT_FILE, .control = CONTROL_PATH, .state = DEFAULT_STATE};
    int option;

    while ((option = getopt_long(argc, argv, "f:v", long_options, NULL)) != -1) {
        switch (option) {
        case 'f':
            options.file = optarg;
            break;
        case OPTION_CHECK:
            options.check = true;
            break;
        case OPTION_TARGETS:
            options.targets = true;
            break;
        case OPTION_CONTROL:
            options.control = optarg;
            break;
        case OPTION_CONTROL_GROUP:
            options.control_group = optarg;
            break;
        case OPTION_STATE:
            options.state = optarg;
            break;
        case 'v':
            options.verbose = true;
            break;
        case OPTION_VERSION:
            printf("standind %s\n", STANDIN_VERSION);
            return 0;
        case OPTION_HELP:
            fputs(usage, stdout);
            return 0;
        default: /* getopt has said what is wrong */
            fputs("Try 'standind --help'.\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "standind: '%s' is not an option\nTry 'standind --help'.\n", argv[optind]);
        return 2;
    }
    *ret = options;
    return -1;
}
