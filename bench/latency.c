/*
 * The latency client's inner loop: read what servers send, and note how old each event is.
 *
 *     latency WARM_UP_SECONDS SECONDS FD...
 *
 * Like drain.c it inherits its sockets and serves them with one epoll loop, the same for every
 * server. An event tells its own time, "time":1763800000123.456, in milliseconds; its latency is
 * the time of day when the bytes that hold it were read, less that. Server and client run on one
 * machine, so the clocks agree. What was read is scanned once; a number that the end of a read
 * cuts in two is put before the next read of that client.
 *
 * Latencies go into a histogram of 1/64 of a power of two a bucket: 1.6 % of a figure, at most.
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

#define CHUNK (128 * 1024)
#define KEPT 64 /* longer than "time": and a number with its comma */
#define SUB 64
#define BUCKETS (SUB * 40)

static const char KEY[] = "\"time\":";
#define KEY_SIZE (sizeof KEY - 1)

struct client {
    int fd, kept;
    char tail[KEPT];
    uint64_t events;
};

static uint64_t histogram[BUCKETS], events, early, bytes;
static double worst, sum;

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int bucket(uint64_t us) {
    if (us < SUB) return (int)us;
    int power = 63 - __builtin_clzll(us);
    return (power - 5) * SUB + (int)((us >> (power - 6)) & (SUB - 1));
}

/* The least value of a bucket. */
static double value(int index) {
    if (index < SUB) return index;
    int power = index / SUB + 5;
    return (double)((uint64_t)(SUB + index % SUB) << (power - 6));
}

static void note(double ms) {
    events++;
    sum += ms;
    if (ms < 0) {
        early++;
        ms = 0;
    }
    if (ms > worst) worst = ms;
    int index = bucket((uint64_t)(ms * 1e3));
    histogram[index < BUCKETS ? index : BUCKETS - 1]++;
}

/* Note the events in p[0..size); give where the first one begins that isn't whole. */
static size_t scan(const char *p, size_t size, double now_ms) {
    size_t at = 0;
    for (;;) {
        const char *key = memmem(p + at, size - at, KEY, KEY_SIZE);
        if (!key) return size > at + KEY_SIZE ? size - (KEY_SIZE - 1) : at;
        size_t digits = (size_t)(key - p) + KEY_SIZE, end = digits;
        double whole = 0, fraction = 0, unit = 1;
        while (end < size && p[end] >= '0' && p[end] <= '9') whole = whole * 10 + (p[end++] - '0');
        if (end < size && p[end] == '.') {
            end++;
            while (end < size && p[end] >= '0' && p[end] <= '9') {
                unit /= 10;
                fraction += (p[end++] - '0') * unit;
            }
        }
        if (end >= size) return (size_t)(key - p);
        note(now_ms - whole - fraction);
        at = end;
    }
}

/* Read once from one client. Returns 0 when its connection is gone. */
static int take(struct client *client) {
    static char buffer[KEPT + CHUNK];
    memcpy(buffer, client->tail, (size_t)client->kept);
    ssize_t got = recv(client->fd, buffer + client->kept, CHUNK, MSG_DONTWAIT);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
    bytes += (uint64_t)got;
    size_t size = (size_t)client->kept + (size_t)got;
    uint64_t before = events;
    size_t done = scan(buffer, size, seconds(CLOCK_REALTIME) * 1e3);
    client->events += events - before;
    if (size - done > KEPT) done = size - KEPT;
    client->kept = (int)(size - done);
    memcpy(client->tail, buffer + done, (size_t)client->kept);
    return 1;
}

static int serve(int poll, struct epoll_event *ready, int clients, double deadline) {
    int gone = 0;
    for (;;) {
        double left = deadline - seconds(CLOCK_MONOTONIC);
        if (left <= 0) return gone;
        int found = epoll_wait(poll, ready, clients, (int)(left * 1e3) + 1);
        for (int i = 0; i < found; i++) {
            struct client *client = ready[i].data.ptr;
            if (take(client)) continue;
            epoll_ctl(poll, EPOLL_CTL_DEL, client->fd, NULL);
            gone++;
        }
    }
}

static double percentile(double share) {
    uint64_t wanted = (uint64_t)(share * (double)events), seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += histogram[i]) > wanted) return value(i) / 1e3;
    return worst;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: latency WARM_UP_SECONDS SECONDS FD...\n");
        return 2;
    }
    int clients = argc - 3, poll = epoll_create1(0);
    struct client *all = calloc((size_t)clients, sizeof *all);
    struct epoll_event *ready = calloc((size_t)clients, sizeof *ready);
    for (int i = 0; i < clients; i++) {
        all[i].fd = atoi(argv[3 + i]);
        struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &wanted) < 0) {
            perror("epoll_ctl");
            return 1;
        }
    }
    int gone = serve(poll, ready, clients, seconds(CLOCK_MONOTONIC) + atof(argv[1]));
    memset(histogram, 0, sizeof histogram);
    events = early = bytes = 0;
    worst = sum = 0;
    puts("{\"event\":\"start\"}");
    fflush(stdout);
    double start = seconds(CLOCK_MONOTONIC), cpu = cpu_seconds();
    gone += serve(poll, ready, clients, start + atof(argv[2]));
    double wall = seconds(CLOCK_MONOTONIC) - start;
    printf("{\"event\":\"end\",\"gone\":%d,\"events\":%llu,\"early\":%llu,\"bytes\":%llu,"
           "\"wall\":%.6f,\"cpu\":%.6f,\"mean\":%.3f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,"
           "\"p999\":%.3f,\"max\":%.3f}\n",
           gone, (unsigned long long)events, (unsigned long long)early, (unsigned long long)bytes,
           wall, cpu = cpu_seconds() - cpu, events ? sum / (double)events : 0, percentile(0.5),
           percentile(0.9), percentile(0.99), percentile(0.999), worst);
    return 0;
}
