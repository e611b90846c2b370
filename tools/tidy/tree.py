"""The files that tidy looks at, and what several checks want to know about them."""
import os
import re
import subprocess

INCLUDE = re.compile(r'^#include ([<"])([^">]+)[">]')
ROOM_ROOTS = ("pkg", "internal", "web", "cmd")


class Finding:
    """One thing that is wrong: where, what, and how to mend it."""

    def __init__(self, path, line, what, mend):
        self.path, self.line, self.what, self.mend = path, line, what, mend

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}; {self.mend}"


class Room:
    def __init__(self, layer, uses, line):
        self.layer, self.uses, self.line = layer, uses, line


def strip_c(text):
    """The C text with comments and the insides of literals blanked; lines and columns stay."""
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


class Tree:
    """A checkout (root) and, for some checks, a folder in which it was built."""

    def __init__(self, root, build=None):
        self.root, self.build = os.path.abspath(root), build and os.path.abspath(build)
        self.files = sorted(self._list())
        self._texts = {}

    def _list(self):
        """Files that are or could be committed; without git, all files."""
        listing = subprocess.run(
            ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if listing.returncode == 0:
            names = listing.stdout.decode().split("\0")
            return [name for name in names if name and os.path.isfile(self.path(name))]
        found = []
        for folder, inner, names in os.walk(self.root):
            inner[:] = [name for name in inner
                        if not name.startswith("build") and name not in (".git", ".cache")]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return found

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        if name not in self._texts:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                self._texts[name] = file.read()
        return self._texts[name]

    def lines(self, name):
        """(number, line) from 1."""
        return enumerate(self.text(name).split("\n"), 1)

    def having(self, *suffixes):
        return [name for name in self.files if name.endswith(suffixes)]

    def c_files(self):
        return self.having(".c", ".h")

    def includes(self, name):
        """(line number, "<" or '"', path) of each include."""
        for number, line in self.lines(name):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1), match.group(2)

    def rooms(self):
        """{folder: Room} as pkg/LAYERS says; the first line of a room counts."""
        rooms = {}
        if not os.path.exists(self.path("pkg/LAYERS")):
            return rooms
        for number, line in self.lines("pkg/LAYERS"):
            match = re.match(r"^([0-9.]+) +([a-z0-9_/]+) *:([^|]*)\|", line)
            if match and match.group(2) not in rooms:
                rooms[match.group(2)] = Room(float(match.group(1)), match.group(3).split(), number)
        return rooms
