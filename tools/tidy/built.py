"""Checks that need the compiler or what it made: symbols, formatting, headers, generated files."""
import concurrent.futures
import os
import re
import subprocess

from tree import Finding, strip_c

SEAM = "tools/tidy/seam.txt"
FORTIFIED = re.compile(r"^__(\w+?)(?:_2|_chk|64)$")
FORMATTER = "clang-format-19"


def parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [result for result in pool.map(function, items) if result]


def libraries(tree):
    """(room, archive) of each room that the build folder has a library of."""
    for room in tree.rooms():
        path = os.path.join(tree.build, f"lib{room.replace('/', '_')}.a")
        if os.path.exists(path):
            yield room, path


def nm(path, option):
    """(object file, symbol) pairs."""
    output = subprocess.run(["nm", "-A", "-P", "-g", option, path], stdout=subprocess.PIPE,
                            check=True, text=True).stdout
    for line in output.splitlines():
        match = re.match(r"^.*\[(.+)\]: (\S+) \w", line)
        if match:
            yield match.groups()


def source_of(room, member):
    return f"{room}/{re.sub(r'[.]o$', '', member)}"


def check_prefixes(tree):
    for room, path in libraries(tree):
        for member, symbol in nm(path, "--defined-only"):
            if not symbol.startswith(("sw_", "SW_", "__odr_asan", "__llvm", "__cov")):
                yield Finding(source_of(room, member), 1, f"{symbol} is visible outside its file",
                              "make it static or call it sw_<noun>_<verb>")


def read_seam(tree):
    """(forbidden names, [(file or room, names or None for all)]) of tools/tidy/seam.txt."""
    forbidden, exempt = set(), []
    for _, line in tree.lines(SEAM):
        words = line.split("#")[0].split()
        if words[:1] == ["forbid"]:
            forbidden.update(words[1:])
        elif words[:1] == ["exempt"]:
            exempt.append((words[1], None if words[2] == "*" else set(words[2].split(","))))
    return forbidden, exempt


def is_exempt(exempt, room, source, symbol):
    return any(place in (room, source) and (names is None or symbol in names)
               for place, names in exempt)


def is_forbidden(forbidden, symbol):
    if symbol in forbidden:
        return True
    return any(name.endswith("*") and symbol.startswith(name[:-1]) for name in forbidden)


def check_seam(tree):
    if SEAM not in tree.files:
        return
    forbidden, exempt = read_seam(tree)
    for room, path in libraries(tree):
        for member, symbol in nm(path, "--undefined-only"):
            symbol = FORTIFIED.sub(r"\1", symbol)
            source = source_of(room, member)
            if is_forbidden(forbidden, symbol) and not is_exempt(exempt, room, source, symbol):
                yield Finding(source, 1, f"calls {symbol} behind the seam's back",
                              "reach the machine through struct sw_system or pkg/utils/loop "
                              f"(reasoned exceptions: {SEAM})")


def check_format(tree):
    def one(name):
        result = subprocess.run([FORMATTER, "--dry-run", "--Werror", name], cwd=tree.root,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False)
        if result.returncode == 0:
            return None
        match = re.search(r":(\d+):\d+: error", result.stdout)
        return Finding(name, int(match.group(1)) if match else 1, "is not formatted",
                       f"run: {FORMATTER} -i {name}")
    return parallel(one, tree.c_files())


def check_headers_alone(tree):
    """Each header compiles by itself, so that nobody must know what to include before it."""
    def one(name):
        result = subprocess.run(
            ["gcc", "-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wno-pragma-once-outside-header",
             "-I", tree.root, "-I", os.path.join(tree.build, "generated"), "-x", "c", "-"],
            input=f'#include "{name}"\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False)
        if result.returncode == 0:
            return None
        first = next((line for line in result.stdout.splitlines() if "error" in line), "")
        return Finding(name, 1, f"does not compile alone: {first}", "include what it needs")
    return parallel(one, [name for name in tree.having(".h") if name.startswith("pkg/")])


def check_generated(tree):
    """What is generated and committed must be what the generator makes today."""
    name = "api/openapi/swagger.yaml"
    if name not in tree.files:
        return
    result = subprocess.run(["/usr/bin/python3", "-B", "tools/codegen", "openapi", "."],
                            cwd=tree.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, check=False)
    if result.returncode != 0 or result.stdout != tree.text(name):
        words = result.stderr.strip().splitlines()[-1:] or [""]
        yield Finding(name, 1, f"is not what codegen makes of api/v1 today {words[0]}",
                      "run: make openapi")


def check_spec_fields(tree):
    """A field that users can set and nobody reads is a promise not kept."""
    path = os.path.join(tree.build, "generated", "spec_fields.txt")
    if not os.path.exists(path):
        return
    sources = [name for name in tree.having(".c") if name.startswith(("pkg/", "web/", "cmd/",
                                                                     "internal/"))]
    text = "\n".join(strip_c(tree.text(name)) for name in sources)
    read = set(re.findall(r"(?:->|\.)(\w+)\b", text))
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if len(words) == 2 and not words[0].startswith("#") and words[1] not in read:
                yield Finding("api/v1", 1, f"no code reads the field {words[1]} of {words[0]}",
                              "read it where it takes effect, or take it out of the spec")


def check_planted_bugs(tree):
    """A patch that fits only by and large plants its bug somewhere else, or none."""
    def one(name):
        result = subprocess.run(["git", "apply", "--check", name], cwd=tree.root,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False)
        if result.returncode == 0:
            return None
        return Finding(name, 1, "does not apply: " + result.stdout.splitlines()[0],
                       "plant it where its place is now")
    return parallel(one, [name for name in tree.having(".patch")
                          if name.startswith("test/sim/mutants/")])


CHECKS = (check_prefixes, check_seam, check_format, check_headers_alone, check_generated,
          check_spec_fields, check_planted_bugs)
