/* WASI preview 1 as a guest without a C library declares it. */
#pragma once
#include <stdint.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

struct vector {
    const void *bytes;
    uint32_t size;
};
WASI(args_get) int32_t args_get(uint32_t *pointers, char *texts);
WASI(args_sizes_get) int32_t args_sizes_get(uint32_t *ret_count, uint32_t *ret_size);
WASI(environ_get) int32_t environ_get(uint32_t *pointers, char *texts);
WASI(environ_sizes_get) int32_t environ_sizes_get(uint32_t *ret_count, uint32_t *ret_size);
WASI(clock_res_get) int32_t clock_res_get(int32_t clock, uint64_t *ret_time);
WASI(clock_time_get) int32_t clock_time_get(int32_t clock, int64_t lag, uint64_t *ret_time);
WASI(random_get) int32_t random_get(void *ret_bytes, uint32_t size);
WASI(sched_yield) int32_t sched_yield(void);
WASI(poll_oneoff) int32_t poll_oneoff(void *in, void *out, uint32_t count, uint32_t *ret_count);
WASI(proc_exit) void proc_exit(int32_t code);
WASI(proc_raise) int32_t proc_raise(int32_t number);
WASI(fd_advise) int32_t fd_advise(int32_t fd, int64_t at, int64_t size, int32_t advice);
WASI(fd_allocate) int32_t fd_allocate(int32_t fd, int64_t at, int64_t size);
WASI(fd_close) int32_t fd_close(int32_t fd);
WASI(fd_datasync) int32_t fd_datasync(int32_t fd);
WASI(fd_fdstat_get) int32_t fd_fdstat_get(int32_t fd, void *ret_status);
WASI(fd_fdstat_set_flags) int32_t fd_fdstat_set_flags(int32_t fd, int32_t flags);
WASI(fd_fdstat_set_rights) int32_t fd_fdstat_set_rights(int32_t fd, int64_t base, int64_t more);
WASI(fd_filestat_get) int32_t fd_filestat_get(int32_t fd, void *ret_status);
WASI(fd_filestat_set_size) int32_t fd_filestat_set_size(int32_t fd, int64_t size);
WASI(fd_filestat_set_times)
int32_t fd_filestat_set_times(int32_t fd, int64_t a, int64_t m, int32_t f);
WASI(fd_pread) int32_t fd_pread(int32_t fd, void *v, uint32_t n, int64_t at, uint32_t *ret);
WASI(fd_prestat_dir_name) int32_t fd_prestat_dir_name(int32_t fd, char *ret_path, uint32_t size);
WASI(fd_prestat_get) int32_t fd_prestat_get(int32_t fd, void *ret_status);
WASI(fd_pwrite) int32_t fd_pwrite(int32_t fd, void *v, uint32_t n, int64_t at, uint32_t *ret);
WASI(fd_read) int32_t fd_read(int32_t fd, const struct vector *v, uint32_t n, uint32_t *ret);
WASI(fd_readdir) int32_t fd_readdir(int32_t fd, void *b, uint32_t n, int64_t at, uint32_t *ret);
WASI(fd_renumber) int32_t fd_renumber(int32_t fd, int32_t to);
WASI(fd_seek) int32_t fd_seek(int32_t fd, int64_t by, int32_t whence, uint64_t *ret_at);
WASI(fd_sync) int32_t fd_sync(int32_t fd);
WASI(fd_tell) int32_t fd_tell(int32_t fd, uint64_t *ret_at);
WASI(fd_write) int32_t fd_write(int32_t fd, const struct vector *v, uint32_t n, uint32_t *ret);
WASI(path_create_directory) int32_t path_create_directory(int32_t fd, const char *p, uint32_t n);
WASI(path_filestat_get)
int32_t path_filestat_get(int32_t fd, int32_t f, const char *p, uint32_t n, void *ret);
WASI(path_filestat_set_times)
int32_t path_filestat_set_times(int32_t fd, int32_t f, const char *p, uint32_t n, int64_t a,
                                int64_t m, int32_t g);
WASI(path_link)
int32_t path_link(int32_t fd, int32_t f, const char *p, uint32_t n, int32_t to, const char *q,
                  uint32_t m);
WASI(path_open)
int32_t path_open(int32_t fd, int32_t d, const char *p, uint32_t n, int32_t o, int64_t base,
                  int64_t more, int32_t f, int32_t *ret_fd);
WASI(path_readlink)
int32_t path_readlink(int32_t fd, const char *p, uint32_t n, char *b, uint32_t m, uint32_t *ret);
WASI(path_remove_directory) int32_t path_remove_directory(int32_t fd, const char *p, uint32_t n);
WASI(path_rename)
int32_t path_rename(int32_t fd, const char *p, uint32_t n, int32_t to, const char *q, uint32_t m);
WASI(path_symlink)
int32_t path_symlink(const char *p, uint32_t n, int32_t fd, const char *q, uint32_t m);
WASI(path_unlink_file) int32_t path_unlink_file(int32_t fd, const char *p, uint32_t n);
WASI(sock_accept) int32_t sock_accept(int32_t fd, int32_t flags, int32_t *ret_fd);
WASI(sock_recv)
int32_t sock_recv(int32_t fd, void *v, uint32_t n, int32_t f, uint32_t *ret, uint32_t *ret_f);
WASI(sock_send) int32_t sock_send(int32_t fd, const void *v, uint32_t n, int32_t f, uint32_t *ret);
WASI(sock_shutdown) int32_t sock_shutdown(int32_t fd, int32_t how);
