/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/managers.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/cleanup.h"

/* A file for each NIC, named by its index. */
#define NETWORKD_LINKS "/run/systemd/netif/links"
#define NETWORKMANAGER_DEVICES "/run/NetworkManager/devices"

static const struct {
    const char *name;
    const char *remedy; /* what keeps it from taking our addresses off */
} managers[MANAGERS] = {
    [MANAGER_NETWORKD] = {"systemd-networkd", "give its .network file KeepConfiguration=yes, see standind(8)"},
    [MANAGER_NETWORKMANAGER] = {"NetworkManager", "make that NIC unmanaged there, see standind(8)"},
};

/* The value of the last line "KEY=value" of the file, `key` with its "="; false where there is none. */
static bool read_value(const char *path, const char *key, char *text, size_t size)
{
    CLEANUP_FILE FILE *file = fopen(path, "re");
    char line[PATH_MAX + 64];
    bool found = false;

    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, size, "%s", line + strlen(key));
        found = true;
    }
    return found;
}

static bool read_of(const char *folder, int ifindex, const char *key, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "%s/%d", folder, ifindex);
    return read_value(path, key, text, size);
}

enum manager manager_of(void *userdata, int ifindex)
{
    char text[32];

    (void)userdata;
    if (read_of(NETWORKD_LINKS, ifindex, "ADMIN_STATE=", text, sizeof text) && strcmp(text, "unmanaged") != 0)
        return MANAGER_NETWORKD;
    if (read_of(NETWORKMANAGER_DEVICES, ifindex, "managed=", text, sizeof text) && strcmp(text, "true") == 0)
        return MANAGER_NETWORKMANAGER;
    return MANAGER_NONE;
}

void manager_networkd_file(int ifindex, char *text, size_t size)
{
    if (!read_of(NETWORKD_LINKS, ifindex, "NETWORK_FILE=", text, size))
        snprintf(text, size, "%s", "");
}

/* A lease makes an address look like one of DHCP, without it it looks static: only what keeps both will do. */
static bool keeps(const char *path)
{
    char value[16];

    return read_value(path, "KeepConfiguration=", value, sizeof value) &&
           (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "on") == 0 ||
            strcmp(value, "1") == 0);
}

bool manager_networkd_keeps(int ifindex)
{
    static const char *const folders[] = {"/etc", "/run", "/usr/local/lib", "/usr/lib"};
    char file[PATH_MAX], pattern[PATH_MAX + 64];
    const char *name;
    bool found;

    manager_networkd_file(ifindex, file, sizeof file);
    found = keeps(file);
    name = strrchr(file, '/');
    for (size_t i = 0; name && !found && i < sizeof folders / sizeof *folders; i++) {
        glob_t drop_ins = {0};

        snprintf(pattern, sizeof pattern, "%s/systemd/network%s.d/*.conf", folders[i], name);
        if (glob(pattern, 0, NULL, &drop_ins) == 0)
            for (size_t k = 0; k < drop_ins.gl_pathc; k++)
                found |= keeps(drop_ins.gl_pathv[k]);
        globfree(&drop_ins);
    }
    return found;
}

void manager_tell(enum manager manager, const char *nic, char *text, size_t size)
{
    if (manager == MANAGER_NONE)
        snprintf(text, size, "%s", "");
    else
        snprintf(text, size, "%s manages %s: %s", managers[manager].name, nic, managers[manager].remedy);
}
