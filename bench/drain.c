/*
 * The load client's inner loop: read what servers send, count events, and cost little.
 *
 *     drain WARM_UP_SECONDS SECONDS MARKER FD...
 *
 * The sockets are inherited: already connected, upgraded and subscribed. Every row of the
 * benchmark gets this same program and so the same work: epoll, one recv a ready socket into
 * one buffer, one pass over the bytes. After the warm-up it prints {"event":"start"}, after
 * the measured time one JSON object with the counts. Time is bounded; nothing else ends it.
 *
 * Why counting a 3-byte marker is exact. An event is a flat JSON object that starts with
 * {"type" (or {"T": give another marker), so the marker stands once in each, whatever the
 * event's size, and however many a message holds. And it can't stand in a WebSocket header:
 * that ends with the length, of which 16 bits hold two of the three bytes at most, and the
 * payload after it starts with [ or { or a digit. (64 bits could, from messages of 8 MB on.)
 * Parsing every header would cost more and show nothing new: that the stream is well formed
 * is proven on its beginning, in witness.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define CHUNK (128 * 1024) /* fits the second-level cache, so that counting reads no memory */
#define BLOCK 240          /* a byte-wide sum of ones can't overflow within a block */
#define KEPT 2             /* bytes of the marker that may be left over from the last read */

struct client {
    int fd;
    unsigned char tail[KEPT];
    uint64_t events, bytes, reads;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* How many markers start in p[0..size); reads two bytes past it. Plain, so that cc vectorises it. */
static uint64_t count(const unsigned char *p, size_t size, const unsigned char marker[3]) {
    const unsigned char a = marker[0], b = marker[1], c = marker[2];
    uint64_t total = 0;
    while (size >= BLOCK) {
        uint8_t sum = 0;
        for (int i = 0; i < BLOCK; i++)
            sum += (uint8_t)((p[i] == a) & (p[i + 1] == b) & (p[i + 2] == c));
        total += sum;
        p += BLOCK;
        size -= BLOCK;
    }
    for (size_t i = 0; i < size; i++) total += (p[i] == a) & (p[i + 1] == b) & (p[i + 2] == c);
    return total;
}

/* Read once from one client. Returns 0 when its connection is gone. */
static int take(struct client *client, const unsigned char marker[3]) {
    static unsigned char buffer[KEPT + CHUNK];
    ssize_t size = recv(client->fd, buffer + KEPT, CHUNK, MSG_DONTWAIT);
    if (size <= 0) return size < 0 && (errno == EAGAIN || errno == EINTR);
    memcpy(buffer, client->tail, KEPT);
    client->events += count(buffer, (size_t)size, marker);
    memcpy(client->tail, buffer + size, KEPT);
    client->bytes += (uint64_t)size;
    client->reads++;
    return 1;
}

/* Serve all sockets until the deadline. Returns how many connections ended. */
static int drain(int poll, struct epoll_event *ready, int clients, const unsigned char *marker,
                 double deadline) {
    int gone = 0;
    for (;;) {
        double left = deadline - now();
        if (left <= 0) return gone;
        int found = epoll_wait(poll, ready, clients, (int)(left * 1e3) + 1);
        for (int i = 0; i < found; i++) {
            struct client *client = ready[i].data.ptr;
            if (take(client, marker)) continue;
            epoll_ctl(poll, EPOLL_CTL_DEL, client->fd, NULL);
            gone++;
        }
    }
}

static void report(const struct client *all, int clients, int gone, double wall, double cpu) {
    uint64_t events = 0, bytes = 0, reads = 0, least = UINT64_MAX, most = 0;
    for (int i = 0; i < clients; i++) {
        events += all[i].events;
        bytes += all[i].bytes;
        reads += all[i].reads;
        if (all[i].events < least) least = all[i].events;
        if (all[i].events > most) most = all[i].events;
    }
    printf("{\"event\":\"end\",\"clients\":%d,\"gone\":%d,\"events\":%llu,\"bytes\":%llu,"
           "\"reads\":%llu,\"wall\":%.6f,\"cpu\":%.6f,\"least\":%llu,\"most\":%llu}\n",
           clients, gone, (unsigned long long)events, (unsigned long long)bytes,
           (unsigned long long)reads, wall, cpu, (unsigned long long)least,
           (unsigned long long)most);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 5 || strlen(argv[3]) != 3) {
        fprintf(stderr, "usage: drain WARM_UP_SECONDS SECONDS MARKER(3 bytes) FD...\n");
        return 2;
    }
    const unsigned char *marker = (const unsigned char *)argv[3];
    int clients = argc - 4, poll = epoll_create1(0);
    struct client *all = calloc((size_t)clients, sizeof *all);
    struct epoll_event *ready = calloc((size_t)clients, sizeof *ready);
    for (int i = 0; i < clients; i++) {
        all[i].fd = atoi(argv[4 + i]);
        struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &wanted) < 0) {
            perror("epoll_ctl");
            return 1;
        }
    }
    int gone = drain(poll, ready, clients, marker, now() + atof(argv[1]));
    for (int i = 0; i < clients; i++) all[i].events = all[i].bytes = all[i].reads = 0;
    puts("{\"event\":\"start\"}");
    fflush(stdout);
    double start = now(), cpu = cpu_seconds();
    gone += drain(poll, ready, clients, marker, start + atof(argv[2]));
    report(all, clients, gone, now() - start, cpu_seconds() - cpu);
    return 0;
}
