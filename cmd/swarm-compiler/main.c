/* swarm-compiler: one module in, machine code out. Started by swarmd only, with one end of a socket
 * pair as standard input and output (pkg/agent/compiler/frame.h); it enters its sandbox before it
 * reads the first byte, since the module is a stranger's and the code generator is large. */
#include "pkg/agent/abi/class.h"
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/compiler/frame.h"
#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "pkg/agent/sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MEMORY_BYTES_MAX ((size_t)4 << 30)
#define CPU_SECONDS_MAX 120u
#define REWRITTEN_BYTES_MAX (SW_ABI_MODULE_BYTES_MAX + (1u << 20))

static bool read_all(void *ret_bytes, size_t size)
{
    char *at = ret_bytes;

    while (size > 0) {
        ssize_t got = read(STDIN_FILENO, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_all(const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t put = write(STDOUT_FILENO, at, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += put;
        size -= (size_t)put;
    }
    return true;
}

static bool read_module(struct sw_buffer *ret_module, enum sw_abi_class *ret_class)
{
    uint8_t head[SW_COMPILER_FRAME_SIZE];
    struct sw_compiler_frame frame;
    uint8_t *room;

    if (!read_all(head, sizeof head) ||
        sw_compiler_frame_get((struct sw_bytes){head, sizeof head}, SW_ABI_MODULE_BYTES_MAX,
                              &frame) != SW_OK ||
        frame.status < 0 || frame.status >= SW_ABI_CLASSES)
        return false;
    *ret_class = (enum sw_abi_class)frame.status;
    room = sw_buffer_reserve(ret_module, frame.size);
    if (room == NULL || !read_all(room, frame.size))
        return false;
    ret_module->size = frame.size;
    return true;
}

static bool answer(enum sw_rc rc, struct sw_bytes bytes)
{
    struct sw_buffer head;
    bool is_sent;

    sw_buffer_init(&head, SW_COMPILER_FRAME_SIZE);
    sw_compiler_frame_put(&head, (int32_t)rc, (uint32_t)bytes.size);
    is_sent = !head.failed && write_all(head.data, head.size) && write_all(bytes.data, bytes.size);
    sw_buffer_done(&head);
    return is_sent;
}

/* What is compiled is the rewritten module: see pkg/agent/modules/rewrite.h. */
static enum sw_rc compile_rewritten(struct sw_bytes module, enum sw_abi_class class,
                                    struct sw_buffer *code, struct sw_err *err)
{
    struct sw_buffer rewritten;
    enum sw_rc rc;

    sw_buffer_init(&rewritten, REWRITTEN_BYTES_MAX);
    rc = sw_module_rewrite(module, &rewritten, err);
    if (rc == SW_OK)
        rc = sw_wasm_compile((struct sw_bytes){rewritten.data, rewritten.size}, class, code, err);
    sw_buffer_done(&rewritten);
    return rc;
}

static bool compile(void)
{
    struct sw_buffer module, code;
    enum sw_abi_class class;
    struct sw_err err = {0};
    bool is_answered = false;

    sw_buffer_init(&module, SW_ABI_MODULE_BYTES_MAX);
    sw_buffer_init(&code, SW_COMPILER_CODE_BYTES_MAX);
    if (read_module(&module, &class)) {
        enum sw_rc rc =
            compile_rewritten((struct sw_bytes){module.data, module.size}, class, &code, &err);
        is_answered = rc == SW_OK ? answer(rc, (struct sw_bytes){code.data, code.size})
                                  : answer(rc, (struct sw_bytes){err.message, strlen(err.message)});
    }
    sw_buffer_done(&module);
    sw_buffer_done(&code);
    return is_answered;
}

int main(void)
{
    struct sw_sandbox_options options = {.profile = SW_SANDBOX_COMPILER,
                                         .memory_bytes_max = MEMORY_BYTES_MAX,
                                         .cpu_seconds_max = CPU_SECONDS_MAX};
    struct sw_sandbox_view view;
    struct sw_err err = {0};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* No use without the one who asked. */
    if (sw_sandbox_enter(&options, &view, &err) != SW_OK) {
        (void)fprintf(stderr, "swarm-compiler: %s\n", err.message);
        return 1;
    }
    return compile() ? 0 : 1;
}
