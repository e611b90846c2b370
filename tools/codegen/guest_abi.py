"""docs/reference/guest-abi.md: the guest ABI, read off the SDK's headers and the host's tables."""

import os
import re

from reference import cell

HEADERS = "include/swarm"
ROW = re.compile(r'\{\.name = "(\w+)",\s+\.parameters = "(\w*)",\s+\.result = "(\w*)"'
                 r'(?:,\s+\.is_required = (true))?')
IMPORT = re.compile(r"(?:/\*((?:(?!\*/).)*)\*/\s*)?^SWARM_IMPORT\((\w+)\)\n(.*?;)", re.M | re.S)
EXPORT = re.compile(r"(?:/\*((?:(?!\*/).)*)\*/\s*)?"
                    r"^(?:void \*?|int32_t |const struct swarm_state \*)"
                    r"(on_\w+|swarm_alloc|swarm_alloc_keeps|swarm_state)\(.*?\);", re.M | re.S)
ERROR = re.compile(r"SWARM_E_(\w+) {2,}(.*?)(?= SWARM_E_\w+ {2,}|$)", re.S)
CODE = re.compile(r"SWARM_(\w+) = (-?\d+),? */\*(.*?)\*/", re.S)
FIELD = re.compile(r"^ {4}(.+?)(\w+); *(?:/\*(.*?)\*/)?$", re.M)
SIZES = {"uint32_t": 4, "int32_t": 4, "uint64_t": 8}

# What wasi.c does with the functions that it has; the others answer NOSYS.
WASI = {
    "args_get": "the name of the Agent, and the key", "args_sizes_get": "sizes of these",
    "clock_res_get": "1 ns", "clock_time_get": "the time of the turn, whatever the clock",
    "environ_get": "SWARM_NAMESPACE, SWARM_AGENT, SWARM_KEY, SWARM_CONFIG",
    "environ_sizes_get": "sizes of these",
    "fd_close": "0, 1 and 2: nothing happens; otherwise BADF",
    "fd_fdstat_get": "0, 1 and 2: a character device; otherwise BADF",
    "fd_prestat_dir_name": "BADF: there are no folders",
    "fd_prestat_get": "BADF: there are no folders", "fd_read": "0: the end; otherwise BADF",
    "fd_seek": "0, 1 and 2: SPIPE; otherwise BADF", "fd_tell": "0, 1 and 2: SPIPE; otherwise BADF",
    "fd_write": "1 and 2: lines of the log, at the levels info and error; otherwise BADF",
    "random_get": "as `random`; INVAL for more than 65,536 bytes",
    "sched_yield": "nothing"}
EXIT = "fails the turn, whatever the code is: nothing of it is kept"
POLL = ("one subscription to a clock: a wait, in a module that can wait (`swarm/wait.h`, "
        "`asyncify`); otherwise NOTSUP")

HEAD = """# Guest ABI swarm/1

Made from `include/swarm`, `pkg/agent/abi` and `pkg/agent/runtime/wasm/wasi.c` by `make openapi`;
do not edit. How agents are written is told by the headers themselves; limits are in [their
table](resource-limits.md).

## Versions
The module that a function is imported from names the version: `swarm_1`. Within it functions are
added, and never changed or taken away; `struct_size` says how much of a message there is. So what
a module imports is all that it needs, and it is compared at push: a function, a type or a version
that this host does not have is refused then, with the names that it has. A module that passed
runs on every later host of this version.

## What is pushed, and what runs
A module is stored, and named by its digest, as it was pushed. On its way to machine code it is
rewritten: each mutable global is exported once more as `swarm.global.N`, since an instance's
image must hold it, and the start section becomes the export `swarm.start`, which the host calls
within the first entry, under its deadline; then `_initialize`, then `on_start`. Names that begin
with `swarm.` are therefore not free.

What is pushed may also be a *bundle*: a payload for a module that others run too, their *runtime*,
such as an interpreter and a program for it. It has the digest of its own bytes, and is named,
kept, upgraded and replayed by that as a module is; the machine code that runs is the runtime's,
made and loaded once for all of its bundles. `swarm_bundle` reads the payload.

| Offset | Bytes | |
|---|---|---|
| 0 | 4 | 0, `s`, `w`, `b` |
| 4 | 4 | the version, 1; little-endian, as the size is |
| 8 | 32 | the SHA-256 of the runtime, a module |
| 40 | 4 | the size of the payload, at most 16 MiB |
| 44 | | the payload, and nothing behind it |

The runtime has to be in the bundle's namespace before it is pushed, or be a part of this Swarm;
it stays as long as a bundle that names it does.

Refused at push is what could not be read back and put into an image: instructions that change a
table (`table.set`, `table.grow`, `table.fill`, `table.copy`, `table.init`, `elem.drop`) or drop a
data segment (`data.drop`); mutable globals that hold references; memories, tables and globals
that are imported; several memories, shared and 64-bit ones. Off are exceptions, tail calls,
threads, garbage collection, typed function references, relaxed SIMD, wide arithmetic and
components. On is WebAssembly 2.0: bulk memory (`memory.init` of segments that are never dropped
included), sign extension, saturating conversions, several results, SIMD.
"""

WASI_HEAD = """## WASI preview 1
Everything of `wasi_snapshot_preview1` links, with the types of the specification, so that the
start-up code of ordinary toolchains works. What a call gives follows from the turn, so that a
replay sees the same. A module is a *reactor*: it is called again and again, and `_initialize`
once, before everything else. A *command*, with `_start` and nothing else to call, is refused.

Each pointer is checked: FAULT. A line of standard output or error ends at a newline, at 16 KiB,
or with the entry; a C library may hold text back until then, in the memory, unless it is flushed.
A write takes at most 64 KiB, and 1,024 vectors (otherwise INVAL). What the log of a turn has no
room for is left out without an error.

| Function | Type | Answer |
|---|---|---|
"""


# Exports that no header declares for an author.
EXPORTS = {
    "_initialize": "Of a WASI reactor: called once, before on_start or on_upgrade.",
    "swarm_wait_area": "Where the stack goes while a handler waits: two pointers, to the end of "
                       "what is used and of all, and the bytes. `swarm/wait.h` defines it.",
    **{f"asyncify_{name}": "Made by Binaryen's asyncify, for handlers that wait." for name in
       ("start_unwind", "stop_unwind", "start_rewind", "stop_rewind")}}


def text_of(source, name):
    with open(os.path.join(source, name), encoding="utf-8") as file:
        return file.read()


def headers(source):
    """The texts of the SDK's headers."""
    names = sorted(os.listdir(os.path.join(source, HEADERS)))
    return [text_of(source, f"{HEADERS}/{name}") for name in names]


def words(comment):
    """A C comment as one line."""
    return " ".join(re.sub(r"^ ?\* ?", "", line.strip()) for line in (comment or "").split("\n")
                    ).strip()


def rows(source, table):
    """(name, parameters, result, is required) of one table of abi.c."""
    text = text_of(source, "pkg/agent/abi/abi.c")
    begin = text.index(f"static const struct sw_abi_function {table}[]")
    return ROW.findall(text[begin:text.index("};", begin)])


def type_of(parameters, result):
    names = {"i": "i32", "l": "i64"}
    arguments = ", ".join(names[letter] for letter in parameters)
    return f"({arguments})" + (f" -> {names[result]}" if result else "")


def imports(source):
    """name: (declaration, words, [(code, cause)]) of each function that guests may call."""
    out = {}
    for header in headers(source):
        for comment, name, declaration in IMPORT.findall(header):
            text = words(comment)
            match = re.search(r"SWARM_E_\w+ {2,}", text)
            first = match.start() if match else len(text)
            out[name] = (declaration, text[:first].strip(), ERROR.findall(text[first:]))
    return out


def imports_chapter(source):
    known = imports(source)
    out = "## What an agent may call\n\n"
    out += ("Imports of the module `swarm_1`. Every call that takes a pointer answers INVALID, and "
            "does\nnothing, when not all of the bytes are inside the memory. What is not listed "
            "with a call is\nnot answered by it; `test/e2e/conformance.py` asks for each.\n\n")
    for name, parameters, result, _ in rows(source, "imports"):
        if name not in known:
            raise ValueError(f"no header declares {name}")
        declaration, text, errors = known[name]
        out += f"### {name}\n\n```c\n{declaration}\n```\n\n`{type_of(parameters, result)}`\n\n"
        out += f"{text}\n\n" if text else ""
        if errors:
            out += "| Code | When |\n|---|---|\n"
            out += "".join(f"| {code} | {cell(cause)} |\n" for code, cause in errors) + "\n"
    return out


def exports_chapter(source):
    comments = {name: words(comment)
                for header in headers(source) for comment, name in EXPORT.findall(header)}
    out = "## What an agent exports\n\nBesides `memory`:\n\n| Function | Type | |\n|---|---|---|\n"
    for name, parameters, result, is_required in rows(source, "exports"):
        text = comments.get(name) or EXPORTS.get(name)
        if text is None:
            raise ValueError(f"no words for the export {name}")
        out += (f"| `{name}` | `{type_of(parameters, result)}` | "
                f"{'**required**. ' if is_required else ''}{cell(text)} |\n")
    return out + "\n"


def codes_chapter(source):
    text = text_of(source, "include/swarm/agent.h")
    begin = text.index("enum swarm_code {")
    out = "## Codes\n\n| Code | Number | |\n|---|---|---|\n"
    for name, number, comment in CODE.findall(text[begin:text.index("};", begin)]):
        out += f"| `SWARM_{name}` | {number} | {cell(words(comment))} |\n"
    return out + "\n"


def message_chapter(source):
    text = text_of(source, "include/swarm/agent.h")
    begin = text.index("struct swarm_message {")
    out = ("## A message\n\nLaid out by the host inside the block that `swarm_alloc` gave.\n\n"
           "| Offset | Field | Type | |\n|---|---|---|---|\n")
    offset = 0
    for kind, name, comment in FIELD.findall(text[begin:text.index("};", begin)]):
        kind = kind.strip()
        size = 4 if kind.endswith("*") else SIZES[kind]
        offset = (offset + size - 1) // size * size
        out += f"| {offset} | `{name}` | `{kind}` | {cell(comment)} |\n"
        offset += size
    return out + "\n"


def wasi_chapter(source):
    text = text_of(source, "pkg/agent/runtime/wasm/wasi.c")
    begin = text.index("static const struct function functions[]")
    done = re.findall(r'\{"(\w+)", \w+\}', text[begin:text.index("};", begin)])
    if sorted(done) != sorted(WASI):
        raise ValueError("guest_abi.py does not describe what wasi.c does: "
                         f"{sorted(set(done) ^ set(WASI))}")
    out = WASI_HEAD
    for name, parameters, result, _ in rows(source, "wasi"):
        answer = {"proc_exit": EXIT, "poll_oneoff": POLL, **WASI}.get(name, "NOSYS")
        out += f"| `{name}` | `{type_of(parameters, result)}` | {answer} |\n"
    return out


def page(source):
    return (HEAD + "\n" + exports_chapter(source) + message_chapter(source) +
            imports_chapter(source) + codes_chapter(source) + wasi_chapter(source))
