#include "web/api/state.h"

#include "pkg/metrics/prometheus/prometheus.h"

#define METRICS_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* The OpenAPI document, put into the program by the assembler. */
extern const char sw_gateway_openapi[], sw_gateway_openapi_end[];
__asm__(".section .rodata\n"
        ".global sw_gateway_openapi, sw_gateway_openapi_end\n"
        "sw_gateway_openapi: .incbin \"api/openapi/swagger.yaml\"\n"
        "sw_gateway_openapi_end: .byte 0\n"
        ".previous\n");

static void serve_metrics(struct gateway_call *call)
{
    struct sw_buffer body;
    struct sw_err err = {0};

    sw_buffer_init(&body, METRICS_BYTES_MAX);
    sw_prometheus_print(call->gateway->options.collector, &body);
    if (body.failed) {
        (void)sw_err_set(&err, SW_E_EXHAUSTED, "no memory for the figures");
        sw_gateway_fail(call, SW_E_EXHAUSTED, &err);
    } else {
        sw_gateway_answer_bytes(call, 200, SW_PROMETHEUS_CONTENT_TYPE,
                                (struct sw_bytes){.data = body.data, .size = body.size});
    }
    sw_buffer_done(&body);
}

static void serve_ready(struct gateway_call *call)
{
    struct sw_err err = {0};

    if (sw_gateway_is_ready(call->gateway, &err) == SW_OK)
        sw_gateway_answer_bytes(call, 200, "text/plain", sw_bytes_of_text("ok\n"));
    else
        sw_gateway_fail_as(call, 503, SW_E_UNAVAILABLE, &err, NULL);
}

void sw_gateway_serve_page(struct gateway_call *call)
{
    size_t openapi_size = (size_t)(sw_gateway_openapi_end - sw_gateway_openapi);

    if (call->route.target == TARGET_METRICS)
        serve_metrics(call);
    else if (call->route.target == TARGET_READY)
        serve_ready(call);
    else if (call->route.target == TARGET_OPENAPI)
        sw_gateway_answer_bytes(
            call, 200, "application/yaml",
            (struct sw_bytes){.data = sw_gateway_openapi, .size = openapi_size});
    else
        sw_gateway_answer_bytes(call, 200, "text/plain", sw_bytes_of_text("ok\n"));
}
