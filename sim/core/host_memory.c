/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How programs get memory of the host: by jemalloc, in huge pages. Thousands of
 * VPs are spread over thousands of small ones, more than a processor knows the
 * addresses of: with huge ones a dispatch among 4,096 VPs takes an eighth less
 * of the host's time (bench_sched). No result can depend on it.
 *
 * Not part of the library: programs link it (hvsim_host_memory). Sanitizers
 * have an allocator of their own.
 */

/* Read by jemalloc before main() (jemalloc(3), "TUNING"). */
__attribute__((visibility("default"))) extern const char *malloc_conf;
const char *malloc_conf = "thp:always,metadata_thp:auto";
