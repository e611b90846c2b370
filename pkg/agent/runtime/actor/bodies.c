#include "pkg/agent/runtime/actor/bodies.h"

void sw_bodies_init(struct sw_bodies *bodies)
{
    bodies->next = 0;
    for (unsigned i = 0; i < SW_BODIES_KEPT; i++) {
        bodies->kept[i].lsn = 0;
        sw_buffer_init(&bodies->kept[i].bytes, SW_JOURNAL_RECORD_MAX);
    }
}

void sw_bodies_done(struct sw_bodies *bodies)
{
    for (unsigned i = 0; i < SW_BODIES_KEPT; i++)
        sw_buffer_done(&bodies->kept[i].bytes);
}

/* Room for another one. */
static struct sw_bodies_record *make_room(struct sw_bodies *bodies)
{
    struct sw_bodies_record *record = &bodies->kept[bodies->next];

    bodies->next = (bodies->next + 1) % SW_BODIES_KEPT;
    record->lsn = 0;
    if (record->bytes.size > SW_BODIES_BYTES_MAX) {
        sw_buffer_done(&record->bytes);
        sw_buffer_init(&record->bytes, SW_JOURNAL_RECORD_MAX);
    }
    sw_buffer_reset(&record->bytes);
    return record;
}

enum sw_rc sw_bodies_read(struct sw_bodies *bodies, struct sw_journal *journal, uint64_t lsn,
                          struct sw_bytes *ret_record, struct sw_err *err)
{
    struct sw_bodies_record *record = NULL;
    enum sw_rc rc = SW_OK;

    for (unsigned i = 0; record == NULL && i < SW_BODIES_KEPT; i++)
        if (bodies->kept[i].lsn == lsn)
            record = &bodies->kept[i];
    if (record == NULL) {
        record = make_room(bodies);
        rc = sw_journal_read(journal, lsn, &record->bytes, err);
    }
    if (rc != SW_OK)
        return rc;
    record->lsn = lsn;
    *ret_record = (struct sw_bytes){record->bytes.data, record->bytes.size};
    return SW_OK;
}

void sw_bodies_inline(struct sw_bodies *bodies, struct sw_journal *journal, struct sw_bytes bytes,
                      struct sw_record *record, struct sw_buffer *out)
{
    struct sw_record_segment *segment = &record->segment;
    struct sw_err none = {0};
    struct sw_bytes from;

    if (segment->body_lsn == 0 ||
        sw_bodies_read(bodies, journal, segment->body_lsn, &from, &none) != SW_OK ||
        segment->body_at > from.size || segment->body_bytes > from.size - segment->body_at) {
        sw_buffer_put(out, bytes.data, bytes.size);
        return;
    }
    segment->body =
        (struct sw_bytes){(const uint8_t *)from.data + segment->body_at, segment->body_bytes};
    segment->body_lsn = 0;
    sw_record_put(record, out, NULL);
}
