/*
 * The floor to compare with: a raw epoll loop in C. `epoll plaintext PORT` finds
 * each head's end and answers; `json` reads twelve request headers and writes
 * them as a JSON object; `close` closes after each answer. No limits, no
 * deadlines, no bodies: not a server.
 */
#define _GNU_SOURCE
#include "answer.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { OUT = 131072 };
/* What one read did not finish; made when first needed, so an idle connection owns nothing. */
static struct rest { size_t filled; char bytes[BUFFER]; } *rests[MAX_FD];
static char in[BUFFER * 2], out[OUT];

static void drop(int fd) {
  free(rests[fd]);
  rests[fd] = NULL;
  close(fd);
}

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
  size_t size = answer_all(out, OUT, &p, end);
  /* The bench keeps far less in flight than a socket buffer holds: a short send is an error here. */
  if (size && (send(fd, out, size, MSG_NOSIGNAL) != (ssize_t)size || mode == CLOSE)) {
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
  int listener = begin(argc, argv, SOCK_NONBLOCK), one = 1;
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int got = epoll_wait(poller, events, 512, -1);
    stamp();
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
