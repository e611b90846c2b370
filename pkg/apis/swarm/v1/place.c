#include "pkg/apis/swarm/v1/place.h"

#include <stdio.h>

#define PATH_BYTES_MAX 4096

void sw_place_print(const struct sw_place *place, struct sw_buffer *out)
{
    if (place == NULL)
        return;
    sw_place_print(place->parent, out);
    if (place->name != NULL)
        sw_buffer_print(out, "%s%s", out->size > 0 ? "." : "", place->name);
    else if (place->key != NULL)
        sw_buffer_print(out, "['%s']", place->key);
    else
        sw_buffer_print(out, "[%zu]", place->index);
}

void sw_complain(struct sw_problems *problems, const struct sw_complaint *complaint,
                 const char *format, ...)
{
    char words[SW_ERR_MESSAGE_MAX];
    struct sw_buffer path;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_place_print(complaint->place, &path);
    sw_buffer_put_u8(&path, 0);
    sw_problems_add(problems, &(struct sw_problem){
                                  .file = complaint->file,
                                  .line = complaint->line,
                                  .column = complaint->column,
                                  .field = sw_buffer_check(&path) == SW_OK ? (char *)path.data : "",
                                  .message = words,
                                  .hint = complaint->hint,
                              });
    sw_buffer_done(&path);
}
