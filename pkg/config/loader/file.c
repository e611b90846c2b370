/* The YAML file: libyaml's events, taken one at a time through a small machine.
 *
 *   START --mapping--> TOP --scalar--> AFTER_KEY --scalar--> TOP      (a value: put it)
 *                                      AFTER_KEY --mapping--> SECTION
 *                  SECTION --scalar--> AFTER_SECTION_KEY --scalar--> SECTION
 *
 * Whatever does not fit is a problem with its place, and its whole subtree is passed over. */
#include "pkg/config/loader/sources.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define KEYS_MAX 256 /* Remembered to find duplicates. */

enum state { START, TOP, AFTER_KEY, SECTION, AFTER_SECTION_KEY, DONE };

struct machine {
    struct sw_config_load *load;
    const char *path;
    enum state state;
    unsigned skip_depth; /* Above 0: inside a subtree that was refused. */
    char key[SW_SETTING_NAME_MAX], section[SW_SETTING_NAME_MAX];
    yaml_mark_t key_mark;
    const char *seen[KEYS_MAX];
    size_t seen_count;
};

static const char *place_at(const struct machine *machine, yaml_mark_t mark)
{
    const char *place = sw_arena_print(machine->load->arena, "%s:%zu:%zu", machine->path,
                                       mark.line + 1, mark.column + 1);

    return place != NULL ? place : machine->path;
}

static void complain_at(struct machine *machine, yaml_mark_t mark, const char *name,
                        const char *words)
{
    struct sw_config_value value = {.place = place_at(machine, mark), .name = name};

    sw_config_complain(machine->load, &value, words, "");
}

static const char *full_name(struct machine *machine)
{
    const char *name =
        machine->state == AFTER_SECTION_KEY
            ? sw_arena_print(machine->load->arena, "%s.%s", machine->section, machine->key)
            : sw_arena_copy(machine->load->arena, machine->key, strlen(machine->key));

    if (name == NULL)
        machine->load->is_out_of_memory = true;
    return name != NULL ? name : "";
}

/* Remember a name; false when it was there already. */
static bool is_first(struct machine *machine, const char *name)
{
    for (size_t i = 0; i < machine->seen_count; i++)
        if (strcmp(machine->seen[i], name) == 0)
            return false;
    if (machine->seen_count < KEYS_MAX)
        machine->seen[machine->seen_count++] = name;
    return true;
}

/* A key keeps at most the size of a name; a longer one is no setting's and stays recognisable. */
static void take_key(struct machine *machine, const yaml_event_t *event)
{
    (void)snprintf(machine->key, sizeof machine->key, "%s", (const char *)event->data.scalar.value);
    machine->key_mark = event->start_mark;
    machine->state = machine->state == TOP ? AFTER_KEY : AFTER_SECTION_KEY;
}

static bool has_nul(const yaml_event_t *event)
{
    return memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL;
}

static void take_value(struct machine *machine, const yaml_event_t *event)
{
    struct sw_config_value value = {.place = place_at(machine, machine->key_mark),
                                    .name = full_name(machine)};

    machine->state = machine->state == AFTER_KEY ? TOP : SECTION;
    if (!is_first(machine, value.name)) {
        sw_config_complain(machine->load, &value, "is set twice", "");
        return;
    }
    value.place = place_at(machine, event->start_mark);
    if (has_nul(event)) {
        sw_config_complain(machine->load, &value, "holds a NUL byte", "");
        return;
    }
    value.text = (const char *)event->data.scalar.value;
    sw_config_put(machine->load, &value);
}

static void take_scalar(struct machine *machine, const yaml_event_t *event)
{
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        complain_at(machine, event->start_mark, "", "anchors and tags are not used here");
    switch (machine->state) {
    case TOP:
    case SECTION:
        take_key(machine, event);
        break;
    case AFTER_KEY:
    case AFTER_SECTION_KEY:
        take_value(machine, event);
        break;
    case START: /* An empty file is one empty plain scalar or nothing at all. */
        if (event->data.scalar.length > 0)
            complain_at(machine, event->start_mark, "", "expected a mapping of settings");
        machine->state = DONE;
        break;
    case DONE:
    default:
        break;
    }
}

static void take_mapping(struct machine *machine, const yaml_event_t *event)
{
    if (machine->state == START) {
        machine->state = TOP;
        return;
    }
    if (machine->state != AFTER_KEY) {
        complain_at(machine, event->start_mark, "", "settings are at most two levels deep");
        machine->skip_depth = 1;
        machine->state = machine->state == AFTER_SECTION_KEY ? SECTION : machine->state;
        return;
    }
    (void)memcpy(machine->section, machine->key, sizeof machine->section);
    if (!is_first(machine, full_name(machine)))
        complain_at(machine, machine->key_mark, machine->section, "is set twice");
    machine->state = SECTION;
}

static void take_sequence(struct machine *machine, const yaml_event_t *event)
{
    complain_at(machine, event->start_mark, "", "lists are not used here");
    machine->skip_depth = 1;
    if (machine->state == AFTER_KEY)
        machine->state = TOP;
    else if (machine->state == AFTER_SECTION_KEY)
        machine->state = SECTION;
}

/* True when the event belongs to a subtree that is passed over. */
static bool is_skipped(struct machine *machine, yaml_event_type_t type)
{
    if (machine->skip_depth == 0)
        return false;
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
        machine->skip_depth++;
    if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
        machine->skip_depth--;
    return true;
}

/* False ends the reading. */
static bool take_event(struct machine *machine, const yaml_event_t *event)
{
    if (is_skipped(machine, event->type))
        return true;
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        take_scalar(machine, event);
        return true;
    case YAML_MAPPING_START_EVENT:
        take_mapping(machine, event);
        return true;
    case YAML_MAPPING_END_EVENT:
        machine->state = machine->state == SECTION ? TOP : DONE;
        return true;
    case YAML_SEQUENCE_START_EVENT:
        take_sequence(machine, event);
        return true;
    case YAML_ALIAS_EVENT:
        complain_at(machine, event->start_mark, "", "aliases are not used here");
        return false;
    case YAML_DOCUMENT_START_EVENT:
        if (machine->state == START)
            return true;
        complain_at(machine, event->start_mark, "", "there must be one document only");
        return false;
    case YAML_STREAM_END_EVENT:
        return false;
    default:
        return true;
    }
}

static void complain_of_syntax(struct machine *machine, const yaml_parser_t *parser)
{
    char words[256];

    (void)snprintf(words, sizeof words, "not YAML: %s",
                   parser->problem != NULL ? parser->problem : "it cannot be read");
    complain_at(machine, parser->problem_mark, "", words);
}

void sw_config_read_yaml(struct sw_config_load *load, const char *path, struct sw_bytes text)
{
    struct machine machine = {.load = load, .path = path};
    yaml_parser_t parser;
    yaml_event_t event;
    bool goes_on = true;

    if (yaml_parser_initialize(&parser) != 1) {
        load->is_out_of_memory = true;
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.data, text.size);
    while (goes_on && load->problems_count < SW_CONFIG_PROBLEMS_MAX && !load->is_out_of_memory) {
        if (yaml_parser_parse(&parser, &event) != 1) {
            complain_of_syntax(&machine, &parser);
            break;
        }
        goes_on = take_event(&machine, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}
