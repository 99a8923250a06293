/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that measures: asks by broadcast ARP for an address, pings it through the kernel's own neighbour table, both
 * each INTERVAL_US, and prints what its NIC carries, by the kernel's stamps. SIGTERM ends it.
 *
 *   meter NIC MAC OWN_IP INTERVAL_US ASKED_IP
 *
 * One line each, `NS WHAT MAC IP`, NS on CLOCK_MONOTONIC:
 *   reply, pong    MAC answered for IP
 *   announce       MAC announced that IP is there
 *   ping           a ping for IP left to MAC
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NSEC 1000000000LL
#define FLUSH_NS (20 * NSEC / 1000)
#define BUFFER (64 << 20)
#define IDENTIFIER 0x4d54

struct arp_packet {
    struct ethhdr eth;
    struct ether_arp arp;
};
_Static_assert(sizeof(struct arp_packet) == 42, "no padding");

struct meter {
    int packets; /* all frames, both ways; ARP requests leave here */
    int pings;   /* raw ICMP */
    struct arp_packet question;
    struct sockaddr_in asked;
    uint16_t sequence;
};

static volatile sig_atomic_t ended;

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * NSEC + now.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void tell(int64_t at_ns, const char *what, const uint8_t *mac, const void *ip)
{
    char text[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, ip, text, sizeof text);
    printf("%" PRId64 " %s %02x:%02x:%02x:%02x:%02x:%02x %s\n", at_ns, what, mac[0], mac[1], mac[2], mac[3], mac[4],
           mac[5], text);
}

static void read_arp(const struct meter *meter, int64_t at_ns, const uint8_t *frame)
{
    const struct arp_packet *packet = (const void *)frame;
    const struct ether_arp *arp = &packet->arp;

    if (memcmp(arp->arp_spa, arp->arp_tpa, 4) == 0)
        tell(at_ns, "announce", arp->arp_sha, arp->arp_spa);
    else if (arp->arp_op == htons(ARPOP_REPLY) && memcmp(arp->arp_spa, &meter->asked.sin_addr, 4) == 0)
        tell(at_ns, "reply", arp->arp_sha, arp->arp_spa);
}

static void read_ip(int64_t at_ns, const uint8_t *frame, bool outgoing)
{
    const struct ethhdr *eth = (const void *)frame;
    struct iphdr ip;
    struct icmphdr icmp;

    memcpy(&ip, frame + sizeof *eth, sizeof ip);
    memcpy(&icmp, frame + sizeof *eth + sizeof ip, sizeof icmp);
    if (ip.protocol != IPPROTO_ICMP || icmp.un.echo.id != htons(IDENTIFIER))
        return;
    if (outgoing && icmp.type == ICMP_ECHO)
        tell(at_ns, "ping", eth->h_dest, &ip.daddr);
    else if (!outgoing && icmp.type == ICMP_ECHOREPLY)
        tell(at_ns, "pong", eth->h_source, &ip.saddr);
}

static void drain(const struct meter *meter)
{
    int64_t to_monotonic_ns = now_ns(CLOCK_MONOTONIC) - now_ns(CLOCK_REALTIME);
    uint8_t frame[2048], control[256];
    struct sockaddr_ll from;

    for (;;) {
        struct iovec part = {frame, sizeof frame};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t length = recvmsg(meter->packets, &message, MSG_DONTWAIT);
        struct timespec stamp;

        if (length < 0)
            return;
        if (!CMSG_FIRSTHDR(&message))
            continue;
        memcpy(&stamp, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof stamp);
        bool outgoing = from.sll_pkttype == PACKET_OUTGOING;
        int64_t at_ns = stamp.tv_sec * NSEC + stamp.tv_nsec + to_monotonic_ns;

        if (from.sll_protocol == htons(ETH_P_ARP) && !outgoing && (size_t)length >= sizeof(struct arp_packet))
            read_arp(meter, at_ns, frame);
        else if (from.sll_protocol == htons(ETH_P_IP) && length >= 42)
            read_ip(at_ns, frame, outgoing);
    }
}

static void ask(struct meter *meter)
{
    struct icmphdr echo = {.type = ICMP_ECHO, .un.echo = {htons(IDENTIFIER), htons(meter->sequence++)}};
    uint32_t sum = htons(ICMP_ECHO << 8) + (uint32_t)echo.un.echo.id + echo.un.echo.sequence;
    ssize_t r;

    echo.checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
    /* What cannot be sent, since no neighbour is known, is not sent: the captured frames tell. */
    r = send(meter->packets, &meter->question, sizeof meter->question, MSG_DONTWAIT);
    r = sendto(meter->pings, &echo, sizeof echo, MSG_DONTWAIT, (struct sockaddr *)&meter->asked, sizeof meter->asked);
    (void)r;
}

static void open_sockets(struct meter *meter, char **argv)
{
    struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct ether_arp *arp = &meter->question.arp;
    unsigned mac[6];
    int size = BUFFER, on = 1;

    link.sll_ifindex = (int)if_nametoindex(argv[1]);
    meter->packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (meter->packets < 0 || bind(meter->packets, (struct sockaddr *)&link, sizeof link) < 0 ||
        setsockopt(meter->packets, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
        setsockopt(meter->packets, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
        fail("packet socket");
    meter->pings = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    /* Answers are read as frames: this socket need not keep them. */
    size = 1;
    if (meter->pings < 0 || setsockopt(meter->pings, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0)
        fail("raw socket");
    memset(meter->question.eth.h_dest, 0xff, ETH_ALEN);
    meter->question.eth.h_proto = htons(ETH_P_ARP);
    arp->ea_hdr = (struct arphdr){htons(ARPHRD_ETHER), htons(ETH_P_IP), ETH_ALEN, 4, htons(ARPOP_REQUEST)};
    if (sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
        fail("MAC");
    for (int i = 0; i < ETH_ALEN; i++)
        meter->question.eth.h_source[i] = arp->arp_sha[i] = (uint8_t)mac[i];
    meter->asked.sin_family = AF_INET;
    if (inet_pton(AF_INET, argv[3], arp->arp_spa) != 1 || inet_pton(AF_INET, argv[5], &meter->asked.sin_addr) != 1)
        fail("address");
    memcpy(arp->arp_tpa, &meter->asked.sin_addr, 4);
}

int main(int argc, char **argv)
{
    const struct sched_param first = {.sched_priority = 1};
    struct meter meter = {0};
    int64_t interval_ns, due_ns, flush_ns;

    if (argc != 6)
        return 2;
    interval_ns = atoll(argv[4]) * 1000;
    open_sockets(&meter, argv);
    signal(SIGTERM, on_end);
    setvbuf(stdout, NULL, _IOFBF, 1 << 20);
    /* What measures comes before what is measured, where that is allowed. */
    sched_setscheduler(0, SCHED_FIFO, &first);
    mlockall(MCL_CURRENT);
    due_ns = flush_ns = now_ns(CLOCK_MONOTONIC);
    while (!ended) {
        struct pollfd ready = {.fd = meter.packets, .events = POLLIN};
        int64_t now = now_ns(CLOCK_MONOTONIC), left = due_ns > now ? due_ns - now : 0;

        ppoll(&ready, 1, &(struct timespec){left / NSEC, left % NSEC}, NULL);
        drain(&meter);
        now = now_ns(CLOCK_MONOTONIC);
        if (now >= due_ns) {
            ask(&meter);
            due_ns = due_ns + interval_ns > now ? due_ns + interval_ns : now + interval_ns;
        }
        if (now >= flush_ns) {
            fflush(stdout);
            flush_ns = now + FLUSH_NS;
        }
    }
    drain(&meter);
    return fflush(stdout) != 0;
}
