/*
 * How load.c measures: the clock, latencies in a histogram that never allocates,
 * the CPU time of other processes, and how busy the whole machine was.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

enum { BUCKETS = 64 * 32 };

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

/* Log-linear buckets, 32 to a power of two: within 3 % at any size. */
static unsigned bucket_of(uint64_t ns) {
  if (ns < 32) return ns;
  unsigned exponent = 63 - __builtin_clzll(ns);
  return (exponent - 4) * 32 + ((ns >> (exponent - 5)) & 31);
}

static uint64_t bucket_value(unsigned bucket) {
  if (bucket < 32) return bucket;
  unsigned exponent = bucket / 32 + 4;
  return (1ull << exponent) + ((uint64_t)(bucket & 31) << (exponent - 5));
}

static uint64_t percentile(const uint64_t *counts, double part) {
  uint64_t total = 0, sum = 0;
  for (unsigned i = 0; i < BUCKETS; i++) total += counts[i];
  for (unsigned i = 0; i < BUCKETS; i++)
    if ((sum += counts[i]) > 0 && sum >= total * part) return bucket_value(i);
  return 0;
}

static uint64_t cpu_of(const pid_t *pids, int count) {
  uint64_t sum = 0;
  for (int i = 0; i < count; i++) {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pids[i], &clock) != 0 || clock_gettime(clock, &t) != 0) continue; /* it has ended */
    sum += (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
  }
  return sum;
}

/* Seconds that all cores together were busy since the machine started, in steps of 10 ms (proc_stat(5)). */
static double machine_busy(void) {
  unsigned long long user, nice, system, idle, wait, irq, softirq, steal;
  FILE *file = fopen("/proc/stat", "r");
  if (!file) return 0;
  int got = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &wait, &irq,
                   &softirq, &steal);
  fclose(file);
  return got == 8 ? (user + nice + system + irq + softirq + steal) / 100.0 : 0;
}
