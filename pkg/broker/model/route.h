/* Which providers may answer a request, the best first. Pure: all that counts is in the view.
 *
 * Threads, I/O: none.  Limits: MODEL_ROUTES_MAX candidates. */
#pragma once
#include "pkg/broker/model/model.h"

#define MODEL_ROUTES_MAX 16u

struct model_option { /* A provider as it is now. */
    const struct sw_model_provider *spec;
    void *owner;         /* The caller's own. */
    uint64_t latency_us; /* 0: not known. */
    bool is_cooling;     /* It failed a moment ago. */
};

struct model_route {
    const struct model_option *option;
    const struct sw_model *model;
    enum sw_wire_protocol protocol; /* In which it is asked. */
    uint64_t estimate_nano;         /* What the request would cost there, by and large. */
};

struct model_ways { /* What may answer, the best first. */
    struct model_route routes[MODEL_ROUTES_MAX];
    size_t count;
};

/* Find them: providers that are well, then by priority, then what the name asks for (price, unless
 * it is SW_MODEL_QUICKEST), then latency, then name.
 * SW_E_NOT_FOUND, SW_E_UNSUPPORTED: as sw_models_start. */
SW_MUST_CHECK enum sw_rc sw_model_route(const struct model_option *options, size_t count,
                                        const char *name_space, const struct sw_wire_view *view,
                                        struct model_ways *ret_ways, struct sw_err *err);
/* Whether the agents of a namespace may use a provider. */
bool sw_model_may_use(const struct sw_model_provider *spec, const char *name_space);
