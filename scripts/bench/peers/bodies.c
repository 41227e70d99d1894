/*
 * The floor where bodies are: a raw epoll loop. `bodies echo PORT` sends a small
 * body back, `upload` counts a large one and says how much it was, `download`
 * sends 64 MiB from memory, `file` what the environment's BENCH_FILE names,
 * opened anew for each request and sent by sendfile(2). No limits, no
 * deadlines, no pipelining: not a server.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 16384, SCRATCH = 262144, LARGE = 64 << 20, MAX_FD = 4096 };
static enum { ECHO, UPLOAD, DOWNLOAD, FILE_BODY } mode;

static struct connection {
  size_t filled;           /* bytes of an unfinished request in `in` */
  uint64_t expected, left; /* of a request's body: announced, and not received yet */
  uint64_t unsent;         /* of a response's body */
  int file, blocked;       /* blocked: EPOLLOUT says when to go on */
  char in[HEAD];
} *connections[MAX_FD];
static char scratch[SCRATCH], *large;
static const char *path;
static int poller;

static void drop(int fd) {
  if (connections[fd]->file >= 0) close(connections[fd]->file);
  free(connections[fd]);
  connections[fd] = NULL;
  close(fd);
}

static int send_head(int fd, uint64_t length, const char *body, size_t size) {
  static time_t stamped;
  static char date[64];
  time_t at = time(NULL);
  if (at != stamped) {
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
    stamped = at;
  }
  char out[HEAD + 256];
  int head = sprintf(out, "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ndate: %s\r\n"
                          "content-length: %llu\r\n\r\n", date, (unsigned long long)length);
  memcpy(out + head, body, size);
  return send(fd, out, head + size, MSG_NOSIGNAL | (size < length ? MSG_MORE : 0)) == (ssize_t)(head + size);
}

/* Sends of the response's body what the socket takes; 0 when the connection is gone. */
static int go_on(int fd) {
  struct connection *c = connections[fd];
  while (c->unsent > 0) {
    size_t piece = c->unsent < (1 << 20) ? c->unsent : (1 << 20);
    ssize_t sent = c->file >= 0 ? sendfile(fd, c->file, NULL, piece)
                                : send(fd, large + LARGE - c->unsent, c->unsent, MSG_NOSIGNAL);
    if (sent <= 0 && errno != EAGAIN) return 0;
    int blocked = sent < 0;
    if (blocked != c->blocked) {
      struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.fd = fd};
      epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
      c->blocked = blocked;
    }
    if (blocked) return 1;
    c->unsent -= sent;
  }
  if (c->file >= 0) close(c->file);
  c->file = -1;
  return 1;
}

/* The request is here, with its body. */
static int respond(int fd, const char *body) {
  struct connection *c = connections[fd];
  char text[32];
  if (mode == ECHO) return send_head(fd, c->expected, body, c->expected);
  if (mode == UPLOAD) {
    int size = sprintf(text, "%llu", (unsigned long long)c->expected);
    return send_head(fd, size, text, size);
  }
  c->unsent = LARGE;
  if (mode == FILE_BODY) {
    struct stat stat;
    c->file = open(path, O_RDONLY | O_CLOEXEC);
    if (c->file < 0 || fstat(c->file, &stat) < 0) return 0;
    c->unsent = stat.st_size;
  }
  return send_head(fd, c->unsent, "", 0) && go_on(fd);
}

static int readable(int fd) {
  struct connection *c = connections[fd];
  if (c->left > 0) {
    ssize_t got = recv(fd, scratch, c->left < SCRATCH ? c->left : SCRATCH, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    if ((c->left -= got) > 0) return 1;
    return respond(fd, "");
  }
  ssize_t got = recv(fd, c->in + c->filled, HEAD - c->filled - 1, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  c->filled += got;
  c->in[c->filled] = 0;
  char *end = strstr(c->in, "\r\n\r\n");
  if (!end) return c->filled < HEAD - 1;
  char *length = strcasestr(c->in, "\r\ncontent-length:");
  c->expected = length && length < end ? strtoull(length + 17, NULL, 10) : 0;
  size_t rest = c->in + c->filled - (end + 4);
  if (mode != UPLOAD) {
    if (rest < c->expected) return c->filled < HEAD - 1;
    c->filled = 0;
    return respond(fd, end + 4);
  }
  c->filled = 0;
  c->left = c->expected - rest;
  return c->left > 0 || respond(fd, "");
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: bodies echo|upload|download|file PORT\n");
    return 2;
  }
  mode = !strcmp(argv[1], "echo") ? ECHO : !strcmp(argv[1], "upload") ? UPLOAD : !strcmp(argv[1], "file") ? FILE_BODY : DOWNLOAD;
  path = getenv("BENCH_FILE");
  if (mode == DOWNLOAD) {
    large = malloc(LARGE);
    if (!large) return 1;
    memset(large, 'a', LARGE);
  }
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
    perror("bodies: listen");
    return 1;
  }
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int got = epoll_wait(poller, events, 512, -1);
    for (int i = 0; i < got; i++) {
      int fd = events[i].data.fd;
      if (fd != listener) {
        int alive = 1;
        if (events[i].events & EPOLLOUT) alive = go_on(fd);
        if (alive && (events[i].events & ~EPOLLOUT)) alive = readable(fd);
        if (!alive) drop(fd);
        continue;
      }
      for (int made; (made = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        if (made >= MAX_FD || !(connections[made] = calloc(1, sizeof **connections))) {
          close(made);
          continue;
        }
        connections[made]->file = -1;
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = made};
        epoll_ctl(poller, EPOLL_CTL_ADD, made, &event);
      }
    }
  }
}
