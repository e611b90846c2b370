#include "pkg/agent/modules/parse.h"

/* What follows an opcode. */
enum immediate {
    NONE,
    BLOCK,        /* A block type; opens a block. */
    END,          /* Closes one. */
    INDEX,        /* u32. */
    INDEX_TWO,    /* u32 u32. */
    BRANCH_TABLE, /* Vector of u32, then u32. */
    TYPES,        /* Vector of value types. */
    MEMORY,       /* Alignment and offset. */
    MEMORY_ZERO,  /* The byte 0: the number of the only memory. */
    I32,
    I64,
    F32,
    F64,
    HEAP_TYPE,
    TABLE_SET, /* Refused: tables are not part of an image. */
    PREFIX_MISC,
    PREFIX_SIMD,
    OFF, /* A proposal that is switched off. */
    UNKNOWN
};

/* Ranges of opcodes in ascending order; what no range holds is unknown. */
static const struct {
    uint8_t first, last, immediate;
} opcodes[] = {
    {0x00, 0x01, NONE},         {0x02, 0x04, BLOCK},       {0x05, 0x05, NONE},
    {0x06, 0x0a, OFF},          {0x0b, 0x0b, END},         {0x0c, 0x0d, INDEX},
    {0x0e, 0x0e, BRANCH_TABLE}, {0x0f, 0x0f, NONE},        {0x10, 0x10, INDEX},
    {0x11, 0x11, INDEX_TWO},    {0x12, 0x19, OFF},         {0x1a, 0x1b, NONE},
    {0x1c, 0x1c, TYPES},        {0x1f, 0x1f, OFF},         {0x20, 0x25, INDEX},
    {0x26, 0x26, TABLE_SET},    {0x28, 0x3e, MEMORY},      {0x3f, 0x40, MEMORY_ZERO},
    {0x41, 0x41, I32},          {0x42, 0x42, I64},         {0x43, 0x43, F32},
    {0x44, 0x44, F64},          {0x45, 0xc4, NONE},        {0xd0, 0xd0, HEAP_TYPE},
    {0xd1, 0xd1, NONE},         {0xd2, 0xd2, INDEX},       {0xd3, 0xd6, OFF},
    {0xfb, 0xfb, OFF},          {0xfc, 0xfc, PREFIX_MISC}, {0xfd, 0xfd, PREFIX_SIMD},
    {0xfe, 0xfe, OFF},
};

static enum immediate immediate_of(uint8_t opcode)
{
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++)
        if (opcode <= opcodes[i].last)
            return opcode >= opcodes[i].first ? (enum immediate)opcodes[i].immediate : UNKNOWN;
    return UNKNOWN;
}

static void fail_unknown(struct sw_module_parse *p, uint8_t prefix, uint32_t opcode)
{
    (void)sw_module_fail(p, SW_E_INVALID,
                         "the module is damaged: no instruction is 0x%02x %u, before offset %zu",
                         prefix, opcode, p->at);
}

/* Proposals that are switched off, by their opcodes; the first row that fits names it. */
static const struct {
    uint8_t first, last;
    const char *proposal, *hint;
} proposals[] = {
    {0x12, 0x13, "tail calls", "build without -mtail-call"},
    {0x14, 0x17, "typed function references", "build without garbage-collected types"},
    {0x06, 0x1f, "exceptions", "build without -fwasm-exceptions"},
    {0x3f, 0x40, "several memories", "build with one memory"},
    {0x28, 0x3e, "several memories", "build with one memory"},
    {0xfc, 0xfc, "wide arithmetic, several memories", "build for WebAssembly 2.0"},
    {0xfd, 0xfd, "relaxed SIMD", "build without -mrelaxed-simd: its results differ by processor"},
    {0xfe, 0xfe, "threads", "build without -pthread, -matomics and --shared-memory"},
    {0x00, 0xff, "garbage collection", "build without garbage-collected types"},
};

static void fail_off(struct sw_module_parse *p, uint8_t opcode)
{
    size_t i = 0;

    while (opcode < proposals[i].first || opcode > proposals[i].last)
        i++;
    (void)sw_module_fail(p, SW_E_UNSUPPORTED,
                         "the module uses an instruction (0x%02x, before offset %zu) of a proposal "
                         "that is switched off: %s",
                         opcode, p->at, proposals[i].proposal);
    sw_err_hint(p->err, "%s", proposals[i].hint);
}

static void refuse_table(struct sw_module_parse *p)
{
    (void)sw_module_refuse(p,
                           "keep function pointers in memory instead of changing the table; "
                           "link statically",
                           "an instruction before offset %zu changes a table, which is not part of "
                           "an instance's image",
                           p->at);
}

static void read_memory_argument(struct sw_module_parse *p)
{
    uint32_t align = sw_module_u32(p);

    if (align >= 0x40) /* Bit 6 announces the number of a memory. */
        fail_off(p, 0x28);
    (void)sw_module_u32(p);
}

static void read_memory_zero(struct sw_module_parse *p)
{
    if (sw_module_u8(p) != 0)
        fail_off(p, 0x3f);
}

static void read_branch_table(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_BRANCHES_MAX, 1, "branches of one table");

    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++)
        (void)sw_module_u32(p);
    (void)sw_module_u32(p);
}

static void read_types(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, UINT32_MAX, 1, "types");

    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++)
        (void)sw_module_value_type(p);
}

/* Saturating conversions, and memory and tables in bulk. */
static void read_misc(struct sw_module_parse *p)
{
    uint32_t opcode = sw_module_u32(p);

    switch (opcode) {
    case 8: /* memory.init */
        (void)sw_module_u32(p);
        read_memory_zero(p);
        break;
    case 9: /* data.drop */
        (void)sw_module_refuse(p, "link without --shared-memory and passive segments",
                               "an instruction before offset %zu drops a data segment, which is "
                               "not part of an instance's image",
                               p->at);
        break;
    case 10: /* memory.copy */
        read_memory_zero(p);
        read_memory_zero(p);
        break;
    case 11: /* memory.fill */
        read_memory_zero(p);
        break;
    case 16: /* table.size */
        (void)sw_module_u32(p);
        break;
    case 12: /* table.init, elem.drop, table.copy, table.grow, table.fill */
    case 13:
    case 14:
    case 15:
    case 17:
        refuse_table(p);
        break;
    case 19: /* Wide arithmetic. */
    case 20:
    case 21:
    case 22:
        fail_off(p, 0xfc);
        break;
    default:
        if (opcode > 7)
            fail_unknown(p, 0xfc, opcode);
    }
}

/* Numbers of vector instructions that were never given, or taken back. */
static bool is_simd_hole(uint32_t opcode)
{
    static const uint8_t holes[] = {0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
                                    0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee};

    for (size_t i = 0; i < sizeof holes; i++)
        if (holes[i] == opcode)
            return true;
    return false;
}

static void read_simd(struct sw_module_parse *p)
{
    uint32_t opcode = sw_module_u32(p);

    if (opcode >= 0x100) {
        fail_off(p, 0xfd);
    } else if (is_simd_hole(opcode)) {
        fail_unknown(p, 0xfd, opcode);
    } else if (opcode <= 11 || opcode == 92 || opcode == 93) { /* Loads and the store. */
        read_memory_argument(p);
    } else if (opcode <= 13) { /* v128.const and i8x16.shuffle */
        (void)sw_module_take(p, 16);
    } else if (opcode >= 21 && opcode <= 34) { /* Extract and replace a lane. */
        (void)sw_module_u8(p);
    } else if (opcode >= 84 && opcode <= 91) { /* Load and store a lane. */
        read_memory_argument(p);
        (void)sw_module_u8(p);
    }
}

static void read_immediate(struct sw_module_parse *p, uint8_t opcode, enum immediate immediate)
{
    switch (immediate) {
    case NONE:
    case END:
        return;
    case BLOCK:
    case HEAP_TYPE:
        sw_module_skip_signed(p, 33);
        return;
    case INDEX_TWO:
        (void)sw_module_u32(p);
        (void)sw_module_u32(p);
        return;
    case INDEX:
        (void)sw_module_u32(p);
        return;
    case BRANCH_TABLE:
        read_branch_table(p);
        return;
    case TYPES:
        read_types(p);
        return;
    case MEMORY:
        read_memory_argument(p);
        return;
    case MEMORY_ZERO:
        read_memory_zero(p);
        return;
    case I32:
        sw_module_skip_signed(p, 32);
        return;
    case I64:
        sw_module_skip_signed(p, 64);
        return;
    case F32:
        (void)sw_module_take(p, 4);
        return;
    case F64:
        (void)sw_module_take(p, 8);
        return;
    case TABLE_SET:
        refuse_table(p);
        return;
    case PREFIX_MISC:
        read_misc(p);
        return;
    case PREFIX_SIMD:
        read_simd(p);
        return;
    case OFF:
        fail_off(p, opcode);
        return;
    case UNKNOWN:
    default:
        fail_unknown(p, opcode, 0);
    }
}

void sw_module_walk(struct sw_module_parse *p)
{
    size_t depth = 1; /* A body is a block itself. */

    while (depth > 0 && p->rc == SW_OK) {
        uint8_t opcode = sw_module_u8(p);
        enum immediate immediate = immediate_of(opcode);
        if (p->rc != SW_OK)
            return;
        read_immediate(p, opcode, immediate);
        if (immediate == BLOCK && ++depth > SW_MODULE_NESTING_MAX)
            (void)sw_module_fail(p, SW_E_EXHAUSTED,
                                 "blocks are nested deeper than %u, before offset %zu",
                                 SW_MODULE_NESTING_MAX, p->at);
        else if (immediate == END)
            depth--;
    }
}
