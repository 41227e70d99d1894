/*
 * A closed-loop HTTP/1.1 load generator that one core can drive fast enough to
 * saturate a server on another: N keep-alive connections, up to `depth`
 * requests in flight on each, one epoll loop, no allocation while it runs.
 *
 * A response counts only once its body has arrived whole (Content-Length,
 * chunked or until close, RFC 9112 section 6.3) and its status is 200.
 * Everything else is an error: another status, framing that cannot be read, a
 * connection that ends early. One JSON line on stdout says what happened.
 *
 *   load --port 8000 --request FILE [--host 127.0.0.1] [--connections 64]
 *        [--depth 1] [--warmup 0.2] [--duration 2] [--requests N]
 *        [--body BYTES] [--idle N] [--cpu PID,PID] [--core N]
 *
 * --requests stops after exactly N requests. --body sends that many bytes
 * behind the request's head, made on the way: 64 MiB need no 64 MiB here.
 * --idle opens N more connections first; each has one request answered and is
 * then silent, and one that the server ends is an error. --cpu reads the CPU
 * clocks of those processes at the window's two ends (clock_getcpuclockid(3):
 * every thread, dead ones too, in nanoseconds), so nothing outside the window
 * counts.
 */
#define _GNU_SOURCE
#include "measure.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_DEPTH = 256, MAX_CONNECTIONS = 20000, BUFFER = 65536, MAX_PIDS = 64, FILLER = 262144, OPENING = 200 };
/* What the next bytes of a connection are. OVER: nothing but the server's end, after a response that announced it. */
enum body { HEAD, LENGTH, UNTIL_CLOSE, CHUNK_SIZE, CHUNK_DATA, TRAILERS, OVER };

/* closed → connecting → open → closed; `fd` is -1 exactly while closed. */
struct connection {
  int fd, connecting, wants_write, idle;
  enum body body;
  uint64_t remaining;        /* of a LENGTH body, or of a chunk and its CRLF */
  size_t filled;             /* bytes kept in `buffer`: an unfinished head or chunk line */
  uint64_t unsent;           /* bytes of issued requests that the kernel has not taken yet */
  unsigned in_flight, first; /* `sent_at` is a ring of `in_flight` entries from `first` */
  int status, close_after;
  uint64_t sent_at[MAX_DEPTH];
  char buffer[BUFFER];
};

static struct {
  uint64_t requests, status_errors, broken, reconnects, bytes, body, sent;
  uint64_t latency[BUCKETS], latency_max;
} seen;

static struct connection *connections;
static struct sockaddr_in address;
static char *request_text; /* depth + 1 copies, so that any unsent tail is contiguous */
static char filler[FILLER];
static size_t request_length, head_length; /* they differ by --body */
static int poller, depth = 1, head_request, close_request;
static uint64_t to_issue = UINT64_MAX, refused, idle_answered, idle_lost;

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void watch(struct connection *c, int operation) {
  struct epoll_event event = {.events = EPOLLIN | (c->wants_write ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(poller, operation, c->fd, &event) < 0) fail("epoll_ctl");
}

static void issue(struct connection *c, unsigned count, uint64_t at) {
  if (c->idle) count = c->idle++ == 1;
  for (; count > 0 && (to_issue > 0 || c->idle); count--) {
    if (to_issue != UINT64_MAX && !c->idle) to_issue--;
    c->sent_at[(c->first + c->in_flight++) % MAX_DEPTH] = at;
    c->unsent += request_length;
  }
}

static void open_connection(struct connection *c) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) fail("socket");
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->body = HEAD;
  c->filled = c->unsent = c->in_flight = c->first = c->close_after = 0;
  c->connecting = c->wants_write = 1;
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
    if (++refused > 1000) fail("connect");
  }
  watch(c, EPOLL_CTL_ADD);
}

/* Closes and, while there is something left to ask, opens anew. */
static void reopen(struct connection *c) {
  close(c->fd);
  c->fd = -1;
  if (c->idle) {
    idle_lost++;
    return;
  }
  seen.reconnects++;
  if (to_issue > 0) open_connection(c);
}

/* The requests in flight will never be answered: errors, one each; a connection that broke empty-handed is one too. */
static void broke(struct connection *c) {
  if (!c->idle) seen.broken += c->in_flight ? c->in_flight : 1;
  reopen(c);
}

/* From `skip` of one request on: what is left of the head, and of the body at most four fillers. */
static ssize_t send_with_body(struct connection *c, size_t skip) {
  struct iovec parts[5];
  int count = 0;
  size_t left = request_length - skip;
  if (skip < head_length) {
    parts[count++] = (struct iovec){request_text + skip, head_length - skip};
    left -= head_length - skip;
  }
  for (int i = 0; i < 4 && left > 0; i++) {
    size_t size = left < FILLER ? left : FILLER;
    parts[count++] = (struct iovec){filler, size};
    left -= size;
  }
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
  return sendmsg(c->fd, &message, MSG_NOSIGNAL);
}

static void flush_requests(struct connection *c) {
  while (c->unsent > 0) {
    size_t skip = (request_length - c->unsent % request_length) % request_length;
    ssize_t sent;
    if (request_length == head_length) sent = send(c->fd, request_text + skip, c->unsent, MSG_NOSIGNAL);
    else sent = send_with_body(c, skip);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break; /* EAGAIN: EPOLLOUT says when; a dead connection shows at its read */
    c->unsent -= sent;
    seen.sent += sent;
  }
  int wants = c->unsent > 0;
  if (wants != c->wants_write) {
    c->wants_write = wants;
    watch(c, EPOLL_CTL_MOD);
  }
}

static int is_name(const char *line, const char *name, size_t length) { return strncasecmp(line, name, length) == 0; }

/* Reads one head, `head` to `end` (past its blank line); 0 when it makes no sense. */
static int read_head(struct connection *c, const char *head, const char *end) {
  if (end - head < 16 || memcmp(head, "HTTP/1.", 7) != 0 || head[8] != ' ') return 0;
  c->status = atoi(head + 9);
  c->close_after = head[7] == '0' || close_request;
  int chunked = 0, counted = 0;
  uint64_t length = 0;
  const char *line = memchr(head, '\n', end - head) + 1;
  while (line < end - 2) {
    const char *next = memchr(line, '\n', end - line) + 1;
    if ((*line | 32) == 'c') {
      if (is_name(line, "content-length:", 15)) {
        char *stop;
        length = strtoull(line + 15, &stop, 10);
        if (stop == line + 15 || *stop != '\r') return 0;
        counted = 1;
      } else if (is_name(line, "connection:", 11)) {
        const char *value = line + 11 + strspn(line + 11, " ");
        if (is_name(value, "close", 5)) c->close_after = 1;
        else if (is_name(value, "keep-alive", 10)) c->close_after = close_request;
      }
    } else if (is_name(line, "transfer-encoding:", 18)) {
      chunked = next - line >= 27 && is_name(next - 9, "chunked\r", 8);
      if (!chunked) return 0;
    }
    line = next;
  }
  c->remaining = 0;
  if (head_request || c->status < 200 || c->status == 204 || c->status == 304) c->body = LENGTH;
  else if (chunked) c->body = CHUNK_SIZE;
  else if (counted) c->body = LENGTH, c->remaining = length;
  else c->body = UNTIL_CLOSE, c->close_after = 1;
  return 1;
}

static void answered(struct connection *c, uint64_t at) {
  c->body = c->close_after && c->status >= 200 ? OVER : HEAD;
  if (c->status < 200) return; /* an interim response: the real one follows */
  uint64_t took = at - c->sent_at[c->first];
  c->first = (c->first + 1) % MAX_DEPTH;
  c->in_flight--;
  if (c->status != 200) {
    seen.status_errors++;
    return;
  }
  if (c->idle) {
    idle_answered++;
    return;
  }
  seen.requests++;
  seen.latency[bucket_of(took)]++;
  if (took > seen.latency_max) seen.latency_max = took;
}

/*
 * Takes as much as it can of what was received, and keeps an unfinished rest;
 * 0 when the bytes make no sense.
 */
static int consume(struct connection *c, uint64_t at) {
  char *p = c->buffer, *end = c->buffer + c->filled;
  for (;;) {
    if (c->body == LENGTH || c->body == CHUNK_DATA) {
      uint64_t take = c->remaining < (uint64_t)(end - p) ? c->remaining : (uint64_t)(end - p);
      p += take;
      seen.body += take;
      if ((c->remaining -= take) > 0) break;
      if (c->body == CHUNK_DATA) {
        c->body = CHUNK_SIZE;
        seen.body -= 2;
      } else answered(c, at);
      continue;
    }
    if (p == end) break;
    if (c->body == UNTIL_CLOSE) {
      seen.body += end - p;
      p = end;
      break;
    }
    if (c->body == HEAD) {
      if (c->in_flight == 0) return 0;
      char *stop = memmem(p, end - p, "\r\n\r\n", 4);
      if (!stop) break;
      if (!read_head(c, p, stop + 4)) return 0;
      p = stop + 4;
      continue;
    }
    if (c->body == OVER) return 0;
    char *stop = memchr(p, '\n', end - p);
    if (!stop) break;
    if (stop == p || stop[-1] != '\r') return 0;
    if (c->body == CHUNK_SIZE) {
      char *after;
      uint64_t size = strtoull(p, &after, 16);
      if (after == p || (*after != '\r' && *after != ';')) return 0;
      c->body = size ? CHUNK_DATA : TRAILERS;
      c->remaining = size + 2;
    } else if (stop == p + 1) {
      answered(c, at);
    }
    p = stop + 1;
  }
  c->filled = end - p;
  if (c->filled == BUFFER) return 0; /* a head or chunk line of 64 KiB */
  if (p != c->buffer && c->filled) memmove(c->buffer, p, c->filled);
  return 1;
}

static void ready(struct connection *c, uint32_t events) {
  if (c->connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error || (events & EPOLLERR)) {
      errno = error;
      if (++refused > 1000) fail("connect");
      broke(c);
      return;
    }
    refused = 0;
    c->connecting = 0;
    issue(c, depth, now());
    flush_requests(c);
    return;
  }
  if (events & EPOLLOUT) flush_requests(c);
  if (!(events & ~(uint32_t)EPOLLOUT)) return;
  /*
   * Of a large body the kernel throws away what it has (MSG_TRUNC, tcp(7)) instead of copying it to us, so that what is
   * measured is the server's speed and not our own; all but the last buffer, whose end is read as usual.
   */
  if ((c->body == LENGTH || c->body == CHUNK_DATA) && c->filled == 0 && c->remaining > 2 * BUFFER) {
    ssize_t gone = recv(c->fd, NULL, c->remaining - BUFFER, MSG_TRUNC);
    if (gone > 0) {
      c->remaining -= gone;
      seen.bytes += gone;
      seen.body += gone;
      return;
    }
    if (gone < 0 && (errno == EAGAIN || errno == EINTR)) return;
  }
  ssize_t got = recv(c->fd, c->buffer + c->filled, BUFFER - c->filled, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  uint64_t at = now();
  if (got <= 0) {
    if (got == 0 && c->body == UNTIL_CLOSE) answered(c, at);
    if (c->body == OVER) {
      /* What was pipelined behind a connection's last response is never answered. */
      seen.broken += c->in_flight;
      reopen(c);
    } else broke(c);
    return;
  }
  seen.bytes += got;
  c->filled += got;
  if (!consume(c, at)) broke(c);
  else if (c->body != OVER) {
    issue(c, depth - c->in_flight, at);
    if (c->unsent) flush_requests(c);
  }
}

static void read_request(const char *path, size_t body) {
  static char text[BUFFER + 1];
  FILE *file = fopen(path, "rb");
  if (!file) fail(path);
  head_length = fread(text, 1, BUFFER, file);
  request_length = head_length + body;
  fclose(file);
  if (head_length == 0) {
    fprintf(stderr, "load: %s is empty\n", path);
    exit(2);
  }
  head_request = memcmp(text, "HEAD ", 5) == 0;
  /* Who asks for a close sends nothing after it (RFC 9112 section 9.6), whatever the server answers. */
  close_request = strcasestr(text, "\r\nconnection: close\r\n") != NULL;
  request_text = malloc(head_length * (depth + 1));
  if (!request_text) fail("malloc");
  for (int i = 0; i <= depth; i++) memcpy(request_text + i * head_length, text, head_length);
  memset(filler, 'a', FILLER);
}

static int in_flight(int count) {
  for (int i = 0; i < count; i++)
    if (connections[i].fd >= 0 && (connections[i].in_flight > 0 || connections[i].connecting)) return 1;
  return 0;
}

static void turn(int ms) {
  struct epoll_event events[512];
  int got = epoll_wait(poller, events, 512, ms);
  if (got < 0 && errno != EINTR) fail("epoll_wait");
  for (int i = 0; i < got; i++) ready(events[i].data.ptr, events[i].events);
}

/* Serves events until `deadline`, or until nothing is asked and nothing is owed. */
static void turn_until(uint64_t deadline, int count) {
  for (;;) {
    uint64_t at = now();
    if (at >= deadline) return;
    if (to_issue == 0 && !in_flight(count)) return;
    turn((deadline - at) / 1000000 + 1);
  }
}

/* Opens the silent connections, a few at a time so that no backlog overflows, until each has had its answer. */
static void open_idle(struct connection *first, uint64_t count) {
  uint64_t opened = 0, deadline = now() + 60000000000u;
  while (idle_answered < count) {
    for (; opened < count && opened < idle_answered + OPENING; opened++) {
      first[opened].idle = 1;
      open_connection(&first[opened]);
    }
    turn(100);
    if (idle_lost || seen.status_errors || now() > deadline) {
      fprintf(stderr, "load: only %llu of %llu idle connections were answered\n", (unsigned long long)idle_answered,
              (unsigned long long)count);
      exit(1);
    }
  }
}

int main(int argc, char **argv) {
  int count = 64, idle = 0, port = 0, core = -1, pid_count = 0;
  uint64_t body = 0;
  double duration = 2, warmup = 0.2;
  const char *host = "127.0.0.1", *request = NULL;
  pid_t pids[MAX_PIDS];
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!strcmp(name, "--host")) host = value;
    else if (!strcmp(name, "--port")) port = atoi(value);
    else if (!strcmp(name, "--request")) request = value;
    else if (!strcmp(name, "--connections")) count = atoi(value);
    else if (!strcmp(name, "--depth")) depth = atoi(value);
    else if (!strcmp(name, "--warmup")) warmup = atof(value);
    else if (!strcmp(name, "--duration")) duration = atof(value);
    else if (!strcmp(name, "--requests")) to_issue = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--core")) core = atoi(value);
    else if (!strcmp(name, "--body")) body = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--idle")) idle = atoi(value);
    else if (!strcmp(name, "--cpu")) {
      for (const char *p = value; p && *p && pid_count < MAX_PIDS; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        pids[pid_count++] = atoi(p);
    } else {
      fprintf(stderr, "load: unknown option %s\n", name);
      return 2;
    }
  }
  if (!request || port <= 0 || count < 1 || idle < 0 || count + idle > MAX_CONNECTIONS || depth < 1 ||
      depth > MAX_DEPTH || duration <= 0 || duration > 600 || warmup < 0 || warmup > 60) {
    fprintf(stderr, "load: give --port and --request; connections 1-%d, depth 1-%d, duration up to 600 s\n",
            MAX_CONNECTIONS, MAX_DEPTH);
    return 2;
  }
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || (ntohl(address.sin_addr.s_addr) >> 24) != 127) {
    fprintf(stderr, "load: %s is not a loopback address\n", host);
    return 2;
  }
  if (core >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) fail("sched_setaffinity");
  }
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  read_request(request, body);
  connections = calloc(count + idle, sizeof *connections);
  if (!connections) fail("calloc");
  if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
  open_idle(connections + count, idle);
  memset(&seen, 0, sizeof seen);
  for (int i = 0; i < count; i++) open_connection(&connections[i]);

  if (warmup > 0 && to_issue == UINT64_MAX) {
    turn_until(now() + warmup * 1e9, count);
    memset(&seen, 0, sizeof seen);
  }
  double machine = machine_busy();
  uint64_t cpu = cpu_of(pids, pid_count), start = now(), own = clock();
  turn_until(start + duration * 1e9, count);
  uint64_t cpu_ns = cpu_of(pids, pid_count) - cpu, took = now() - start;
  own = clock() - own;
  machine = machine_busy() - machine;
  printf("{\"requests\":%llu,\"statusErrors\":%llu,\"broken\":%llu,\"reconnects\":%llu,\"bytes\":%llu,"
         "\"body\":%llu,\"sent\":%llu,"
         "\"seconds\":%.6f,\"cpuSeconds\":%.9f,\"loadCpuSeconds\":%.6f,\"machineSeconds\":%.2f,"
         "\"latency\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}}\n",
         (unsigned long long)seen.requests, (unsigned long long)seen.status_errors,
         (unsigned long long)(seen.broken + idle_lost), (unsigned long long)seen.reconnects, (unsigned long long)seen.bytes,
         (unsigned long long)seen.body, (unsigned long long)seen.sent, took / 1e9, cpu_ns / 1e9,
         (double)own / CLOCKS_PER_SEC, machine, percentile(seen.latency, 0.5) / 1e3, percentile(seen.latency, 0.9) / 1e3, percentile(seen.latency, 0.99) / 1e3,
         seen.latency_max / 1e3);
  fflush(stdout);
  /* What is still owed may arrive for a moment, so that the server sees an orderly end and logs nothing. */
  to_issue = 0;
  turn_until(now() + 300000000, count);
  return 0;
}
