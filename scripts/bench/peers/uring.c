/*
 * The true floor: the answers of epoll.c over io_uring, by raw system calls.
 * Multishot accept and receive, a ring of provided buffers, direct descriptors
 * (the kernel's table of them, no file descriptor is made), and one
 * io_uring_enter a turn: it hands in the answers and waits for what comes next.
 * No limits, no deadlines, no bodies: not a server. io_uring(7),
 * io_uring_enter(2), io_uring_register(2); needs Linux 6.1.
 */
#define _GNU_SOURCE
#include "answer.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SQ = 4096, CQ = 65536, TAKEN_AT_ONCE = 2048 };
enum { BUFFERS = 2048, BUFFER_SIZE = 4096, SLOTS = 8192, SLOT_SIZE = 32768 };
/* Low byte of a completion's user_data; above it a descriptor of the ring's table, or a SEND's slot. */
enum { ACCEPT = 1, RECEIVE, SEND, OTHER };

static int ring, registered_ring;
static unsigned *sq_tail, *cq_head, *cq_tail, sq_mask, cq_mask, tail, queued;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static struct io_uring_buf_ring *buffer_ring;
static char *buffers, *slots;
static uint16_t buffer_tail;
static int free_slots[SLOTS], free_count = SLOTS;

/* What one receive did not finish; made when first needed, so an idle connection owns nothing. */
static struct rest { size_t filled; char bytes[BUFFER]; } *rests[MAX_FD];

static void fail(const char *what) {
  fprintf(stderr, "uring: error: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *map(size_t size, int fd, off_t offset) {
  int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
  if (at == MAP_FAILED) fail("mmap");
  return at;
}

static void enter(unsigned wait) {
  __atomic_store_n(sq_tail, tail, __ATOMIC_RELEASE);
  unsigned flags = IORING_ENTER_GETEVENTS | (registered_ring ? IORING_ENTER_REGISTERED_RING : 0);
  long done = syscall(SYS_io_uring_enter, ring, queued, wait, flags, NULL, 0);
  if (done >= 0) queued -= done;
  else if (errno != EINTR && errno != EBUSY && errno != EAGAIN) fail("io_uring_enter");
}

static struct io_uring_sqe *submission(int operation, int descriptor, uint64_t data) {
  if (queued == SQ) enter(0);
  struct io_uring_sqe *sqe = &sqes[tail++ & sq_mask];
  queued++;
  memset(sqe, 0, sizeof *sqe);
  sqe->opcode = operation;
  sqe->fd = descriptor;
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->user_data = data;
  return sqe;
}

/* A connection that closes after its answer receives once: an armed receive would hold back the FIN of close. */
static void receive(int descriptor) {
  struct io_uring_sqe *sqe = submission(IORING_OP_RECV, descriptor, RECEIVE | (uint64_t)descriptor << 8);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  if (mode != CLOSE) sqe->ioprio = IORING_RECV_MULTISHOT;
}

static void close_direct(int descriptor) {
  free(rests[descriptor]);
  rests[descriptor] = NULL;
  struct io_uring_sqe *sqe = submission(IORING_OP_CLOSE, 0, OTHER);
  sqe->flags = 0;
  sqe->file_index = descriptor + 1;
}

static void give_back(unsigned id) {
  struct io_uring_buf *entry = &buffer_ring->bufs[buffer_tail++ & (BUFFERS - 1)];
  entry->addr = (uintptr_t)(buffers + (size_t)id * BUFFER_SIZE);
  entry->len = BUFFER_SIZE;
  entry->bid = id;
}

static void received(int descriptor, char *bytes, size_t size) {
  static char joined[BUFFER + BUFFER_SIZE];
  char *from = bytes, *end = bytes + size;
  struct rest *rest = rests[descriptor];
  if (rest && rest->filled) {
    memcpy(joined, rest->bytes, rest->filled);
    memcpy(joined + rest->filled, bytes, size);
    from = joined;
    end = joined + rest->filled + size;
    rest->filled = 0;
  }
  int slot = free_slots[--free_count];
  char *out = slots + (size_t)slot * SLOT_SIZE;
  size_t length = answer_all(out, SLOT_SIZE, &from, end), left = end - from;
  if (length) {
    struct io_uring_sqe *sqe = submission(IORING_OP_SEND, descriptor, SEND | (uint64_t)slot << 8);
    sqe->addr = (uintptr_t)out;
    sqe->len = length;
    sqe->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
    if (mode == CLOSE) {
      sqe->flags |= IOSQE_IO_LINK;
      close_direct(descriptor);
      return;
    }
  } else free_slots[free_count++] = slot;
  if (left == 0 || left > BUFFER) return; /* the bench asks nothing that long */
  if (!rest && !(rest = rests[descriptor] = malloc(sizeof *rest))) abort();
  memcpy(rest->bytes, from, left);
  rest->filled = left;
}

static void completed(const struct io_uring_cqe *cqe) {
  int which = cqe->user_data >> 8, more = cqe->flags & IORING_CQE_F_MORE;
  if ((cqe->user_data & 255) == SEND) free_slots[free_count++] = which;
  else if ((cqe->user_data & 255) == ACCEPT) {
    if (cqe->res >= 0) receive(cqe->res);
    if (!more) fail("accept ended");
  } else if ((cqe->user_data & 255) == RECEIVE) {
    if (cqe->res > 0) {
      unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
      received(which, buffers + (size_t)id * BUFFER_SIZE, cqe->res);
      give_back(id);
      if (!more && mode != CLOSE) receive(which);
    } else if (cqe->res == -ENOBUFS) receive(which); /* buffers are back by the time this is handed in */
    else if (!more) close_direct(which);
  }
}

static void open_ring(void) {
  struct io_uring_params p = {.cq_entries = CQ};
  p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  ring = syscall(SYS_io_uring_setup, SQ, &p);
  if (ring < 0) fail("io_uring_setup");
  size_t completions = p.cq_off.cqes + p.cq_entries * sizeof *cqes;
  size_t submissions = p.sq_off.array + p.sq_entries * sizeof(unsigned);
  char *rings = map(completions > submissions ? completions : submissions, ring, IORING_OFF_SQ_RING);
  sqes = map(p.sq_entries * sizeof *sqes, ring, IORING_OFF_SQES);
  sq_tail = (unsigned *)(rings + p.sq_off.tail);
  cq_head = (unsigned *)(rings + p.cq_off.head);
  cq_tail = (unsigned *)(rings + p.cq_off.tail);
  sq_mask = *(unsigned *)(rings + p.sq_off.ring_mask);
  cq_mask = *(unsigned *)(rings + p.cq_off.ring_mask);
  cqes = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
  for (unsigned i = 0; i < p.sq_entries; i++) ((unsigned *)(rings + p.sq_off.array))[i] = i;

  buffers = map((size_t)BUFFERS * BUFFER_SIZE, -1, 0);
  memset(buffers, 0, (size_t)BUFFERS * BUFFER_SIZE); /* they take turns: no connection is to blame for a page of them */
  slots = map((size_t)SLOTS * SLOT_SIZE, -1, 0);
  buffer_ring = map(BUFFERS * sizeof(struct io_uring_buf), -1, 0);
  struct io_uring_buf_reg provided = {.ring_addr = (uintptr_t)buffer_ring, .ring_entries = BUFFERS};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_PBUF_RING, &provided, 1) < 0) fail("provided buffers");
  for (int i = 0; i < BUFFERS; i++) give_back(i);
  __atomic_store_n(&buffer_ring->tail, buffer_tail, __ATOMIC_RELEASE);
  for (int i = 0; i < SLOTS; i++) free_slots[i] = SLOTS - 1 - i;

  /* The table may be as large as the limit of descriptors. */
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  struct io_uring_rsrc_register table = {.nr = limit.rlim_cur < MAX_FD ? limit.rlim_cur : MAX_FD,
                                         .flags = IORING_RSRC_REGISTER_SPARSE};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES2, &table, sizeof table) < 0) fail("direct descriptors");
  /* Spares the look-up of the ring's own descriptor at each enter. */
  struct io_uring_rsrc_update self = {.offset = -1u, .data = ring};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_RING_FDS, &self, 1) == 1) {
    ring = self.offset;
    registered_ring = 1;
  }
}

int main(int argc, char **argv) {
  int listener = begin(argc, argv, 0), one = 1;
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
  open_ring();
  struct io_uring_sqe *sqe = submission(IORING_OP_ACCEPT, listener, ACCEPT);
  sqe->flags = 0;
  sqe->ioprio = IORING_ACCEPT_MULTISHOT;
  sqe->file_index = IORING_FILE_INDEX_ALLOC;
  for (;;) {
    /* Sends complete as they are handed in: waiting for one more than those is waiting for something new. */
    unsigned head = *cq_head;
    enter(__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == head ? SLOTS - free_count + 1 : 0);
    stamp();
    unsigned end = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
    if (end - head > TAKEN_AT_ONCE) end = head + TAKEN_AT_ONCE;
    for (; head != end; head++) completed(&cqes[head & cq_mask]);
    __atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
    __atomic_store_n(&buffer_ring->tail, buffer_tail, __ATOMIC_RELEASE);
  }
}
