"""Words that may not stand in the tree, links of the documents, and rows that documents owe."""
import hashlib
import os
import re

from tree import Finding, ROOM_ROOTS, strip_c

# Put together, so that this file may be checked as well.
BANNED_WORDS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
BANNED = re.compile(r"\b(" + "|".join(BANNED_WORDS) + r")\b")
TEXTS = (".c", ".h", ".py", ".sh", ".cmake", ".proto", ".yaml", ".yml", ".txt", ".md")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
MUTEX = re.compile(r"^\s*(?:static )?(?:pthread_mutex_t|pthread_rwlock_t|uv_mutex_t|mtx_t)"
                   r" (\w+)", re.M)
LOCKS = "docs/LOCKS.md"
SETTINGS, ABI = "pkg/agent/runtime/wasm/config.c", "pkg/agent/abi/abi.h"


def check_banned(tree):
    for name in tree.having(*TEXTS):
        if name.startswith(("test/fuzz/corpus/", "tools/tidy/fixtures/")):
            continue
        for number, line in tree.lines(name):
            match = BANNED.search(line)
            if match:
                yield Finding(name, number, f"says {match.group(1)}",
                              "do it now, or file it where work is planned")


def anchor_of(heading):
    """The anchor that hosting sites give to a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(text):
    found = set()
    for heading in re.findall(r"^#+ (.*)$", without_fences(text), re.M):
        anchor, count = anchor_of(heading), 0
        while (anchor if count == 0 else f"{anchor}-{count}") in found:
            count += 1
        found.add(anchor if count == 0 else f"{anchor}-{count}")
    return found


def without_fences(text):
    """Markdown without blocks of code, lines kept: code may look like links and headings."""
    return re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), text,
                  flags=re.S | re.M)


def dead_link(tree, name, target):
    """Words about a link that leads nowhere, or None. Links to other sites are not followed."""
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    path = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
    if not os.path.exists(tree.path(path)):
        return f"links to {path}, which does not exist"
    if anchor and path.endswith(".md") and anchor not in anchors(tree.text(path)):
        return f"links to #{anchor}, which no heading of {path} makes"
    return None


def check_links(tree):
    for name in tree.having(".md"):
        for number, line in enumerate(without_fences(tree.text(name)).split("\n"), 1):
            for target in LINK.findall(re.sub(r"`[^`]*`", "code", line)):
                wrong = dead_link(tree, name, target)
                if wrong:
                    yield Finding(name, number, wrong, "mend or remove the link")


def lock_rows(tree):
    """{(file, name): line} of the rows "| `file` | `name` |" in docs/LOCKS.md."""
    rows = {}
    for number, line in tree.lines(LOCKS) if LOCKS in tree.files else ():
        match = re.match(r"\| `([^`]+)` \| `([^`]+)` \|", line)
        if match:
            rows[match.groups()] = number
    return rows


def locks(tree):
    """(file, line, name) of each lock; a struct's lock is named struct.member."""
    for name in tree.c_files():
        if name.split("/")[0] not in ROOM_ROOTS:
            continue
        text = strip_c(tree.text(name))
        for match in MUTEX.finditer(text):
            before = text[:match.start(1)]
            struct = re.findall(r"^struct (\w+) \{|^\}", before, re.M)[-1:]
            owner = f"{struct[0]}." if struct and struct[0] else ""
            yield name, before.count("\n") + 1, owner + match.group(1)


def check_locks(tree):
    rows = lock_rows(tree)
    seen = set()
    for name, number, lock in locks(tree):
        seen.add((name, lock))
        if (name, lock) not in rows:
            yield Finding(name, number, f"the lock {lock} has no row in {LOCKS}",
                          f"add one: | `{name}` | `{lock}` | what it guards | rank |")
    for (name, lock), number in rows.items():
        if (name, lock) not in seen:
            yield Finding(LOCKS, number, f"no lock {lock} in {name}", "remove the row")


def check_settings(tree):
    """The settings of the engine are in its fingerprint, by a digest of their text."""
    if SETTINGS not in tree.files:
        return
    code = re.sub(r"/\*.*?\*/|\s+", "", tree.text(SETTINGS), flags=re.S)
    digest = hashlib.sha256(code.encode()).hexdigest()[:8]
    for number, line in tree.lines(ABI):
        match = re.search(r"settings (\d+) \((\w+)\)", line)
        if match and match.group(2) != digest:
            yield Finding(ABI, number, f"{SETTINGS} is not what the fingerprint was made for",
                          f"make it settings {int(match.group(1)) + 1} ({digest})")
        if match:
            return
    yield Finding(ABI, 1, "the fingerprint names no settings", f"add settings 1 ({digest})")


CHECKS = (check_banned, check_links, check_locks, check_settings)
