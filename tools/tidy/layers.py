"""Rooms: includes go down to rooms named by the line in pkg/LAYERS, and each room is explained."""
import os

from tree import Finding, ROOM_ROOTS

LAYERS = "pkg/LAYERS"


def check_lines(tree):
    rooms = tree.rooms()
    first = {room.line for room in rooms.values()}
    for number, line in tree.lines(LAYERS) if rooms else ():
        if not line.strip() or line.startswith("#") or number in first:
            continue
        if line.split()[1:2] and line.split()[1] in rooms:
            yield Finding(LAYERS, number, f"{line.split()[1]} has a line already", "remove one")
        else:
            yield Finding(LAYERS, number, "cannot be read",
                          "write: LAYER ROOM : ROOMS IT USES | LIBRARIES")
    for name, room in rooms.items():
        if not os.path.isdir(tree.path(name)):
            yield Finding(LAYERS, room.line, f"{name} is not a folder", "remove the line")
            continue
        for other in room.uses:
            if other not in rooms:
                yield Finding(LAYERS, room.line, f"{name} uses {other}, which is no room",
                              "give it a line or remove it here")
            elif rooms[other].layer >= room.layer:
                yield Finding(LAYERS, room.line, f"{name} (layer {room.layer}) uses {other} "
                              f"(layer {rooms[other].layer})",
                              "use lower layers only; hand upward parts in as a vtable")


def check_rooms_explained(tree):
    rooms = tree.rooms()
    seen = {}
    for name in tree.c_files():
        if name.split("/")[0] in ROOM_ROOTS[:-1]:
            seen.setdefault(os.path.dirname(name), name)
    for room, name in seen.items():
        if room not in rooms:
            yield Finding(name, 1, f"{room} has no line in pkg/LAYERS", "add one")
    for room in rooms:
        readme = f"{room}/README.md"
        if os.path.isdir(tree.path(room)) and not os.path.exists(tree.path(readme)):
            yield Finding(readme, 1, "a room without a README",
                          "say what it is for, its invariants, where to start reading, and what "
                          "it must not do")
        elif readme in tree.files:
            yield from readme_findings(tree, readme)


def readme_findings(tree, readme):
    if not tree.text(readme).startswith("# "):
        yield Finding(readme, 1, "a room's README does not begin with a heading",
                      'begin with "# NAME: ITS ONE PURPOSE"')
    for number, line in tree.lines(readme):
        if line.startswith("#pkg"):
            yield Finding(readme, number, "a heading without its space, as clang-format leaves it",
                          "write the page anew, and never format it as C")
    if tree.text(readme).count("\n") > 80:
        yield Finding(readme, 81, "a room's README is at most a page (80 lines)",
                      "move details to docs/")


def check_programs_explained(tree):
    for folder in sorted({os.path.dirname(name) for name in tree.files if name.startswith("cmd/")}):
        if f"{folder}/README.md" not in tree.files:
            yield Finding(f"{folder}/README.md", 1, "a program without a README",
                          "say how it is started, its threads, its files and its exit codes")


def include_finding(rooms, name, number, room, path):
    """What is wrong with room including path, or None."""
    other = os.path.dirname(path)
    if other == room or path.startswith("include/"):
        return None
    if other not in rooms:
        return Finding(name, number, f"includes {path}, which is in no room of pkg/LAYERS",
                       "name files from the root, as in pkg/<room>/<file>.h")
    if room.startswith("cmd/"):
        return None # A program wires rooms of all layers together.
    if other not in rooms[room].uses:
        return Finding(name, number, f"includes {path}, but {room} does not name {other} in "
                       "pkg/LAYERS", "name it there if its layer is lower, or do without it")
    if rooms[other].layer >= rooms[room].layer:
        return Finding(name, number, f"includes {path} of layer {rooms[other].layer} from layer "
                       f"{rooms[room].layer}", "include downward only; hand upward parts in")
    return None


def check_includes(tree):
    rooms = tree.rooms()
    for name in tree.c_files():
        room = os.path.dirname(name)
        if room not in rooms and not room.startswith("cmd/"):
            continue
        for number, kind, path in tree.includes(name):
            finding = include_finding(rooms, name, number, room, path) if kind == '"' else None
            if finding:
                yield finding


def check_own_header_first(tree):
    for name in tree.having(".c"):
        own = name[:-2] + ".h"
        if own not in tree.files or name.split("/")[0] not in ROOM_ROOTS:
            continue
        first = next(tree.includes(name), None)
        if first is None or first[2] != own:
            yield Finding(name, first[0] if first else 1, "the first include is not its own header",
                          f'begin with #include "{own}"')


def check_pragma_once(tree):
    for name in tree.having(".h"):
        if not any(line == "#pragma once" for _, line in tree.lines(name)):
            yield Finding(name, 1, "no #pragma once", "add it after the opening comment")


CHECKS = (check_lines, check_rooms_explained, check_programs_explained, check_includes,
          check_own_header_first, check_pragma_once)
