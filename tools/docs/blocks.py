"""The examples in the documents that are executed: fenced blocks marked "sh test".

A page's blocks run in one shell (bash -e), in order, and a block "text output" right after one is
what it must print, line by line; "..." in a line stands for anything, and a line "..." alone for
any number of lines."""
import os
import re
import subprocess

FENCE = re.compile(r"^(?P<fence>`{3,}) *(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=fence) *$",
                   re.S | re.M)
MARK = "--- end of example"


class Example:
    def __init__(self, page, line, script):
        self.page, self.line, self.script, self.expected = page, line, script, None


def examples(page, text):
    """The executed examples of a page, with what they must print if it says so."""
    found, last_end = [], None
    for match in FENCE.finditer(text):
        info = match.group("info").split()
        between = text[last_end:match.start()] if last_end is not None else None
        if info == ["sh", "test"]:
            found.append(Example(page, text.count("\n", 0, match.start()) + 1,
                                 match.group("body")))
            last_end = match.end()
        elif info == ["text", "output"] and found and between is not None \
                and not between.strip():
            found[-1].expected = match.group("body")
            last_end = None
        elif info == ["text", "output"]:
            raise ValueError(f"{page}: a block of output that follows no example")
        else:
            last_end = None
    return found


def matches(expected, printed):
    """Whether printed is what expected allows."""
    pattern = "".join(
        "(?:.*\n)*" if line.strip() == "..." else
        ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r" *\n"
        for line in expected.splitlines())
    return re.fullmatch(pattern, printed) is not None


def run_page(found, folder, environment):
    """Run the examples of one page in folder. Yields (example, words on what is wrong or None)."""
    script = os.path.join(folder, "examples.sh")
    with open(script, "w", encoding="utf-8") as file:
        for number, example in enumerate(found):
            file.write(f"{example.script}\nprintf '%s %d\\n' '{MARK}' {number}\n")
    result = subprocess.run(["bash", "-e", script], cwd=folder, env=environment, check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    rest = result.stdout
    for number, example in enumerate(found):
        printed, mark, rest = rest.partition(f"{MARK} {number}\n")
        if not mark:
            yield example, f"ended with status {result.returncode}; it printed:\n{printed}"
            return
        if example.expected is not None and not matches(example.expected, printed):
            yield example, f"should print:\n{example.expected}but printed:\n{printed}"
        else:
            yield example, None
