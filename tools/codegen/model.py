"""The contract of api/v1 as Python objects: what every generator reads.

It is built from protoc's descriptor set with comments, so that nothing here parses .proto files."""

import os
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

PACKAGE = "swarm.v1"
F = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    F.TYPE_BOOL: "BOOL", F.TYPE_INT32: "INT32", F.TYPE_UINT32: "UINT32", F.TYPE_UINT64: "UINT64",
    F.TYPE_STRING: "STRING", F.TYPE_BYTES: "BYTES", F.TYPE_ENUM: "ENUM", F.TYPE_MESSAGE: "MESSAGE",
}
# The longest text of each format, by its name without FORMAT_, where the format sets it.
LENGTHS = {"LABEL": 63, "DNS_NAME": 253, "QUALIFIED_NAME": 317, "DURATION": 24, "SIZE": 24,
           "DIGEST": 71, "UUID": 36, "LABEL_VALUE": 63, "REASON": 63, "INSTANCE": 255,
           "SUBJECT": 255, "MONEY": 19, "URL": 512}
KEYWORDS = {"auto", "break", "case", "const", "continue", "default", "do", "else", "enum", "for",
            "goto", "if", "inline", "return", "static", "struct", "switch", "union", "void"}


class ContractError(Exception):
    """Something in api/v1 that the generators cannot or must not express."""


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def clean(comment):
    """A comment as one paragraph per block of lines."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(line.strip() for line in p.splitlines()) for p in paragraphs)


class EnumValue:
    def __init__(self, proto, rules, help_text):
        self.proto_name = proto.name
        self.number = proto.number
        self.text = rules.text
        self.next = list(rules.next)
        self.initial = rules.initial
        self.help = help_text


class Enum:
    def __init__(self, proto, help_text):
        self.name = proto.name
        self.help = help_text
        self.c_name = "sw_api_" + snake(proto.name)
        self.values = []

    @property
    def is_machine(self):
        return any(value.next for value in self.values)

    @property
    def named(self):
        return [value for value in self.values if value.number != 0]

    def check(self):
        texts = {value.text for value in self.named}
        prefix = snake(self.name).upper() + "_"
        if not self.values or self.values[0].number != 0:
            raise ContractError(f"{self.name}: the first value is {prefix}UNSPECIFIED = 0")
        for value in self.values:
            if not value.proto_name.startswith(prefix):
                raise ContractError(f"{value.proto_name}: should begin with {prefix}")
            for word in value.next:
                if word not in texts:
                    raise ContractError(f"{value.proto_name}: next state {word} does not exist")
        for value in self.named:
            if not value.text:
                raise ContractError(f"{value.proto_name}: has no (value).text")
        if self.is_machine and not any(value.initial for value in self.values):
            raise ContractError(f"{self.name}: no state is initial")


class Field:
    def __init__(self, proto, rules, help_text):
        self.proto_name = proto.name
        self.json_name = proto.json_name
        self.c_name = proto.name + "_" if proto.name in KEYWORDS else proto.name
        self.number = proto.number
        self.help = help_text
        self.rules = rules
        self.repeated = proto.label == F.LABEL_REPEATED
        self.optional = proto.proto3_optional
        self.type_name = proto.type_name.rsplit(".", 1)[-1]
        self.message = None
        self.enum = None
        if proto.type not in SCALARS:
            raise ContractError(f"{proto.name}: this type of field is not in use here")
        if (rules.min or rules.max) and not rules.max:
            raise ContractError(f"{proto.name}: min without max")
        self.type = SCALARS[proto.type]

    def check(self, owner):
        where = f"{owner.name}.{self.proto_name}"
        rules = self.rules
        if not self.help:
            raise ContractError(f"{where}: has no comment")
        if self.type == "MESSAGE" and self.optional:
            raise ContractError(f"{where}: a message is optional anyway")
        if self.repeated and self.type in ("BOOL", "INT32"):
            raise ContractError(f"{where}: repeated {self.type} is not in use here")
        if self.repeated and not owner.is_envelope and not rules.max_items:
            raise ContractError(f"{where}: needs max_items")
        bounded_text = self.type in ("STRING", "BYTES", "MAP") and not rules.max_len
        if bounded_text and not owner.is_envelope:
            raise ContractError(f"{where}: needs max_len")
        if rules.default_text and (self.repeated or self.type in ("MESSAGE", "BYTES", "MAP")):
            raise ContractError(f"{where}: cannot have a default")


class Message:
    def __init__(self, proto, rules, help_text):
        self.name = proto.name
        self.help = help_text
        self.rules = rules
        self.c_name = "sw_api_" + snake(proto.name)
        self.fields = []
        self.kind = rules.kind if rules.HasField("kind") else None
        self.same_wire_as = rules.same_wire_as
        # Envelopes carry whole objects, whose own rules bound them.
        self.is_envelope = proto.name in ("WriteRequest", "ObjectList", "WatchEvent") or bool(
            rules.same_wire_as)

    def field(self, name):
        return next((f for f in self.fields if name in (f.proto_name, f.json_name)), None)

    def check(self, model):
        if not self.help:
            raise ContractError(f"{self.name}: has no comment")
        for field in self.fields:
            field.check(self)
        if self.kind:
            head = [(f.proto_name, f.number) for f in self.fields[:3]]
            if head != [("api_version", 1), ("kind", 2), ("metadata", 3)]:
                raise ContractError(f"{self.name}: a kind begins with api_version, kind, metadata")
        if self.same_wire_as:
            self.check_wire(model.messages[self.same_wire_as])

    def check_wire(self, other):
        """Numbers and wire types agree; nested objects may be bytes in the other one."""
        mine = [(f.number, f.proto_name, f.repeated) for f in self.fields]
        theirs = [(f.number, f.proto_name, f.repeated) for f in other.fields]
        if mine != theirs:
            raise ContractError(f"{self.name} is not the same on the wire as {other.name}")


class Method:
    def __init__(self, service, proto, help_text):
        self.service = service
        self.name = proto.name
        self.help = help_text
        self.input = proto.input_type.rsplit(".", 1)[-1]
        self.output = proto.output_type.rsplit(".", 1)[-1]
        self.streaming = proto.server_streaming


class Service:
    def __init__(self, name, help_text):
        self.name = name
        self.help = help_text
        self.methods = []


class Model:
    def __init__(self):
        self.files = []      # FileDescriptorProto without comments, imports first
        self.messages = {}   # by name, in order of definition
        self.enums = {}
        self.services = []

    @property
    def kinds(self):
        return sorted((m for m in self.messages.values() if m.kind), key=lambda m: m.name)

    @property
    def structs(self):
        """Messages that get a struct, in an order in which each stands after what it contains."""
        done = []

        def visit(message):
            for field in message.fields:
                if field.message is not None and field.message not in done:
                    visit(field.message)
            if message not in done:
                done.append(message)

        for message in self.messages.values():
            if not message.same_wire_as:
                visit(message)
        return done


def _comments(file):
    """Leading comments by the path of what they stand before."""
    return {tuple(l.path): clean(l.leading_comments) for l in file.source_code_info.location
            if l.leading_comments}


def _read_enum(model, file_comments, path, proto, options):
    enum = Enum(proto, file_comments.get(path, ""))
    for i, value in enumerate(proto.value):
        rules = value.options.Extensions[options.value]
        enum.values.append(EnumValue(value, rules, file_comments.get(path + (2, i), "")))
    enum.check()
    model.enums[enum.name] = enum


def _read_message(model, file_comments, path, proto, options):
    message = Message(proto, proto.options.Extensions[options.shape], file_comments.get(path, ""))
    maps = {nested.name for nested in proto.nested_type if nested.options.map_entry}
    for nested in proto.nested_type:
        if nested.name not in maps:
            raise ContractError(f"{proto.name}.{nested.name}: messages are not nested here")
        if [f.type for f in nested.field] != [F.TYPE_STRING, F.TYPE_STRING]:
            raise ContractError(f"{proto.name}.{nested.name}: maps are of text to text here")
    if any(not field.proto3_optional and field.HasField("oneof_index") for field in proto.field):
        raise ContractError(f"{proto.name}: oneof is not in use here")
    for i, item in enumerate(proto.field):
        rules = item.options.Extensions[options.rules]
        name = options.Format.Name(rules.format).replace("FORMAT_", "", 1)
        if not rules.max_len and item.type == F.TYPE_STRING:
            rules.max_len = LENGTHS.get(name, 0)
        field = Field(item, rules, file_comments.get(path + (2, i), ""))
        if field.type_name in maps:
            field.type, field.repeated = "MAP", False
        message.fields.append(field)
    message.fields.sort(key=lambda field: field.number)
    model.messages[message.name] = message


def _read_service(model, file_comments, path, proto):
    service = Service(proto.name, file_comments.get(path, ""))
    for i, method in enumerate(proto.method):
        service.methods.append(Method(service, method, file_comments.get(path + (2, i), "")))
    model.services.append(service)


def _read_file(model, file, options):
    comments = _comments(file)
    for i, proto in enumerate(file.enum_type):
        _read_enum(model, comments, (5, i), proto, options)
    for i, proto in enumerate(file.message_type):
        _read_message(model, comments, (4, i), proto, options)
    for i, proto in enumerate(file.service):
        _read_service(model, comments, (6, i), proto)


def _link(model):
    for message in model.messages.values():
        for field in message.fields:
            if field.type == "MESSAGE":
                field.message = model.messages[field.type_name]
            elif field.type == "ENUM":
                field.enum = model.enums[field.type_name]
    for message in model.messages.values():
        message.check(model)


def _run_protoc(source, files, work):
    """Descriptor set bytes, and the compiled options in work/python."""
    known = os.path.join(work, "descriptor.set")
    with open(known, "wb") as out:
        base = descriptor_pb2.FileDescriptorSet()
        descriptor_pb2.DESCRIPTOR.CopyToProto(base.file.add())
        out.write(base.SerializeToString())
    python = os.path.join(work, "python")
    os.makedirs(python, exist_ok=True)
    common = ["protoc", f"--descriptor_set_in={known}", f"--proto_path={source}"]
    subprocess.run(common + [f"--python_out={python}", "api/v1/options.proto"], check=True)
    result = os.path.join(work, "contract.set")
    subprocess.run(common + ["--include_imports", "--include_source_info",
                             f"--descriptor_set_out={result}"] + files, check=True)
    sys.path.insert(0, python)
    with open(result, "rb") as data:
        return data.read()


def load(source):
    """The model of all files in source/api/v1."""
    names = sorted(n for n in os.listdir(os.path.join(source, "api/v1")) if n.endswith(".proto"))
    with tempfile.TemporaryDirectory() as work:
        data = _run_protoc(source, ["api/v1/" + name for name in names], work)
        from api.v1 import options_pb2 as options  # pylint: disable=import-outside-toplevel
    model = Model()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        if file.package == PACKAGE and not file.name.endswith("/options.proto"):
            _read_file(model, file, options)
        file.ClearField("source_code_info")
        model.files.append(file)
    _link(model)
    return model
