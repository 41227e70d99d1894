/*
 * What the C loops answer, epoll.c and uring.c alike: a constant text, the same
 * with `Connection: close`, or a JSON object of twelve request headers. Of HTTP
 * they know just enough for the bench's own requests: a head ends at its empty
 * line, and nothing has a body.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { BUFFER = 16384, MAX_FD = 65536 };
static enum { PLAINTEXT, JSON, CLOSE } mode;

static char date[64], plain[256];
static size_t plain_length;

static const char *const names[12] = {"host", "user-agent", "accept", "accept-language", "accept-encoding", "referer",
                                      "cookie", "authorization", "cache-control", "x-request-id", "x-forwarded-for",
                                      "x-forwarded-proto"};
static size_t lengths[12];

static void stamp(void) {
  static time_t stamped;
  time_t at = time(NULL);
  if (at == stamped) return;
  stamped = at;
  struct tm tm;
  strftime(date, sizeof date, "date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&at, &tm));
  plain_length = sprintf(plain,
                         "HTTP/1.1 200 OK\r\ncontent-type: text/plain;charset=UTF-8\r\n%s%scontent-length: 13\r\n\r\n"
                         "Hello, world!",
                         date, mode == CLOSE ? "connection: close\r\n" : "");
}

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

/* Answers what is whole in `*from` to `end`, and moves `*from` behind it; the bytes written to `to`, `room` at most. */
static size_t answer_all(char *to, size_t room, char **from, const char *end) {
  size_t size = 0;
  for (char *stop; size < room - 8192 && (stop = memmem(*from, end - *from, "\r\n\r\n", 4)); *from = stop + 4)
    size += mode == JSON ? json(to + size, *from, stop + 4) : plaintext(to + size);
  return size;
}

/* Reads the command line and listens: the listener, non-blocking as `type` says. */
static int begin(int argc, char **argv, int type) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s plaintext|json|close PORT\n", argv[0]);
    exit(2);
  }
  mode = !strcmp(argv[1], "json") ? JSON : !strcmp(argv[1], "close") ? CLOSE : PLAINTEXT;
  for (int i = 0; i < 12; i++) lengths[i] = strlen(names[i]);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max < MAX_FD ? limit.rlim_max : MAX_FD;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
    perror("listen");
    exit(1);
  }
  return listener;
}
