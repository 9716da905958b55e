/*
 * The floor: what the kernel alone costs for the bytes that a server has to write.
 *
 *     floor TURNS_FILE CLIENTS
 *
 * It accepts the clients, answers each WebSocket upgrade with a constant, waits until each
 * has sent its subscription (which is not looked at: TURNS_FILE holds, for each client in
 * order, the bytes of its turn), and then writes them turn after turn, one send(2) a client.
 *
 * It never waits for one client. One whose socket is full is skipped and the turn goes on; a
 * turn of which only a part was taken is finished before that client's next one. Only when
 * all are full does it poll, until any of them can be written to. What a client was not sent
 * is not counted: it is the receiver that counts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd;
    uint32_t size, sent;
    unsigned char *turn;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_turns(const char *path, struct client *all, int clients) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    for (int i = 0; i < clients; i++) {
        if (fread(&all[i].size, sizeof all[i].size, 1, file) != 1) fail("size of a turn");
        all[i].turn = malloc(all[i].size);
        if (fread(all[i].turn, 1, all[i].size, file) != all[i].size) fail("turn");
    }
    fclose(file);
    /* Clients on everything share one piece of memory, as a server that frames once does. */
    for (int i = 1; i < clients; i++)
        if (all[i].size == all[0].size && !memcmp(all[i].turn, all[0].turn, all[0].size)) {
            free(all[i].turn);
            all[i].turn = all[0].turn;
        }
}

static int listen_on_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1024) < 0) fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("{\"event\":\"ready\",\"port\":%d}\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* The load client always sends the key of RFC 6455's example, so the answer is a constant. */
static void upgrade(int fd) {
    static const char reply[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    char request[4096];
    size_t size = 0;
    while (size < 4 || memcmp(request + size - 4, "\r\n\r\n", 4)) {
        ssize_t got = read(fd, request + size, sizeof request - size);
        if (got <= 0) fail("upgrade");
        size += (size_t)got;
    }
    if (write(fd, reply, sizeof reply - 1) != (ssize_t)(sizeof reply - 1)) fail("upgrade");
}

/* Write what this client's socket takes of its turn. Returns 0 when it takes nothing. */
static int give(struct client *client) {
    ssize_t taken = send(client->fd, client->turn + client->sent, client->size - client->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken < 0) {
        if (errno == EAGAIN || errno == EINTR) return 0;
        exit(0); /* the load client has gone: the measurement is over */
    }
    client->sent += (uint32_t)taken;
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int clients = atoi(argv[2]), on = 1;
    struct client *all = calloc((size_t)clients, sizeof *all);
    struct pollfd *full = calloc((size_t)clients, sizeof *full);
    read_turns(argv[1], all, clients);
    int listener = listen_on_loopback();
    for (int i = 0; i < clients; i++) {
        if ((all[i].fd = accept(listener, NULL, NULL)) < 0) fail("accept");
        setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        full[i] = (struct pollfd){.fd = all[i].fd, .events = POLLOUT};
        upgrade(all[i].fd);
    }
    for (int i = 0; i < clients; i++) {
        char byte;
        if (recv(all[i].fd, &byte, 1, MSG_PEEK) != 1) fail("subscription");
    }
    for (;;) {
        int took = 0;
        for (int i = 0; i < clients; i++) {
            struct client *client = &all[i];
            if (client->sent && client->sent < client->size) {
                if (!give(client)) continue;
                took = 1;
                if (client->sent < client->size) continue;
            }
            client->sent = 0;
            took |= give(client);
        }
        if (!took) poll(full, (nfds_t)clients, 1000);
    }
}
