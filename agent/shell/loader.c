/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell/loader.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "agent/base/cleanup.h"
#include "netlink/claims.h"

/* What this host has, read once for a load. */
struct host_view {
    struct if_nameindex *nics;
    struct ifaddrs *addresses;
    struct ip_address *held; /* those that carry our mark */
    size_t n_held;
    bool failed; /* out of memory while collecting them */
};

struct loader {
    pthread_t thread;
    int done_fd; /* eventfd */
    char *path;
    int result;
    struct ipmap *ipmap;
    struct ipmap_messages messages;
};

static void collect_held(void *userdata, const struct claims_held *held)
{
    struct host_view *view = userdata;
    struct ip_address *grown = reallocarray(view->held, view->n_held + 1, sizeof *grown);

    if (!grown) {
        view->failed = true;
        return;
    }
    view->held = grown;
    view->held[view->n_held++] = held->ip;
}

static void host_view_free(struct host_view *view)
{
    if (view->nics)
        if_freenameindex(view->nics);
    if (view->addresses)
        freeifaddrs(view->addresses);
    free(view->held);
}

static bool nic_exists(void *userdata, const char *name)
{
    const struct host_view *view = userdata;

    for (const struct if_nameindex *nic = view->nics; nic && nic->if_index != 0; nic++)
        if (strcmp(nic->if_name, name) == 0)
            return true;
    return false;
}

static bool address_of(const struct sockaddr *address, struct ip_address *ret)
{
    if (address && address->sa_family == AF_INET)
        *ret = ip_address_of(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr);
    else if (address && address->sa_family == AF_INET6)
        *ret = ip_address_of(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    else
        return false;
    return true;
}

static bool address_is_own(void *userdata, const struct ip_address *ip, char nic[LIMIT_NIC_NAME])
{
    const struct host_view *view = userdata;
    struct ip_address own;

    for (size_t i = 0; i < view->n_held; i++)
        if (ip_address_equal(&view->held[i], ip))
            return false;
    for (const struct ifaddrs *a = view->addresses; a; a = a->ifa_next)
        if (address_of(a->ifa_addr, &own) && ip_address_equal(&own, ip)) {
            strncpy(nic, a->ifa_name, LIMIT_NIC_NAME - 1);
            nic[LIMIT_NIC_NAME - 1] = '\0';
            return true;
        }
    return false;
}

int loader_load(const char *path, struct ipmap **ret, struct ipmap_messages *messages)
{
    CLEANUP(host_view_free) struct host_view view = {.nics = if_nameindex()};
    struct ipmap_host host = {.userdata = &view};

    if (view.nics)
        host.nic_exists = nic_exists;
    if (getifaddrs(&view.addresses) == 0 && claims_list_held(collect_held, &view) == 0 && !view.failed)
        host.address_is_own = address_is_own;
    return ipmap_load(path, &host, ret, messages);
}

static void *load(void *userdata)
{
    struct loader *loader = userdata;

    loader->result = loader_load(loader->path, &loader->ipmap, &loader->messages);
    eventfd_write(loader->done_fd, 1);
    return NULL;
}

static void cleanup_loader(struct loader **loader)
{
    if (!*loader)
        return;
    if ((*loader)->done_fd >= 0)
        close((*loader)->done_fd);
    free((*loader)->path);
    free(*loader);
}

int loader_start(struct loader **ret, const char *path)
{
    CLEANUP(cleanup_loader) struct loader *loader = calloc(1, sizeof *loader);
    int r;

    if (!loader)
        return -ENOMEM;
    loader->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loader->done_fd < 0)
        return -errno;
    loader->path = strdup(path);
    if (!loader->path)
        return -ENOMEM;
    /* The thread leaves the real-time class by SCHED_RESET_ON_FORK. */
    r = pthread_create(&loader->thread, NULL, load, loader);
    if (r != 0)
        return -r;
    *ret = TAKE_POINTER(loader);
    return 0;
}

int loader_fd(const struct loader *loader)
{
    return loader->done_fd;
}

int loader_finish(struct loader *loader, struct ipmap **ret, struct ipmap_messages *messages)
{
    CLEANUP(cleanup_loader) struct loader *finished = loader;

    pthread_join(finished->thread, NULL);
    *messages = finished->messages;
    if (finished->result >= 0)
        *ret = finished->ipmap;
    return finished->result;
}
