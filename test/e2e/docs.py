#!/usr/bin/python3
"""What the documents show is what happens: every example marked "sh test" is executed.

One swarmd --dev serves all pages; each page has a folder of its own with the checkout's examples
in it, and a namespace is not shared unless the page says so. $MODEL_URL is a provider of models,
and esbuild stands ready, as `npm install` would have it."""
# timeout: 300
import glob
import os
import sys

SOURCE, TMP = os.environ["SW_SOURCE"], os.environ["SW_TMP"]
sys.path.insert(0, os.path.join(SOURCE, "tools", "docs"))
ESBUILD = os.path.join(os.environ["SW_NODE"], "node_modules", ".bin", "esbuild")

from blocks import examples, run_page  # noqa: E402
from swarmd import Daemon  # noqa: E402
from upstream import Upstream  # noqa: E402


def pages():
    names = ["README.md"] + sorted(
        os.path.relpath(path, SOURCE)
        for path in glob.glob(os.path.join(SOURCE, "docs", "**", "*.md"), recursive=True))
    for name in names:
        with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
            found = examples(name, file.read())
        if found:
            yield name, found


def check_page(name, found):
    folder = os.path.join(TMP, name.replace("/", "-").replace(".md", ""))
    os.makedirs(folder)
    os.symlink(os.path.join(SOURCE, "examples"), os.path.join(folder, "examples"))
    good = True
    for example, wrong in run_page(found, folder, os.environ):
        print(f"{'not ok' if wrong else 'ok'} - {name}:{example.line}")
        if wrong:
            print(wrong)
            good = False
    return good


def main():
    waiting = list(pages())
    if not waiting:
        print("ok - no page has an example that is executed")
        return 0
    daemon = Daemon()
    daemon.start()
    with Upstream() as upstream:
        os.environ["MODEL_URL"] = upstream.url
        os.environ["SWARM_ESBUILD"] = ESBUILD
        good = all([check_page(name, found) for name, found in waiting])
    status = daemon.end()
    if status != 0:
        print(f"not ok - swarmd ended with status {status}")
        good = False
    return 0 if good else 1


sys.exit(main())
