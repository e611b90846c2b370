"""Programs of the process runtime for tests: images and manifests, as bundles that are pushed."""
import hashlib
import io
import json
import os
import re
import struct
import tarfile

from swarmd import BUILD, TMP, run

with open(os.path.join(BUILD, "guests", "swarm_process.wasm"), "rb") as opened:
    RUNTIME = hashlib.sha256(opened.read()).digest()


def bundle(payload):
    return b"\0swb" + struct.pack("<I", 1) + RUNTIME + struct.pack("<I", len(payload)) + payload


def write(name, content):
    path = os.path.join(TMP, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def archive(files=(), folders=(), extra=()):
    """The compressed archive of texts by path, of whole folders, and of members made by hand."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6,
                      format=tarfile.USTAR_FORMAT) as tar:
        for path, text in dict(files).items():
            put(tar, path, text)
        for folder, path in folders:
            put_below(tar, folder, path)
        for member in extra:
            tar.addfile(member)
    return out.getvalue()


def put(tar, path, content):
    member = tarfile.TarInfo(path)
    member.size = len(content)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(content))


def put_below(tar, folder, path):
    """A file, or all below a folder. What was compiled is said to be good as it is (PEP 552): the
    times of its sources do not go along."""
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            put_below(tar, os.path.join(folder, name), f"{path}/{name}")
        return
    with open(folder, "rb") as file:
        content = file.read()
    if path.endswith(".pyc"):
        content = content[:4] + struct.pack("<IQ", 1, 0) + content[16:]
    put(tar, path, content)


def installed(folder, *names):
    """Of a folder of installed packages these, with what is said of them."""
    return [(os.path.join(folder, name), name) for name in sorted(os.listdir(folder))
            if re.sub(r"(-[0-9.a-z]+\.dist-info|\.py)$", "", name).lower() in names]


def push_archive(name, content):
    """Push an image; its digest."""
    return run("swarm", "agent", "push", write(name + ".image.bundle", bundle(content))).split()[-1]


def push_image(name, files=(), folders=()):
    return push_archive(name, archive(files, folders))


def apply(name, manifest, **spec):
    """Have an Agent that runs what the manifest says."""
    program = write(name + ".bundle", bundle(json.dumps(manifest).encode()))
    path = write(name + ".yaml", json.dumps({
        "apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": name},
        "spec": {"module": program, "keyed": True, "limits": {"memory": "16MiB"},
                 **spec}}).encode())
    run("swarm", "apply", "-f", path)
    run("swarm", "wait", "agent/" + name, "--for=condition=Ready", "--timeout=60s")
