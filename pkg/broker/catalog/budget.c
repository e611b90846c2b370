#include "pkg/broker/catalog/catalog.h"

#include <inttypes.h>

#include "pkg/broker/catalog/read.h"
#include "pkg/utils/base/text.h"

static enum sw_rc read_limits(const struct sw_api_budget_limits *limits,
                              struct sw_catalog_limits *ret_limits, struct sw_err *err)
{
    struct sw_catalog_limits read = {
        .tokens = limits->has_tokens ? limits->tokens : SW_CATALOG_UNBOUNDED,
        .calls = limits->has_calls ? limits->calls : SW_CATALOG_UNBOUNDED,
        .wall_ns = SW_CATALOG_UNBOUNDED,
        .depth = limits->has_depth ? limits->depth : SW_CATALOG_UNBOUNDED};
    enum sw_rc rc = sw_catalog_money(limits->money, SW_CATALOG_UNBOUNDED, &read.money, err);
    const char *wall = sw_catalog_text(limits->wall_time);

    if (rc == SW_OK && wall[0] != '\0' && sw_text_to_duration_ns(wall, &read.wall_ns) != SW_OK)
        rc = sw_err_set(err, SW_E_INVALID, "\"%.40s\" is no duration", wall);
    if (rc == SW_OK)
        *ret_limits = read;
    return rc;
}

static enum sw_api_budget_period period_of(enum sw_api_budget_period period)
{
    return period == SW_API_BUDGET_PERIOD_UNSPECIFIED ? SW_API_BUDGET_PERIOD_NONE : period;
}

enum sw_rc sw_catalog_read_budget(const struct sw_api_budget *object,
                                  struct sw_catalog_budget *ret_budget, struct sw_err *err)
{
    const struct sw_api_budget_spec *spec = &object->spec;
    struct sw_catalog_budget budget = {.namespace_name =
                                           sw_catalog_text(object->metadata.namespace),
                                       .agent = sw_catalog_text(spec->agent),
                                       .period = period_of(spec->period)};
    enum sw_rc rc = read_limits(&spec->limits, &budget.own, err);

    if (rc == SW_OK)
        rc = read_limits(&spec->instance, &budget.instance, err);
    if (rc == SW_OK)
        rc = read_limits(&spec->turn, &budget.turn, err);
    if (rc == SW_OK)
        *ret_budget = budget;
    else
        sw_err_context(err, "Budget \"%s\"", sw_catalog_text(object->metadata.name));
    return rc;
}

enum sw_rc sw_catalog_read_root(const struct sw_api_cluster *object,
                                struct sw_catalog_budget *ret_budget, struct sw_err *err)
{
    const struct sw_api_cluster_budget *root = &object->spec.budget;
    const struct sw_api_budget_limits none = {0};
    struct sw_catalog_budget budget = {
        .namespace_name = "", .agent = "", .period = period_of(root->period)};
    enum sw_rc rc = read_limits(&root->limits, &budget.own, err);

    if (rc == SW_OK)
        rc = read_limits(&none, &budget.instance, err);
    if (rc == SW_OK)
        rc = read_limits(&none, &budget.turn, err);
    if (rc == SW_OK)
        *ret_budget = budget;
    else
        sw_err_context(err, "the budget of the Cluster");
    return rc;
}

/* --- Raising ------------------------------------------------------------------------------------
 */

enum unit { UNIT_NUMBER, UNIT_MONEY, UNIT_TIME };

static void print_amount(uint64_t amount, enum unit unit, struct sw_buffer *out)
{
    char money[SW_MONEY_TEXT_SIZE];

    if (amount == SW_CATALOG_UNBOUNDED) {
        sw_buffer_put_text(out, "any number");
    } else if (unit == UNIT_MONEY) {
        sw_money_print(amount, money);
        sw_buffer_put_text(out, money);
    } else if (unit == UNIT_TIME) {
        sw_buffer_print(out, "%" PRIu64 "ms", amount / 1000000);
    } else {
        sw_buffer_print(out, "%" PRIu64, amount);
    }
}

static bool is_raised(const char *part, const struct sw_catalog_limits *before,
                      const struct sw_catalog_limits *after, struct sw_buffer *out)
{
    const struct {
        const char *name;
        uint64_t before, after;
        enum unit unit;
    } rows[] = {{"money", before->money, after->money, UNIT_MONEY},
                {"tokens", before->tokens, after->tokens, UNIT_NUMBER},
                {"calls", before->calls, after->calls, UNIT_NUMBER},
                {"wallTime", before->wall_ns, after->wall_ns, UNIT_TIME},
                {"depth", before->depth, after->depth, UNIT_NUMBER}};
    bool is_any = false;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].after <= rows[i].before)
            continue;
        sw_buffer_print(out, "%s%s.%s from ", out->size > 0 ? ", " : "", part, rows[i].name);
        print_amount(rows[i].before, rows[i].unit, out);
        sw_buffer_put_text(out, " to ");
        print_amount(rows[i].after, rows[i].unit, out);
        is_any = true;
    }
    return is_any;
}

static const char *period_text(enum sw_api_budget_period period)
{
    return sw_api_enum_text(&sw_api_budget_period_enum, (int)period);
}

/* How soon what was spent counts no longer; the shorter a period, the sooner. */
static int haste(enum sw_api_budget_period period)
{
    switch (period) {
    case SW_API_BUDGET_PERIOD_HOUR:
        return 3;
    case SW_API_BUDGET_PERIOD_DAY:
        return 2;
    case SW_API_BUDGET_PERIOD_MONTH:
        return 1;
    case SW_API_BUDGET_PERIOD_UNSPECIFIED:
    case SW_API_BUDGET_PERIOD_NONE:
        break;
    }
    return 0;
}

static bool is_bounded(const struct sw_catalog_limits *limits)
{
    return limits->money != SW_CATALOG_UNBOUNDED || limits->tokens != SW_CATALOG_UNBOUNDED ||
           limits->calls != SW_CATALOG_UNBOUNDED || limits->wall_ns != SW_CATALOG_UNBOUNDED;
}

bool sw_catalog_is_raised(const struct sw_catalog_budget *before,
                          const struct sw_catalog_budget *after, struct sw_buffer *out)
{
    static const struct sw_catalog_limits open = {SW_CATALOG_UNBOUNDED, SW_CATALOG_UNBOUNDED,
                                                  SW_CATALOG_UNBOUNDED, SW_CATALOG_UNBOUNDED,
                                                  SW_CATALOG_UNBOUNDED};
    const struct sw_catalog_budget none = {.own = open, .instance = open, .turn = open};
    bool has_period = is_bounded(&before->own) || is_bounded(&before->instance);
    bool is_any;

    if (after == NULL)
        after = &none;
    is_any = is_raised("limits", &before->own, &after->own, out);
    is_any = is_raised("instance", &before->instance, &after->instance, out) || is_any;
    is_any = is_raised("turn", &before->turn, &after->turn, out) || is_any;
    if (has_period && haste(after->period) > haste(before->period)) {
        sw_buffer_print(out, "%speriod from %s to %s", out->size > 0 ? ", " : "",
                        period_text(before->period), period_text(after->period));
        is_any = true;
    }
    return is_any;
}
