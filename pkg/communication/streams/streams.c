#include "pkg/communication/streams/streams.h"

uint64_t sw_stream_next(struct sw_stream *stream)
{
    return ++stream->number;
}

/* Names are random, so they are their own hash. */
static uint32_t place_of(const struct sw_marks *marks, uint64_t stream, uint32_t way)
{
    return (uint32_t)(stream + way) & (marks->room - 1);
}

/* The place that gives way first: a free one, otherwise the one that was still for longest. */
static bool is_better(const struct sw_mark *mark, const struct sw_mark *than)
{
    if (than->stream == 0)
        return false;
    return mark->stream == 0 || mark->time_ns < than->time_ns;
}

enum sw_verdict sw_marks_judge(const struct sw_marks *marks, const struct sw_stream *message,
                               uint64_t now_ns, uint32_t *ret_at)
{
    uint32_t at = place_of(marks, message->name, 0);

    for (uint32_t way = 0; way < SW_MARKS_WAYS; way++) {
        uint32_t place = place_of(marks, message->name, way);
        const struct sw_mark *mark = &marks->places[place];

        if (mark->stream == message->name) {
            *ret_at = place;
            return message->number > mark->number ? SW_VERDICT_TAKE : SW_VERDICT_REPEAT;
        }
        if (is_better(mark, &marks->places[at]))
            at = place;
    }
    *ret_at = at;
    return marks->places[at].stream == 0 || now_ns - marks->places[at].time_ns >= marks->still_ns
               ? SW_VERDICT_TAKE
               : SW_VERDICT_FULL;
}

void sw_marks_put(struct sw_marks *marks, const struct sw_stream *message, uint64_t now_ns,
                  uint32_t at)
{
    marks->places[at] =
        (struct sw_mark){.stream = message->name, .number = message->number, .time_ns = now_ns};
}
