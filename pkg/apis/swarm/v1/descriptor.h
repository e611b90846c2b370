/* What the generated tables say about kinds, messages, fields and enums.
 *
 * tools/codegen makes the tables and the C structs (pkg/apis/swarm/v1/types.h in the build folder)
 * from api/v1. Everything else in this room is driven by the tables: a new field or kind needs no
 * new code here.
 * How a field looks in its struct:
 *   text      `const char *name`: NUL-terminated UTF-8, "" when it is not set
 *   bytes     `struct sw_bytes name`
 *   number    by value; 0 when it is not set. An `optional` one also has `bool has_name`
 *   enum      by value; 0 (.._UNSPECIFIED) when it is not set
 *   message   by value; it counts as set when anything in it is
 *   repeated  `type *name` and `size_t name_count`
 *   map       `struct sw_api_pair *name` and `size_t name_count`, sorted by key after decoding
 * Threads: constant data.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_API_VERSION "swarm/v1"

enum sw_api_type {
    SW_API_TYPE_BOOL = 1, /* bool */
    SW_API_TYPE_INT32,    /* int32_t */
    SW_API_TYPE_UINT32,   /* uint32_t */
    SW_API_TYPE_UINT64,   /* uint64_t */
    SW_API_TYPE_STRING,   /* const char * */
    SW_API_TYPE_BYTES,    /* struct sw_bytes */
    SW_API_TYPE_ENUM,     /* an enum of int's size */
    SW_API_TYPE_MESSAGE,  /* a struct */
    SW_API_TYPE_MAP       /* struct sw_api_pair, text to text */
};

/* What a text must look like; the words are in api/v1/options.proto. */
enum sw_api_format {
    SW_API_FORMAT_NONE = 0,
    SW_API_FORMAT_LABEL,
    SW_API_FORMAT_DNS_NAME,
    SW_API_FORMAT_QUALIFIED_NAME,
    SW_API_FORMAT_DURATION,
    SW_API_FORMAT_SIZE,
    SW_API_FORMAT_DIGEST,
    SW_API_FORMAT_SUBJECT,
    SW_API_FORMAT_UUID,
    SW_API_FORMAT_TIMESTAMP,
    SW_API_FORMAT_REASON,
    SW_API_FORMAT_INSTANCE,
    SW_API_FORMAT_LABEL_VALUE,
    SW_API_FORMAT_MONEY,
    SW_API_FORMAT_URL
};

enum sw_api_flag {
    SW_API_REPEATED = 1u << 0,
    SW_API_OPTIONAL = 1u << 1, /* Has a `has_` member. */
    SW_API_REQUIRED = 1u << 2,
    SW_API_IMMUTABLE = 1u << 3,
    SW_API_OUTPUT = 1u << 4,    /* Kept by the server; what a client says is ignored. */
    SW_API_FREE_FORM = 1u << 5, /* A manifest may hold a mapping or list here; it becomes JSON. */
    SW_API_PARTIAL = 1u << 6,   /* Nothing inside is required or gets a default. */
    SW_API_BOUNDED = 1u << 7    /* min and max apply, to what a duration or size stands for too. */
};

struct sw_api_pair { /* One entry of a map. */
    const char *key, *value;
};

struct sw_api_enum_value {
    const char *text; /* In JSON, YAML and on the command line: "Ready". */
    const char *help;
    int number;
    bool is_initial; /* A state machine may begin here. */
    const int *next; /* Numbers of the values that may follow. */
    unsigned next_count;
};

struct sw_api_enum {
    const char *name; /* "AgentPhase" */
    const char *help;
    const struct sw_api_enum_value *values; /* Without the unspecified one. */
    unsigned value_count;
    bool is_state_machine;
};

struct sw_api_message;

struct sw_api_field {
    const char *name;       /* In JSON: "readyReplicas". */
    const char *proto_name; /* In api/v1: "ready_replicas". */
    const char *help;
    uint32_t number;
    enum sw_api_type type;
    unsigned flags;                            /* enum sw_api_flag */
    uint32_t offset, count_offset, has_offset; /* In the struct, in bytes. */
    const struct sw_api_message *message;      /* Of a MESSAGE. */
    const struct sw_api_enum *enumeration;     /* Of an ENUM. */
    enum sw_api_format format, key_format;
    int64_t min;
    uint64_t max;                /* With SW_API_BOUNDED. */
    uint32_t min_len, max_len;   /* In bytes; 0: no bound. */
    uint32_t max_items;          /* 0: no bound. */
    const char *default_text;    /* "" when there is none. */
    const char *required_unless; /* proto_name of a sibling, or "". */
    const char *example;         /* "" when there is none. */
};

struct sw_api_message {
    const char *name; /* "AgentSpec" */
    const char *help;
    const struct sw_api_field *fields; /* In order of their numbers. */
    unsigned field_count;
    size_t size_bytes; /* Of the struct. */
};

struct sw_api_column { /* One column of `swarm get`. */
    const char *name;
    const char *path; /* For sw_path_print. */
    bool is_wide;     /* Only with -o wide. */
    bool is_age;      /* A time; show how long ago. */
};

struct sw_kind {
    const char *name;   /* "Agent" */
    const char *plural; /* "agents" */
    const char *const *short_names;
    unsigned short_name_count;
    bool is_namespaced;
    bool has_status; /* There is a status to write on its own. */
    const struct sw_api_message *message;
    const struct sw_api_column *columns;
    unsigned column_count;
};

/* All kinds, in order of their names. */
extern const struct sw_kind sw_kinds[];
extern const unsigned sw_kind_count;

/* The kind of this exact name ("Agent"), or NULL. */
const struct sw_kind *sw_kind_find(const char *name);
/* The kind that a person means by name, plural or short name in any case, or NULL. */
const struct sw_kind *sw_kind_find_loosely(const char *word);
/* The kind word nearest to what was typed ("agents" for "agnets"), or NULL. */
const char *sw_kind_nearest(const char *word);

/* The field with this name as in JSON, or as in api/v1; NULL when there is none. */
const struct sw_api_field *sw_api_field_find(const struct sw_api_message *message,
                                             const char *name);
/* The value by its text or by its number; NULL when there is none. */
const struct sw_api_enum_value *sw_api_enum_find(const struct sw_api_enum *enumeration,
                                                 const char *text);
const struct sw_api_enum_value *sw_api_enum_at(const struct sw_api_enum *enumeration, int number);
/* The text of a number; "" for the unspecified one and for unknown ones. */
const char *sw_api_enum_text(const struct sw_api_enum *enumeration, int number);

enum sw_api_verb { /* What a gRPC method does. */
                   SW_API_VERB_GET = 1,
                   SW_API_VERB_LIST,
                   SW_API_VERB_CREATE,
                   SW_API_VERB_UPDATE,
                   SW_API_VERB_UPDATE_STATUS,
                   SW_API_VERB_APPLY,
                   SW_API_VERB_DELETE,
                   SW_API_VERB_WATCH,
                   SW_API_VERB_SEND,
                   SW_API_VERB_PUBLISH
};

/* One gRPC method. Requests and answers of the per-kind services are given as the messages that
 * carry objects as bytes (WriteRequest, ObjectList, WatchEvent): the same on the wire. */
struct sw_api_method {
    const char *path; /* "/swarm.v1.Agents/Get" */
    enum sw_api_verb verb;
    const struct sw_kind *kind;           /* NULL for SEND and PUBLISH. */
    const struct sw_api_message *request; /* Never NULL. */
    const struct sw_api_message *answer;  /* Never NULL. */
    bool is_server_streaming;
};
extern const struct sw_api_method sw_api_methods[];
extern const unsigned sw_api_method_count;
/* The method under this path, or NULL. */
const struct sw_api_method *sw_api_method_find(const char *path);

/* The services by full name ("swarm.v1.Agents"), for reflection. */
extern const char *const sw_api_services[];
extern const unsigned sw_api_service_count;

/* One file as an encoded google.protobuf.FileDescriptorProto, for reflection. */
struct sw_api_file {
    const char *name; /* "api/v1/agent.proto" */
    struct sw_bytes descriptor;
    const char *const *symbols; /* Full names defined in it: messages, enums, services, methods. */
    unsigned symbol_count;
};
/* A file stands after all files that it imports. */
extern const struct sw_api_file sw_api_files[];
extern const unsigned sw_api_file_count;
/* The file of this name, or the one that defines this symbol; NULL when there is none. */
const struct sw_api_file *sw_api_file_find(const char *name);
const struct sw_api_file *sw_api_file_of_symbol(const char *symbol);
