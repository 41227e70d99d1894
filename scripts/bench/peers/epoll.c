/*
 * The floor to compare with: a raw epoll loop in C that knows just enough HTTP
 * for the bench's own requests. `epoll plaintext PORT` finds each head's end
 * and answers; `epoll json PORT` also reads twelve request headers and writes
 * them as a JSON object. No limits, no deadlines, no bodies: not a server.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 16384, OUT = 131072, MAX_FD = 65536 };

/* What one read did not finish; made when first needed, so an idle connection owns nothing. */
static struct rest { size_t filled; char bytes[BUFFER]; } *rests[MAX_FD];
static char in[BUFFER * 2], out[OUT], date[64], plain[256];
static size_t plain_length;

static const char *const names[12] = {"host", "user-agent", "accept", "accept-language", "accept-encoding", "referer",
                                      "cookie", "authorization", "cache-control", "x-request-id", "x-forwarded-for",
                                      "x-forwarded-proto"};
static size_t lengths[12];

static size_t plaintext(char *to) {
  memcpy(to, plain, plain_length);
  return plain_length;
}

static size_t json(char *to, const char *head, const char *end) {
  const char *values[12] = {0};
  size_t sizes[12] = {0};
  const char *line = (const char *)memchr(head, '\n', end - head) + 1;
  while (line < end - 2) {
    const char *next = (const char *)memchr(line, '\n', end - line) + 1;
    const char *colon = memchr(line, ':', next - line);
    if (!colon) break;
    for (int i = 0; i < 12; i++)
      if (lengths[i] == (size_t)(colon - line) && strncasecmp(line, names[i], lengths[i]) == 0) {
        values[i] = colon + 1 + (colon[1] == ' ');
        sizes[i] = next - 2 - values[i];
      }
    line = next;
  }
  char body[4096];
  size_t size = 0;
  body[size++] = '{';
  for (int i = 0; i < 12; i++) {
    if (size + lengths[i] + sizes[i] * 2 + 16 > sizeof body) break;
    size += sprintf(body + size, "%s\"%s\":", i ? "," : "", names[i]);
    if (!values[i]) {
      memcpy(body + size, "null", 4), size += 4;
      continue;
    }
    body[size++] = '"';
    for (size_t k = 0; k < sizes[i]; k++) {
      if (values[i][k] == '"' || values[i][k] == '\\') body[size++] = '\\';
      body[size++] = values[i][k];
    }
    body[size++] = '"';
  }
  body[size++] = '}';
  size_t head_size =
      sprintf(to, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n", date, size);
  memcpy(to + head_size, body, size);
  return head_size + size;
}

static void drop(int fd) {
  free(rests[fd]);
  rests[fd] = NULL;
  close(fd);
}

static int wants_json;

static void readable(int fd) {
  size_t filled = 0;
  if (rests[fd]) {
    filled = rests[fd]->filled;
    memcpy(in, rests[fd]->bytes, filled);
  }
  ssize_t got = recv(fd, in + filled, BUFFER, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    drop(fd);
    return;
  }
  char *p = in, *end = in + filled + got;
  size_t size = 0;
  for (char *stop; size < OUT - 8192 && (stop = memmem(p, end - p, "\r\n\r\n", 4)); p = stop + 4)
    size += wants_json ? json(out + size, p, stop + 4) : plaintext(out + size);
  /* The bench keeps far less in flight than a socket buffer holds: a short send is an error here. */
  if (size && send(fd, out, size, MSG_NOSIGNAL) != (ssize_t)size) {
    drop(fd);
    return;
  }
  size_t rest = end - p;
  if (rest > BUFFER) drop(fd);
  else if (rest) {
    if (!rests[fd]) rests[fd] = malloc(sizeof *rests[fd]);
    if (!rests[fd]) abort();
    rests[fd]->filled = rest;
    memcpy(rests[fd]->bytes, p, rest);
  } else if (rests[fd]) rests[fd]->filled = 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: epoll plaintext|json PORT\n");
    return 2;
  }
  wants_json = !strcmp(argv[1], "json");
  for (int i = 0; i < 12; i++) lengths[i] = strlen(names[i]);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max < MAX_FD ? limit.rlim_max : MAX_FD;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
    perror("epoll: listen");
    return 1;
  }
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  time_t stamped = 0;
  for (;;) {
    int got = epoll_wait(poller, events, 512, -1);
    time_t at = time(NULL);
    if (at != stamped) {
      struct tm tm;
      strftime(date, sizeof date, "date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&at, &tm));
      plain_length = sprintf(plain,
                             "HTTP/1.1 200 OK\r\ncontent-type: text/plain;charset=UTF-8\r\n%scontent-length: 13\r\n\r\n"
                             "Hello, world!",
                             date);
      stamped = at;
    }
    for (int i = 0; i < got; i++) {
      if (events[i].data.fd != listener) {
        readable(events[i].data.fd);
        continue;
      }
      for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        if (fd >= MAX_FD) {
          close(fd);
          continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
      }
    }
  }
}
