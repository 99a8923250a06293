/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network's own share of a ping: asks COUNT addresses 198.18.x.y in turn, each INTERVAL_MS, by as few system calls
 * as there can be, and throws the answers away. Ends with a signal.
 *
 *   echo COUNT INTERVAL_MS
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Has to come after netinet/in.h. */
#include <linux/icmp.h>

#define NSEC 1000000000LL
#define BATCH 64
#define BUFFER (4 << 20)
#define IDENTIFIER 0x4543

/* As long as a probe of standin. */
struct request {
    struct icmphdr icmp;
    uint8_t rest[24];
};

struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_in peers[BATCH];
    uint8_t bytes[BATCH][512];
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NSEC + now.tv_nsec;
}

/* RFC 1071, of what is all zero but for two words. */
static void compose(uint8_t *bytes, uint16_t sequence)
{
    struct request request = {.icmp = {.type = ICMP_ECHO}};
    uint32_t sum = (uint32_t)ICMP_ECHO << 8;

    sum += IDENTIFIER + sequence;
    sum = (sum & 0xffff) + (sum >> 16);
    request.icmp.un.echo.id = htons(IDENTIFIER);
    request.icmp.un.echo.sequence = htons(sequence);
    request.icmp.checksum = htons((uint16_t) ~((sum & 0xffff) + (sum >> 16)));
    memcpy(bytes, &request, sizeof request);
}

static void prepare(struct batch *batch, size_t length)
{
    for (size_t i = 0; i < BATCH; i++) {
        batch->vectors[i] = (struct iovec){.iov_base = batch->bytes[i], .iov_len = length};
        batch->headers[i].msg_hdr = (struct msghdr){.msg_name = &batch->peers[i],
                                                    .msg_namelen = sizeof batch->peers[i],
                                                    .msg_iov = &batch->vectors[i],
                                                    .msg_iovlen = 1};
    }
}

static void ask(int fd, unsigned *number, unsigned count)
{
    static struct batch batch;

    prepare(&batch, sizeof(struct request));
    for (size_t i = 0; i < BATCH; i++, *number = (*number + 1) % count) {
        batch.peers[i] = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6120000U + *number / 250 * 256 + *number % 250 + 1)};
        compose(batch.bytes[i], (uint16_t)*number);
    }
    sendmmsg(fd, batch.headers, BATCH, MSG_DONTWAIT);
}

/* Reads until it is time to ask again. */
static void read_until(int fd, int64_t due_ns)
{
    static struct batch batch;

    for (;;) {
        int64_t left_ns = due_ns - now_ns();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        struct timespec left = {.tv_sec = left_ns / NSEC, .tv_nsec = left_ns % NSEC};

        if (left_ns <= 0 || ppoll(&ready, 1, &left, NULL) <= 0)
            return;
        prepare(&batch, sizeof batch.bytes[0]);
        recvmmsg(fd, batch.headers, BATCH, MSG_DONTWAIT, NULL);
    }
}

int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), buffer = BUFFER;
    struct icmp_filter replies = {.data = ~(1U << ICMP_ECHOREPLY)};
    unsigned number = 0, count;
    int64_t due_ns = now_ns(), gap_ns;

    if (argc != 3 || fd < 0 || (count = (unsigned)atoi(argv[1])) == 0)
        return 1;
    setsockopt(fd, SOL_RAW, ICMP_FILTER, &replies, sizeof replies);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    gap_ns = atoll(argv[2]) * NSEC / 1000 * BATCH / count;
    for (;;) {
        ask(fd, &number, count);
        due_ns += gap_ns;
        read_until(fd, due_ns);
    }
}
