/* The ledger's journal: records as they come, each behind its size, are what a ledger is opened
 * with. Whatever they say it opens, or says why not; and what it writes then can be read. */
/* uses: pkg/broker/budget pkg/agent/store */
/* covers: pkg/broker/budget/record.c pkg/broker/budget/recover.c */
#include "pkg/agent/store/journal.h"
#include "pkg/broker/budget/record.h"
#include "test/support/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum flags { HAS_BOOT = 1, SAME_BOOT = 2 };

static struct disk disk;
static struct sw_loop loop;

/* A record that is read can be written again as the same bytes. */
static void take_record(struct sw_bytes bytes)
{
    struct sw_ledger_record record;
    struct sw_buffer out;
    struct sw_err err = {0};

    if (sw_ledger_record_take(bytes, &record, &err) != SW_OK) {
        assert(err.rc == SW_E_CORRUPT && err.message[0] != '\0');
        return;
    }
    sw_buffer_init(&out, 65536);
    sw_ledger_record_put(&record, &out);
    assert(out.size == bytes.size && memcmp(out.data, bytes.data, out.size) == 0);
    sw_buffer_done(&out);
}

static void put_record(struct sw_journal *journal, struct sw_bytes bytes)
{
    struct sw_journal_place place;

    take_record(bytes);
    if (sw_journal_append(journal, bytes, &place, NULL) != SW_OK)
        abort();
}

static void write_journal(const uint8_t *data, size_t size)
{
    const struct sw_journal_options options = {
        .system = &disk.system, .folder = LEDGER_FOLDER, .segment_bytes = 65536};
    struct sw_reader reader = sw_reader_of(data, size);
    struct sw_journal *journal;

    if (sw_journal_open(&options, NULL, NULL, &journal, NULL) != SW_OK)
        abort();
    while (reader.at < reader.size) {
        uint8_t wanted = sw_reader_u8(&reader);
        size_t left = reader.size - reader.at;

        put_record(journal, sw_reader_take(&reader, wanted < left ? wanted : left));
    }
    if (sw_journal_commit(journal, NULL) != SW_OK)
        abort();
    sw_journal_close(journal);
}

static void sum_up(void *ctx, const struct sw_budget_view *view)
{
    struct sw_budget_amount *sum = ctx;

    assert(view->level != SW_BUDGET_AGENT || view->agent[0] != '\0');
    for (unsigned i = 0; i < SW_BUDGET_DIMENSIONS; i++)
        sum->of[i] += (view->spent.of[i] + 3 * view->reserved.of[i]) * (view->turn + 7);
}

static bool open_once(struct sw_budget_amount *ret_sum)
{
    const struct sw_ledger_options options = {.compact_bytes = 65536, .keep_max = 4};
    struct sw_ledger *ledger;
    struct sw_err err = {0};

    memset(ret_sum, 0, sizeof *ret_sum);
    if (ledger_open(&disk, &loop, options, &ledger, &err) != SW_OK) {
        assert(err.message[0] != '\0');
        return false;
    }
    sw_ledger_each(ledger, sum_up, ret_sum);
    sw_ledger_free(ledger);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_budget_amount first, second;

    if (size < 1)
        return 0;
    disk_init(&disk, 1);
    if ((data[0] & HAS_BOOT) != 0)
        ledger_set_boot(&disk, (data[0] & SAME_BOOT) != 0 ? "boot" : "other");
    write_journal(data + 1, size - 1);
    if (open_once(&first)) {
        if ((data[0] & HAS_BOOT) == 0)
            ledger_set_boot(&disk, "late");
        if (!open_once(&second))
            abort();
        /* It was the same boot in between, so nothing more counts as lost. */
        assert((data[0] & HAS_BOOT) == 0 || memcmp(&first, &second, sizeof first) == 0);
    }
    disk_done(&disk);
    return 0;
}
