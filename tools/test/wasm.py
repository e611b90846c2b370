"""WebAssembly modules changed as a test needs them, in their binary format."""
TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START = range(1, 9)


def read_u32(data, at):
    """(value, offset behind it) of a LEB128."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def put_u32(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sections(module):
    """(kind, content) of each section."""
    at = 8
    while at < len(module):
        kind = module[at]
        size, at = read_u32(module, at + 1)
        yield kind, module[at:at + size]
        at += size


def exported_function(module, name):
    """The index of the function that is exported under that name."""
    content = next(content for kind, content in sections(module) if kind == EXPORT)
    count, at = read_u32(content, 0)
    for _ in range(count):
        size, at = read_u32(content, at)
        found = content[at:at + size].decode()
        kind = content[at + size]
        index, at = read_u32(content, at + size + 1)
        if kind == 0 and found == name:
            return index
    raise KeyError(name)


def with_start(module, name):
    """The module with an exported function as its start function."""
    start = put_u32(exported_function(module, name))
    out = bytearray(module[:8])
    for kind, content in sections(module):
        out += bytes([kind]) + put_u32(len(content)) + content
        if kind == EXPORT:
            out += bytes([START]) + put_u32(len(start)) + start
    return bytes(out)
