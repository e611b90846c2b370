/* Calls WASI preview 1 as a toolchain's C library would, by the first bytes of a message, and says
 * what it got in its log. */
#include <swarm/agent.h>

#include "wasi.h"

SWARM_AGENT;

#define FAULT 21
#define NOSYS 52

static char texts[4096];
static uint32_t pointers[16], a, b;
static uint64_t wide;

static int is_command(const struct swarm_message *message, const char *command)
{
    uint32_t i = 0;

    while (command[i] != '\0' && i < message->body_size && message->body[i] == (uint8_t)command[i])
        i++;
    return command[i] == '\0' && i == message->body_size;
}

static uint32_t size_of(const char *text)
{
    uint32_t size = 0;

    while (text[size] != '\0')
        size++;
    return size;
}

static int32_t say_all(int32_t code)
{
    for (uint32_t i = 0; code == 0 && i < a; i++) {
        const char *text = (const char *)(__UINTPTR_TYPE__)pointers[i];
        code = swarm_log(SWARM_LOG_DEBUG, text, size_of(text));
    }
    /* The sizes that were announced are those of the texts. */
    if (code == 0 && a > 0)
        code = pointers[a - 1] + size_of((const char *)(__UINTPTR_TYPE__)pointers[a - 1]) + 1 ==
                       (uint32_t)(__UINTPTR_TYPE__)texts + b
                   ? 0
                   : SWARM_E_INVALID;
    return code;
}

static int32_t put(int32_t fd, const char *text)
{
    struct vector v[2] = {{text, size_of(text) / 2}, {text + size_of(text) / 2, 0}};

    v[1].size = size_of(text) - v[0].size;
    return fd_write(fd, v, 2, &a) != 0 || a != size_of(text) ? SWARM_E_INVALID : 0;
}

static char long_line[40000];

static int32_t print(void)
{
    for (uint32_t i = 0; i < sizeof long_line; i++)
        long_line[i] = 'x';
    struct vector v = {long_line, sizeof long_line};
    return put(1, "one\ntwo") != 0 || put(2, "oh") != 0 || put(1, " and\n\n") != 0 ||
                   fd_write(1, &v, 1, &a) != 0 || a != sizeof long_line || put(1, "\nrest") != 0
               ? SWARM_E_INVALID
               : 0;
}

/* More than a call takes: the rest is written by the next, as a C library does it. */
static int32_t flood(void)
{
    struct vector v[2] = {{long_line, sizeof long_line}, {long_line, sizeof long_line}};

    for (uint32_t i = 0; i < sizeof long_line; i++)
        long_line[i] = 'y';
    return fd_write(1, v, 2, &a) == 0 && a == 65536 ? 0 : SWARM_E_INVALID;
}

#define WRONG(call, code)                                                                          \
    if ((call) != (code))                                                                          \
    return swarm_log(SWARM_LOG_ERROR, #call, sizeof #call - 1) | SWARM_E_INVALID

static int32_t faults(void)
{
    char *end = (char *)((uint32_t)__builtin_wasm_memory_size(0) << 16);
    struct vector bad[2] = {{texts, 1}, {end - 1, 2}}, huge = {texts, 0xffffffffu};

    WRONG(args_get((uint32_t *)(end - 4), texts), FAULT);
    WRONG(args_get(pointers, end - 3), FAULT);
    WRONG(args_sizes_get((uint32_t *)(end - 3), &b), FAULT);
    WRONG(args_sizes_get(&a, (uint32_t *)(end - 3)), FAULT);
    WRONG(environ_get((uint32_t *)(end - 4), texts), FAULT);
    WRONG(environ_get(pointers, end), FAULT);
    WRONG(environ_sizes_get((uint32_t *)end, &b), FAULT);
    WRONG(environ_sizes_get(&a, (uint32_t *)0xfffffffcu), FAULT);
    WRONG(clock_res_get(0, (uint64_t *)(end - 7)), FAULT);
    WRONG(clock_time_get(0, 0, (uint64_t *)(end - 7)), FAULT);
    WRONG(random_get(end - 4, 5), FAULT);
    WRONG(random_get(texts, 0xffffffffu), FAULT);
    WRONG(fd_fdstat_get(0, end - 23), FAULT);
    WRONG(poll_oneoff(end - 47, texts, 1, &a), FAULT);
    WRONG(poll_oneoff(texts, end - 31, 1, &a), FAULT);
    WRONG(poll_oneoff(texts, texts, 1, (uint32_t *)(end - 3)), FAULT);
    WRONG(fd_read(0, bad, 1, (uint32_t *)(end - 3)), FAULT);
    WRONG(fd_write(1, (struct vector *)(end - 8), 2, &a), FAULT);
    WRONG(fd_write(1, bad, 2, &a), FAULT);
    WRONG(fd_write(1, &huge, 1, &a), FAULT);
    WRONG(fd_write(1, bad, 1, (uint32_t *)(end - 3)), FAULT);
    return 0;
}

static int32_t limits(void)
{
    struct vector v = {texts, 1};

    WRONG(clock_time_get(4, 0, &wide), 28);
    WRONG(clock_res_get(4, &wide), 28);
    if (__builtin_wasm_memory_grow(0, 1) == (__SIZE_TYPE__)-1) /* So that they are inside. */
        return -1;
    WRONG(random_get(0, 65537), 28);
    WRONG(poll_oneoff(texts, texts, 0, &a), 28);
    WRONG(fd_write(1, 0, 1025, &a), 28);
    WRONG(fd_write(0, &v, 1, &a), 8);
    WRONG(fd_write(3, &v, 1, &a), 8);
    WRONG(fd_read(1, &v, 1, &a), 8);
    WRONG(fd_read(0, &v, 1, &a) + (int32_t)a, 0);
    WRONG(fd_close(2), 0);
    WRONG(fd_close(3), 8);
    WRONG(fd_seek(1, 0, 0, &wide), 70);
    WRONG(fd_tell(0, &wide), 70);
    WRONG(fd_seek(3, 0, 0, &wide), 8);
    WRONG(fd_fdstat_get(3, texts), 8);
    WRONG(fd_fdstat_get(1, texts) + texts[0] + texts[8], 2 + 64);
    WRONG(fd_fdstat_get(0, texts) + texts[0] + texts[8], 2 + 2);
    WRONG(fd_prestat_get(3, texts), 8);
    WRONG(fd_prestat_dir_name(3, texts, 1), 8);
    WRONG(sched_yield(), 0);
    WRONG(poll_oneoff(texts, texts, 1, &a), 58);
    WRONG(clock_res_get(1, &wide) + (int32_t)wide, 1);
    WRONG(random_get(texts, 16), 0);
    return swarm_log(SWARM_LOG_DEBUG, texts, 16);
}

/* What there is not says so, whatever it is given. */
static int32_t absent_files(void)
{
    void *p = (void *)0xfffffff0u;

    WRONG(fd_advise(1, 0, 0, 0), NOSYS);
    WRONG(fd_allocate(1, 0, 0), NOSYS);
    WRONG(fd_datasync(1), NOSYS);
    WRONG(fd_fdstat_set_flags(1, 0), NOSYS);
    WRONG(fd_fdstat_set_rights(1, 0, 0), NOSYS);
    WRONG(fd_filestat_get(1, p), NOSYS);
    WRONG(fd_filestat_set_size(1, 0), NOSYS);
    WRONG(fd_filestat_set_times(1, 0, 0, 0), NOSYS);
    WRONG(fd_pread(1, p, 1, 0, p), NOSYS);
    WRONG(fd_pwrite(1, p, 1, 0, p), NOSYS);
    WRONG(fd_readdir(1, p, 1, 0, p), NOSYS);
    WRONG(fd_renumber(1, 2), NOSYS);
    WRONG(fd_sync(1), NOSYS);
    WRONG(proc_raise(9), NOSYS);
    WRONG(sock_accept(1, 0, p), NOSYS);
    WRONG(sock_recv(1, p, 1, 0, p, p), NOSYS);
    WRONG(sock_send(1, p, 1, 0, p), NOSYS);
    WRONG(sock_shutdown(1, 0), NOSYS);
    return 0;
}

static int32_t absent_paths(void)
{
    void *p = (void *)0xfffffff0u;

    WRONG(path_create_directory(3, p, 1), NOSYS);
    WRONG(path_filestat_get(3, 0, p, 1, p), NOSYS);
    WRONG(path_filestat_set_times(3, 0, p, 1, 0, 0, 0), NOSYS);
    WRONG(path_link(3, 0, p, 1, 3, p, 1), NOSYS);
    WRONG(path_open(3, 0, p, 1, 0, 0, 0, 0, p), NOSYS);
    WRONG(path_readlink(3, p, 1, p, 1, p), NOSYS);
    WRONG(path_remove_directory(3, p, 1), NOSYS);
    WRONG(path_rename(3, p, 1, 3, p, 1), NOSYS);
    WRONG(path_symlink(p, 1, 3, p, 1), NOSYS);
    WRONG(path_unlink_file(3, p, 1), NOSYS);
    return absent_files();
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if (is_command(m, "arguments"))
        return say_all(args_sizes_get(&a, &b) | args_get(pointers, texts));
    if (is_command(m, "environment"))
        return say_all(environ_sizes_get(&a, &b) | environ_get(pointers, texts));
    if (is_command(m, "clock"))
        return clock_time_get(0, 0, &wide) == 0 && clock_time_get(3, 5, &wide) == 0
                   ? swarm_timer_start(1, wide)
                   : SWARM_E_INVALID;
    if (is_command(m, "print"))
        return print();
    if (is_command(m, "flood"))
        return flood();
    if (is_command(m, "faults"))
        return faults();
    if (is_command(m, "limits"))
        return limits();
    if (is_command(m, "absent"))
        return absent_paths();
    if (is_command(m, "print and trap")) {
        (void)put(2, "last words");
        __builtin_trap();
    }
    if (is_command(m, "exit")) {
        (void)put(1, "bye");
        proc_exit(m->flags == 0 ? 0 : 3);
    }
    return SWARM_E_NOT_FOUND;
}
