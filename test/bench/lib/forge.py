"""A module that was changed, put into the place of another behind the platform's back: its machine
code, sealed with the daemon's own key, as whoever owns the machine could do. What an agent did then
comes to something else, which `swarmctl journal replay` must find."""
import glob
import hashlib
import hmac
import os
import struct

SEAL_BYTES = DIGEST_BYTES = 32


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def leb128(number):
    """A 64-bit constant as WebAssembly has it: signed, seven bits a byte."""
    number -= (number >> 63) << 64
    out = bytearray()
    while True:
        byte, number = number & 127, number >> 7
        if number == (-1 if byte & 64 else 0):
            return bytes(out + bytes([byte]))
        out.append(byte | 128)


def with_constant(wasm, old, new):
    """The module with another constant of 64 bits; None: it has none, or the new one is longer."""
    old, new = (b"\x42" + leb128(one) for one in (old, new))
    return wasm.replace(old, new) if old in wasm and len(old) == len(new) else None


def entry_of(folder, digest):
    """(path, head, code) of a module's machine code, as pkg/agent/compiler/seal.h draws it."""
    for path in glob.glob(os.path.join(folder, "compiled", "*.cwasm")):
        with open(path, "rb") as file:
            entry = file.read()
        size, = struct.unpack_from("<I", entry, 8)
        if entry[12 + size:12 + size + DIGEST_BYTES].hex() == digest:
            return path, entry[:12 + size], entry[12 + size + DIGEST_BYTES:-SEAL_BYTES]
    raise LookupError(f"there is no machine code of {digest}")


def replace_code(folder, digest, other):
    """Have the data folder's module run the code of another that was compiled there."""
    path, head, _ = entry_of(folder, digest)
    entry = head + bytes.fromhex(digest) + entry_of(folder, other)[2]
    with open(os.path.join(folder, "compiler.key"), "rb") as key, open(path, "wb") as file:
        file.write(entry + hmac.digest(key.read(), entry, "sha256"))
