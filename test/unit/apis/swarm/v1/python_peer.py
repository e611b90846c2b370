#!/usr/bin/python3
"""Reads what test_python.c wrote with Python's protobuf, and says where it disagrees.

Usage: python_peer.py SOURCE FOLDER. FOLDER holds pairs NAME-SEED.pb and NAME-SEED.json. The bytes
must hold nothing that Python does not know, must be what Python itself would write, and must say
the same as the JSON."""
import base64
import datetime
import json
import os
import sys

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor as F


def time_text(number):
    seconds, rest = divmod(number, 10 ** 9)
    text = datetime.datetime.utcfromtimestamp(seconds).strftime("%Y-%m-%dT%H:%M:%S")
    digits = next(n for n in (0, 3, 6, 9) if rest % 10 ** (9 - n) == 0)
    return text + (f".{rest // 10 ** (9 - digits):0{digits}d}" if digits else "") + "Z"


def item_as_json(field, ours, value, timestamp):
    if field.type == F.TYPE_MESSAGE:
        return as_json(value, ours.message, timestamp)
    if field.type == F.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if field.type == F.TYPE_ENUM:
        return next(v.text for v in ours.enum.values if v.number == value)
    if field.type == F.TYPE_UINT64:
        return time_text(value) if ours.rules.format == timestamp else str(value)
    return value


def as_json(value, ours, timestamp):
    out = {}
    for field, content in value.ListFields():
        rules = ours.field(field.name)
        if rules.type == "MAP":
            out[field.json_name] = dict(content)
        elif field.label == F.LABEL_REPEATED:
            out[field.json_name] = [item_as_json(field, rules, item, timestamp)
                                    for item in content]
        else:
            inner = item_as_json(field, rules, content, timestamp)
            if field.type != F.TYPE_MESSAGE or inner:
                out[field.json_name] = inner
    return out


def unknown_fields(value):
    found = len(value.UnknownFields())
    for field, content in value.ListFields():
        if field.type == F.TYPE_MESSAGE and not field.GetOptions().HasField("packed"):
            items = content if field.label == F.LABEL_REPEATED else [content]
            found += sum(unknown_fields(item) for item in items if not isinstance(item, str))
    return found


def main(source, folder):
    sys.path.insert(0, os.path.join(source, "tools/codegen"))
    import model as contract  # It is found only now.
    model = contract.load(source)
    from api.v1 import options_pb2
    pool = descriptor_pool.DescriptorPool()
    for file in model.files:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    count = 0
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".pb")):
        path = os.path.join(folder, name)
        kind = name.split("-")[0]
        with open(path, "rb") as data:
            encoded = data.read()
        with open(path[:-2] + "json", encoding="utf-8") as text:
            said = json.load(text)
        value = factory.GetPrototype(pool.FindMessageTypeByName("swarm.v1." + kind))()
        value.ParseFromString(encoded)
        assert unknown_fields(value) == 0, f"{name}: unknown fields"
        assert value.SerializeToString(deterministic=True) == encoded, f"{name}: other bytes"
        mine = as_json(value, model.messages[kind], options_pb2.FORMAT_TIMESTAMP)
        assert mine == said, f"{name}:\n{mine}\n{said}"
        count += 1
    assert count > 100, f"only {count} values"
    print(f"{count} values agree")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
