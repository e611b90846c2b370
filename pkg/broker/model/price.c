#include "pkg/broker/model/price.h"

#include <string.h>

#define MILLION 1000000u
#define CONTEXT_TOKENS_MAX 2000000u /* Of a model that does not say how many it has. */

__extension__ typedef unsigned __int128 wide;

static uint64_t lesser(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

uint64_t sw_model_cost_nano(const struct sw_model_price *price, uint64_t input_tokens,
                            uint64_t cached_tokens, uint64_t output_tokens)
{
    uint64_t fresh = input_tokens - lesser(cached_tokens, input_tokens);
    wide sum = (wide)fresh * price->input +
               (wide)lesser(cached_tokens, input_tokens) * price->cached +
               (wide)output_tokens * price->output;

    sum = (sum + MILLION - 1) / MILLION;
    return sum > UINT64_MAX ? UINT64_MAX : (uint64_t)sum;
}

void sw_model_worst_case(const struct sw_wire_view *view, const struct sw_model *model,
                         struct model_worst *ret_worst)
{
    uint64_t stated = view->max_output_tokens, most = model->output_tokens_max;
    struct sw_model_price price = model->price;

    memset(ret_worst, 0, sizeof *ret_worst);
    if (most == 0)
        most = stated == 0 ? SW_WIRE_OUTPUT_TOKENS_DEFAULT : SW_WIRE_TOKENS_MAX;
    if (view->protocol != SW_WIRE_EMBEDDINGS) {
        ret_worst->output_stated = stated == 0 ? most : lesser(stated, most);
        ret_worst->output_tokens = ret_worst->output_stated * view->choices;
    }
    ret_worst->input_tokens =
        view->input_bytes + (uint64_t)MODEL_MESSAGE_TOKENS * (view->messages + 1);
    /* What an image comes to only its model knows, and what is kept elsewhere only its provider. */
    if (view->reads_elsewhere && model->context_tokens == 0)
        ret_worst->input_tokens = CONTEXT_TOKENS_MAX;
    else if (view->media_bytes > 0 || view->reads_elsewhere)
        ret_worst->input_tokens = model->context_tokens > 0
                                      ? model->context_tokens
                                      : ret_worst->input_tokens + view->media_bytes;
    if (model->context_tokens > 0)
        ret_worst->input_tokens = lesser(ret_worst->input_tokens, model->context_tokens);
    if (price.cached > price.input) /* Reading from a cache may cost more; then it counts. */
        price.input = price.cached;
    ret_worst->amount.money_nano =
        sw_model_cost_nano(&price, ret_worst->input_tokens, 0, ret_worst->output_tokens);
    ret_worst->amount.tokens = ret_worst->input_tokens + ret_worst->output_tokens;
    ret_worst->amount.calls = 1;
}

bool sw_model_usage_hold(const struct sw_wire_view *view, const struct model_worst *worst,
                         struct sw_wire_usage *usage)
{
    uint64_t input_least = view->input_bytes / MODEL_TOKEN_BYTES_MAX;
    uint64_t output_least = usage->output_bytes / MODEL_TOKEN_BYTES_MAX;
    struct sw_wire_usage said = *usage;

    if (!usage->is_reported) {
        usage->input_tokens = worst->input_tokens;
        usage->output_tokens = lesser(usage->output_bytes, worst->output_tokens);
        usage->cached_tokens = 0;
        return true;
    }
    input_least = lesser(input_least, worst->input_tokens);
    output_least = lesser(output_least, worst->output_tokens);
    if (usage->input_tokens < input_least)
        usage->input_tokens = input_least;
    if (usage->output_tokens < output_least)
        usage->output_tokens = output_least;
    usage->input_tokens = lesser(usage->input_tokens, worst->input_tokens);
    usage->output_tokens = lesser(usage->output_tokens, worst->output_tokens);
    usage->cached_tokens = lesser(usage->cached_tokens, usage->input_tokens);
    return said.input_tokens == usage->input_tokens && said.output_tokens == usage->output_tokens &&
           said.cached_tokens == usage->cached_tokens;
}
