#include "pkg/broker/process/frame.h"

#include "pkg/agent/runtime/process/call.h"

#define PRIORITY_MAX 3
#define LEVEL_MAX 3

static enum sw_rc refuse(struct sw_err *err, const char *words)
{
    return sw_err_set(err, SW_E_INVALID, "%s", words);
}

enum sw_rc sw_turn_read(struct sw_bytes bytes, struct sw_turn_view *ret_view, size_t *ret_size,
                        struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    struct sw_turn_view view = {0};
    struct sw_turn_frame *head = &view.head;
    size_t size;

    if (bytes.size < sizeof head->size)
        return SW_E_UNAVAILABLE;
    size = sizeof head->size + sw_reader_u32(&reader);
    if (size < sizeof *head || size > SW_TURN_FRAME_MAX)
        return sw_err_set(err, SW_E_INVALID, "a frame has %zu to %u bytes, and not %zu",
                          sizeof *head, SW_TURN_FRAME_MAX, size);
    if (bytes.size < size)
        return SW_E_UNAVAILABLE;
    memcpy(head, bytes.data, sizeof *head);
    reader = sw_reader_of(bytes.data, size);
    (void)sw_reader_take(&reader, sizeof *head);
    view.name = sw_reader_take(&reader, head->name_size);
    view.subject = sw_reader_take(&reader, head->subject_size);
    view.type = sw_reader_take(&reader, head->type_size);
    view.state = sw_reader_take(&reader, head->state_size);
    view.body = sw_reader_take(&reader, head->body_size);
    if (!sw_reader_is_finished(&reader))
        return refuse(err, "the sizes in a frame are not that of the frame");
    if (view.name.size > SW_TURN_NAME_MAX || view.subject.size > SW_TURN_NAME_MAX ||
        view.type.size > SW_TURN_TYPE_MAX || view.state.size > SW_TURN_STATE_MAX)
        return refuse(err, "a name or subject has at most 1024 bytes, a type 255, a state 1 MiB");
    *ret_view = view;
    *ret_size = size;
    return SW_OK;
}

enum { /* Which fields a kind may have. */
       NAME = 1,
       SUBJECT = 2,
       TYPE = 4,
       BODY = 8,
       VALUE = 16,
       PRIORITY = 32,
       STATUS = 64
};

static const uint8_t fields_of[SW_TURN_FROM_PROCESS + 1] = {
    [SW_TURN_ASK] = NAME | TYPE | BODY | VALUE | PRIORITY,
    [SW_TURN_CALL] = NAME | TYPE | BODY | VALUE,
    [SW_TURN_RECEIVE] = VALUE,
    [SW_TURN_SLEEP] = VALUE,
    [SW_TURN_SEND] = NAME | TYPE | BODY | PRIORITY,
    [SW_TURN_PUBLISH] = SUBJECT | TYPE | BODY | PRIORITY,
    [SW_TURN_SUBSCRIBE] = SUBJECT,
    [SW_TURN_UNSUBSCRIBE] = SUBJECT,
    [SW_TURN_ANSWER] = TYPE | BODY | VALUE | STATUS,
    [SW_TURN_LOG] = BODY,
    [SW_TURN_END] = TYPE | BODY | STATUS,
};

static bool has_only(const struct sw_turn_view *view, unsigned fields)
{
    const struct sw_turn_frame *head = &view->head;

    return ((fields & NAME) != 0 || view->name.size == 0) &&
           ((fields & SUBJECT) != 0 || view->subject.size == 0) &&
           ((fields & TYPE) != 0 || view->type.size == 0) &&
           ((fields & BODY) != 0 || view->body.size == 0) &&
           ((fields & VALUE) != 0 || head->value == 0) && head->value2 == 0 && head->time_ns == 0 &&
           head->priority == 0;
}

enum sw_rc sw_turn_check(const struct sw_turn_view *view, struct sw_err *err)
{
    const struct sw_turn_frame *head = &view->head;
    bool is_end = head->kind == SW_TURN_END, is_log = head->kind == SW_TURN_LOG;
    unsigned fields;

    if (head->kind == 0 || head->kind > SW_TURN_FROM_PROCESS)
        return refuse(err, "there is no such kind of frame from a process");
    fields = fields_of[head->kind];
    if (!has_only(view, fields))
        return refuse(err, "a frame has a field that its kind has not");
    if (head->flags > (is_end ? SW_TURN_HAS_STATE : (fields & PRIORITY) != 0 ? PRIORITY_MAX : 0))
        return refuse(err, "a frame has flags that its kind has not");
    if (view->state.size > 0 && head->flags != SW_TURN_HAS_STATE)
        return refuse(err, "only the end of a turn has a state");
    if (is_log ? head->status < 0 || head->status > LEVEL_MAX
               : head->status > 0 || ((fields & STATUS) == 0 && head->status != 0) ||
                     head->status < SW_E_UNAUTHENTICATED)
        return refuse(err, "a frame has a status that its kind has not");
    if ((is_end || is_log) != (head->number == 0))
        return refuse(err, "requests have a number, and nothing else has");
    if (head->kind == SW_TURN_CALL &&
        sw_bytes_is_equal(view->name,
                          (struct sw_bytes){SW_PROCESS_SERVICE, sizeof SW_PROCESS_SERVICE - 1}))
        return refuse(err, "a process may not call " SW_PROCESS_SERVICE);
    return SW_OK;
}

void sw_turn_put(struct sw_buffer *out, const struct sw_turn_view *view)
{
    struct sw_turn_frame head = view->head;

    head.name_size = (uint32_t)view->name.size;
    head.subject_size = (uint32_t)view->subject.size;
    head.type_size = (uint32_t)view->type.size;
    head.state_size = (uint32_t)view->state.size;
    head.body_size = (uint32_t)view->body.size;
    head.size = (uint32_t)(sizeof head - sizeof head.size) + head.name_size + head.subject_size +
                head.type_size + head.state_size + head.body_size;
    sw_buffer_put(out, &head, sizeof head);
    sw_buffer_put(out, view->name.data, view->name.size);
    sw_buffer_put(out, view->subject.data, view->subject.size);
    sw_buffer_put(out, view->type.data, view->type.size);
    sw_buffer_put(out, view->state.data, view->state.size);
    sw_buffer_put(out, view->body.data, view->body.size);
}

static size_t common_begin(struct sw_bytes one, struct sw_bytes other)
{
    const uint8_t *a = one.data, *b = other.data;
    size_t size = one.size < other.size ? one.size : other.size, i = 0;

    while (i < size && a[i] == b[i])
        i++;
    return i;
}

static size_t common_end(struct sw_bytes one, struct sw_bytes other)
{
    const uint8_t *a = one.data, *b = other.data;
    size_t size = one.size < other.size ? one.size : other.size, i = 0;

    while (i < size && a[one.size - 1 - i] == b[other.size - 1 - i])
        i++;
    return i;
}

/* Behind what both begin with. */
static struct sw_bytes behind(struct sw_bytes bytes, size_t size)
{
    return (struct sw_bytes){(const uint8_t *)bytes.data + size, bytes.size - size};
}

static void change_put(struct sw_buffer *out, struct sw_bytes before, struct sw_bytes frame)
{
    struct sw_bytes rest = behind(frame, sizeof(struct sw_turn_frame)), left;
    size_t begin = common_begin(before, rest);
    size_t end = common_end(behind(before, begin), behind(rest, begin));
    struct sw_process_change change = {(uint32_t)begin, (uint32_t)end};

    left = behind(rest, begin);
    left.size -= end;
    if (left.size + sizeof change >= rest.size)
        return;
    sw_buffer_put(out, frame.data, sizeof(struct sw_turn_frame));
    sw_buffer_put(out, &change, sizeof change);
    sw_buffer_put(out, left.data, left.size);
    if (out->failed)
        sw_buffer_reset(out);
}

void sw_frame_put_change(struct sw_buffer *out, struct sw_buffer *last, struct sw_bytes frame)
{
    struct sw_bytes rest = behind(frame, sizeof(struct sw_turn_frame));

    if (!sw_process_is_last(rest.size))
        return;
    if (last->size > 0)
        change_put(out, (struct sw_bytes){last->data, last->size}, frame);
    sw_buffer_reset(last);
    sw_buffer_put(last, rest.data, rest.size);
    if (last->failed)
        sw_buffer_reset(last);
}
