"""Size limits: what is larger is split by idea."""
import re

from tree import Finding, strip_c

FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
NESTING_MAX = 3
LINE_COLUMNS_MAX = 100
FILE_LINES_MAX = {".c": 1000, ".h": 250, ".py": 1000}
FIXTURE_LINES_MAX = 400  # A header below test/ holds the code that several tests share.
INDENT = 4
CALLBACKS = "tools/tidy/callbacks.txt"
CONTROL = re.compile(r"^( +)(?:\} )?(?:if|for|while|switch|do|else|SW_[A-Z_]*EACH)\b")
SIGNATURE_END = re.compile(r"[;}{]|^#|^$")


class Function:
    """Lines from 0: first is that of the return type, opening and last those of the braces."""

    def __init__(self, lines, first, opening, last):
        self.first, self.opening, self.last = first, opening, last
        self.signature = " ".join(lines[first:opening])
        self.body = lines[opening + 1:last]
        name = re.search(r"(\w+)\s*\(", self.signature)
        self.name = name.group(1) if name else "?"

    def parameters(self):
        """How many, without the leading void *ctx of a vtable's function; the parameter list is
        the last parenthesis of the signature."""
        depth, end = 0, self.signature.rfind(")")
        commas = 0
        for at in range(end, -1, -1):
            char = self.signature[at]
            depth += (char == ")") - (char == "(")
            if char == "," and depth == 1:
                commas += 1
            if depth == 0:
                inner = self.signature[at + 1:end].strip()
                if inner in ("", "void"):
                    return 0
                return commas + 1 - inner.startswith("void *ctx,")
        return 0


def functions(text):
    """The functions defined in formatted C: a brace alone in column 0 after a signature."""
    lines = strip_c(text).split("\n")
    for number, line in enumerate(lines):
        if line != "{" or number == 0 or not lines[number - 1].rstrip().endswith(")"):
            continue
        first = number - 1
        while first > 0 and not SIGNATURE_END.search(lines[first - 1]):
            first -= 1
        last = next((n for n in range(number, len(lines)) if lines[n] == "}"), len(lines) - 1)
        yield Function(lines, first, number, last)


def dictated(tree):
    """(file, function) pairs whose parameters a library dictates."""
    if CALLBACKS not in tree.files:
        return set()
    return {tuple(line.split()[:2]) for _, line in tree.lines(CALLBACKS)
            if line and not line.startswith("#")}


def check_functions(tree):
    exempt = dictated(tree)
    for name in tree.c_files():
        for function in functions(tree.text(name)):
            count = function.last - function.first + 1
            where = (name, function.first + 1)
            if count > FUNCTION_LINES_MAX:
                yield Finding(*where, f"{function.name} has {count} lines, {FUNCTION_LINES_MAX} "
                              "are allowed", "split it by idea")
            if function.parameters() > PARAMETERS_MAX and (name, function.name) not in exempt:
                yield Finding(*where, f"{function.name} has {function.parameters()} parameters, "
                              f"{PARAMETERS_MAX} are allowed", "gather them in an options struct")
            for offset, line in enumerate(function.body):
                match = CONTROL.match(line)
                if match and len(match.group(1)) > NESTING_MAX * INDENT:
                    yield Finding(name, function.opening + offset + 2,
                                  f"{function.name} nests deeper than {NESTING_MAX}",
                                  "return early, or make the inner part a function")
                    break


def check_files(tree):
    for name in tree.files:
        suffix = name[name.rfind("."):] if "." in name else ""
        count = tree.text(name).count("\n") if suffix in FILE_LINES_MAX else 0
        limit = FILE_LINES_MAX.get(suffix, 0)
        if suffix == ".h" and name.startswith("test/"):
            limit = FIXTURE_LINES_MAX
        if count > limit:
            yield Finding(name, count, f"{count} lines, {limit} are allowed",
                          "split the file by idea")


def check_columns(tree):
    for name in tree.having(".c", ".h", ".py", ".cmake"):
        for number, line in tree.lines(name):
            if len(line) > LINE_COLUMNS_MAX:
                yield Finding(name, number, f"{len(line)} columns, {LINE_COLUMNS_MAX} are allowed",
                              "break the line")


CHECKS = (check_functions, check_files, check_columns)
