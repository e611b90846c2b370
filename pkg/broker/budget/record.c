#include "pkg/broker/budget/record.h"

/* --- Writing --------------------------------------------------------------------------------- */

static void put_amount(const struct sw_budget_amount *amount, struct sw_buffer *out)
{
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        sw_buffer_put_u64(out, amount->of[i]);
}

static void put_node(const struct sw_ledger_record *record, struct sw_buffer *out)
{
    sw_buffer_put_u8(out, (uint8_t)record->level);
    sw_buffer_put_u8(out, (uint8_t)record->rule_level);
    sw_buffer_put_u8(out, (uint8_t)record->period);
    sw_buffer_put_u64(out, record->index);
    sw_buffer_put_u64(out, record->turn);
    sw_buffer_put_bytes(out, record->rule);
    sw_buffer_put_bytes(out, record->name_space);
    sw_buffer_put_bytes(out, record->agent);
    sw_buffer_put_bytes(out, record->instance);
}

static void put_reserve(const struct sw_ledger_record *record, struct sw_buffer *out)
{
    sw_buffer_put_u64(out, record->id);
    sw_buffer_put_bytes(out, record->key);
    put_amount(&record->worst, out);
    sw_buffer_put_u8(out, record->steps);
    for (unsigned i = 0; i < record->steps; i++) {
        sw_buffer_put_u32(out, record->path[i].node);
        sw_buffer_put_u8(out, record->path[i].is_past);
    }
}

static void put_of_node(const struct sw_ledger_record *record, struct sw_buffer *out)
{
    sw_buffer_put_u32(out, record->node);
    if (record->kind == SW_LEDGER_NODE)
        put_node(record, out);
    if (record->kind == SW_LEDGER_PERIOD) {
        sw_buffer_put_u8(out, (uint8_t)record->period);
        sw_buffer_put_u64(out, record->index);
        sw_buffer_put_u8(out, record->is_new);
    }
    if (record->kind == SW_LEDGER_MARK || record->kind == SW_LEDGER_STATE)
        put_amount(&record->mark, out);
    if (record->kind == SW_LEDGER_STATE) {
        put_amount(&record->spent, out);
        put_amount(&record->lost, out);
    }
}

void sw_ledger_record_put(const struct sw_ledger_record *record, struct sw_buffer *out)
{
    sw_buffer_put_u8(out, (uint8_t)record->kind);
    switch (record->kind) {
    case SW_LEDGER_BOOT:
        sw_buffer_put_bytes(out, record->boot);
        break;
    case SW_LEDGER_NODE:
    case SW_LEDGER_DROP:
    case SW_LEDGER_PERIOD:
    case SW_LEDGER_MARK:
    case SW_LEDGER_STATE:
        put_of_node(record, out);
        break;
    case SW_LEDGER_RESERVE:
        put_reserve(record, out);
        break;
    case SW_LEDGER_SETTLE:
        sw_buffer_put_u64(out, record->id);
        put_amount(&record->actual, out);
        break;
    case SW_LEDGER_RELEASE:
        sw_buffer_put_u64(out, record->id);
        break;
    case SW_LEDGER_KNOWN:
        sw_buffer_put_bytes(out, record->key);
        put_amount(&record->worst, out);
        put_amount(&record->actual, out);
        break;
    case SW_LEDGER_STOP:
    case SW_LEDGER_BEGIN:
    default:
        break;
    }
}

/* --- Reading --------------------------------------------------------------------------------- */

static void take_amount(struct sw_reader *reader, struct sw_budget_amount *ret_amount)
{
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        ret_amount->of[i] = sw_reader_u64(reader);
}

static bool take_flag(struct sw_reader *reader)
{
    uint8_t flag = sw_reader_u8(reader);

    reader->failed = reader->failed || flag > 1;
    return flag == 1;
}

static uint8_t take_choice(struct sw_reader *reader, uint8_t most)
{
    uint8_t choice = sw_reader_u8(reader);

    reader->failed = reader->failed || choice > most;
    return choice;
}

static struct sw_bytes take_name(struct sw_reader *reader)
{
    struct sw_bytes name = sw_reader_bytes(reader, SW_BUDGET_NAME_MAX);

    if (name.size > 0 && memchr(name.data, 0, name.size) != NULL)
        reader->failed = true;
    return name;
}

static struct sw_bytes take_key(struct sw_reader *reader)
{
    struct sw_bytes key = sw_reader_bytes(reader, SW_LEDGER_KEY_MAX);

    reader->failed = reader->failed || key.size == 0;
    return key;
}

/* Names are where the level has some, and the rule is of somebody above or of the node itself. */
static bool is_node(const struct sw_ledger_record *record)
{
    bool is_dynamic = record->level >= SW_BUDGET_INSTANCE;

    return (record->name_space.size > 0) == (record->level >= SW_BUDGET_NAMESPACE) &&
           (record->agent.size > 0) == (record->level >= SW_BUDGET_AGENT) &&
           (record->instance.size == 0 || is_dynamic) &&
           (record->turn == 0 || record->level == SW_BUDGET_TURN) &&
           (is_dynamic ? record->rule.size > 0 : record->rule_level == record->level);
}

static void take_node(struct sw_reader *reader, struct sw_ledger_record *record)
{
    record->level = (enum sw_budget_level)take_choice(reader, SW_BUDGET_TURN);
    record->rule_level = (enum sw_budget_level)take_choice(reader, SW_BUDGET_AGENT);
    record->period = (enum sw_budget_period)take_choice(reader, SW_BUDGET_MONTH);
    record->index = sw_reader_u64(reader);
    record->turn = sw_reader_u64(reader);
    record->rule = take_name(reader);
    record->name_space = take_name(reader);
    record->agent = take_name(reader);
    record->instance = sw_reader_bytes(reader, SW_BUDGET_INSTANCE_MAX);
    reader->failed = reader->failed || !is_node(record);
}

static void take_of_node(struct sw_reader *reader, struct sw_ledger_record *record)
{
    record->node = sw_reader_u32(reader);
    reader->failed = reader->failed || record->node == 0;
    if (record->kind == SW_LEDGER_NODE)
        take_node(reader, record);
    if (record->kind == SW_LEDGER_PERIOD) {
        record->period = (enum sw_budget_period)take_choice(reader, SW_BUDGET_MONTH);
        record->index = sw_reader_u64(reader);
        record->is_new = take_flag(reader);
    }
    if (record->kind == SW_LEDGER_MARK || record->kind == SW_LEDGER_STATE)
        take_amount(reader, &record->mark);
    if (record->kind == SW_LEDGER_STATE) {
        take_amount(reader, &record->spent);
        take_amount(reader, &record->lost);
    }
}

static void take_reserve(struct sw_reader *reader, struct sw_ledger_record *record)
{
    record->id = sw_reader_u64(reader);
    record->key = take_key(reader);
    take_amount(reader, &record->worst);
    record->steps = take_choice(reader, SW_BUDGET_PATH_MAX);
    reader->failed = reader->failed || record->steps == 0;
    for (unsigned i = 0; !reader->failed && i < record->steps; i++) {
        record->path[i].node = sw_reader_u32(reader);
        record->path[i].is_past = take_flag(reader);
    }
}

static void take_fields(struct sw_reader *reader, struct sw_ledger_record *record)
{
    switch (record->kind) {
    case SW_LEDGER_BOOT:
        record->boot = sw_reader_bytes(reader, SW_LEDGER_BOOT_MAX);
        break;
    case SW_LEDGER_NODE:
    case SW_LEDGER_DROP:
    case SW_LEDGER_PERIOD:
    case SW_LEDGER_MARK:
    case SW_LEDGER_STATE:
        take_of_node(reader, record);
        break;
    case SW_LEDGER_RESERVE:
        take_reserve(reader, record);
        break;
    case SW_LEDGER_SETTLE:
        record->id = sw_reader_u64(reader);
        take_amount(reader, &record->actual);
        break;
    case SW_LEDGER_RELEASE:
        record->id = sw_reader_u64(reader);
        break;
    case SW_LEDGER_KNOWN:
        record->key = take_key(reader);
        take_amount(reader, &record->worst);
        take_amount(reader, &record->actual);
        break;
    case SW_LEDGER_STOP:
    case SW_LEDGER_BEGIN:
        break;
    default:
        reader->failed = true;
    }
}

enum sw_rc sw_ledger_record_take(struct sw_bytes bytes, struct sw_ledger_record *ret_record,
                                 struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);

    memset(ret_record, 0, sizeof *ret_record);
    ret_record->kind = (enum sw_ledger_kind)sw_reader_u8(&reader);
    take_fields(&reader, ret_record);
    return sw_reader_is_finished(&reader)
               ? SW_OK
               : sw_err_set(err, SW_E_CORRUPT, "a malformed record of the ledger, of kind %d",
                            (int)ret_record->kind);
}
