"""api/openapi/swagger.yaml: the REST side of the contract as OpenAPI 3.1."""

import json
import os
import re

import openapi_ranges
import tables

FORMATS = {
    # name without FORMAT_: (pattern, example); the patterns say what format.c checks.
    "LABEL": (r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "default"),
    "DNS_NAME": (r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$",
                 "example.com"),
    "QUALIFIED_NAME": (r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
                       r"(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*/)?"
                       r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$", "example.com/app"),
    "DURATION": (r"^[0-9]{1,15}(ns|us|ms|s|m|h|d)$", "30s"),
    "SIZE": (r"^[0-9]{1,15}(B|KiB|MiB|GiB|TiB)?$", "1MiB"),
    "DIGEST": (r"^sha256:[0-9a-f]{64}$", "sha256:" + "0123456789abcdef" * 4),
    "SUBJECT": (r"^[!-)+-\-/-=?-~]+(\.[!-)+-\-/-=?-~]+)*$", "orders.new"),
    "UUID": (r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
             "01932c07-8ba2-7c1e-9a2b-0123456789ab"),
    "REASON": (r"^[A-Z][A-Za-z0-9]{0,62}$", "Ready"),
    "INSTANCE": (r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(/[^\u0000]+)?$", "support/customer:alice"),
    "MONEY": (r"^[0-9]{1,9}(\.[0-9]{1,9})?$", "0.15"),
    "URL": (r"^https?://([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*"
            r"|\[[0-9A-Fa-f:.]{2,45}\])(:[1-9][0-9]{0,3})?(/[!$-;=@-Z_a-z~\[\]]*)?$",
            "https://api.example.com/v1"),
    "LABEL_VALUE": (r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", "blue"),
}
TEXT = r"^[^\u0000]*$"
UINT64 = "^[0-9]{1,19}$"  # All that a client can have been told fits.
TIMESTAMP = (r"^(19[7-9][0-9]|2[0-4][0-9]{2}|25[0-4][0-9]|255[0-3])-(0[1-9]|1[0-2])-"
             r"(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
             r"(\.[0-9]{1,9})?Z$")
INTRO = """Talk to a swarm: read and write its objects, send messages to its Agents.

Objects are JSON. 64-bit numbers are texts of decimal digits, since many readers of JSON hold
numbers as floating point; times are RFC 3339; durations and sizes are texts with a unit. Unknown
fields, duplicate keys and null are refused.

Every object has a resourceVersion. An update that carries the one it read fails with 409 when
somebody else was faster. A list is read at one revision, page by page; a watch (`?watch=1`) tells
of all changes after a revision as server-sent events, with a bookmark now and then; it is refused
with 410 when the revision has been compacted.

Errors are application/problem+json with a stable code, the path of the field at fault and a hint.
Clients show who they are by a certificate; only health needs none."""


def example_of(field, name):
    """An example value of a field, or None."""
    if field.rules.example:
        return field.rules.example
    if name in FORMATS:
        return FORMATS[name][1]
    return None


def string_schema(field, name):
    rules = field.rules
    if name == "TIMESTAMP":
        return {"type": "string", "format": "date-time", "pattern": TIMESTAMP,
                "examples": ["2026-01-31T12:00:00Z"]}
    if name == "SIZE":
        return {"type": ["string", "integer"],
                "pattern": openapi_ranges.size(rules.min, rules.max),
                "minimum": rules.min, "maximum": rules.max,
                "examples": [example_of(field, name)]}
    if name == "DURATION":
        return {"type": "string", "pattern": openapi_ranges.duration(rules.min, rules.max),
                "examples": [example_of(field, name)]}
    out = {"type": "string", "pattern": FORMATS[name][0] if name in FORMATS else TEXT,
           "maxLength": rules.max_len}
    if rules.min_len or rules.required:
        out["minLength"] = max(rules.min_len, 1)
    if rules.free_form:
        out = {"type": ["string", "object", "array", "boolean", "number"],
               "maxLength": rules.max_len, "items": {}}
    example = example_of(field, name)
    if example is not None:
        out["examples"] = [example]
    return out


def scalar_schema(field, format_name):
    """The schema of one item of a field, without its description."""
    rules = field.rules
    name = format_name(rules.format).replace("FORMAT_", "", 1)
    if field.type == "MESSAGE":
        return {"$ref": f"#/components/schemas/{field.message.name}"}
    if field.type == "ENUM":
        return {"type": "string", "enum": [value.text for value in field.enum.named]}
    if field.type == "BOOL":
        return {"type": "boolean"}
    if field.type == "BYTES":
        return {"type": "string", "contentEncoding": "base64",
                "pattern": r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
                "maxLength": (rules.max_len + 2) // 3 * 4}
    if field.type == "STRING" or name == "TIMESTAMP":
        return string_schema(field, name)
    if field.type == "UINT64":
        return uint64_schema(rules)
    low, high = (-2 ** 31, 2 ** 31 - 1) if field.type == "INT32" else (0, 2 ** 32 - 1)
    if rules.min or rules.max:
        low, high = rules.min, rules.max
    out = {"type": "integer", "format": "int64", "minimum": low, "maximum": high}
    if rules.example:
        out["examples"] = [int(rules.example)]
    return out


def uint64_schema(rules):
    """A number, or its digits. 0 is the same as not set."""
    pattern = "^[1-9][0-9]{0,18}$" if rules.required else UINT64
    if rules.max:
        digits = len(str(rules.max)) - 1
        if rules.max != 10 ** digits:
            raise SystemExit(f"the most of a uint64 is a power of ten, not {rules.max}")
        pattern = f"^([0-9]{{1,{digits}}}|{rules.max})$"
    return {"type": ["string", "integer"], "pattern": pattern,
            "minimum": 1 if rules.required else 0, "maximum": rules.max or 2 ** 63 - 1,
            "examples": [rules.example or "3"]}


def field_schema(field, format_name):
    rules = field.rules
    if field.type == "MAP":
        key = format_name(rules.key_format).replace("FORMAT_", "", 1)
        value = format_name(rules.format).replace("FORMAT_", "", 1)
        out = {"type": "object", "maxProperties": rules.max_items,
               "propertyNames": {"type": "string", "pattern": FORMATS[key][0]},
               "additionalProperties": {
                   "type": "string", "maxLength": rules.max_len,
                   "pattern": FORMATS[value][0] if value in FORMATS else TEXT}}
    elif field.repeated:
        out = {"type": "array", "items": scalar_schema(field, format_name)}
        if rules.required:
            out["minItems"] = 1
        if rules.max_items:
            out["maxItems"] = rules.max_items
    else:
        out = scalar_schema(field, format_name)
    out = {"description": field.help, **out}
    if rules.output:
        out["readOnly"] = True
    if rules.default_text and "default" not in out:
        value = rules.default_text
        out["default"] = int(value) if field.type == "UINT32" else value
    return out


def is_strict(item):
    """Whether something has to be set in the message or in a message that is a part of it."""
    return any(field.rules.required or field.rules.required_unless or
               (field.message and not field.repeated and not field.rules.partial and
                is_strict(field.message)) for field in item.fields)


def message_schema(item, format_name, part=False):
    """The schema of a message; part: in which nothing has to be set."""
    required = [] if part else [f.json_name for f in item.fields if f.rules.required
                                and not (item.kind and f.json_name in ("apiVersion", "kind"))]
    properties = {f.json_name: field_schema(f, format_name) for f in item.fields}
    for field in item.fields:
        if field.message and not field.repeated and is_strict(field.message) and (
                part or field.rules.partial):
            properties[field.json_name]["$ref"] += "Part"
    if item.kind:
        properties["apiVersion"] = {"description": "The version of the API.", "type": "string",
                                    "enum": ["swarm/v1"]}
        properties["kind"] = {"description": "What the object is.", "type": "string",
                              "enum": [item.name]}
    out = {"description": item.help + (" Nothing has to be set here." if part else ""),
           "type": "object", "additionalProperties": False, "properties": properties}
    if required:
        out["required"] = required
    unless = [] if part else [f for f in item.fields if f.rules.required_unless]
    if unless:
        out["anyOf"] = [{"required": [name]} for field in unless for name in (
            field.json_name, item.field(field.rules.required_unless).json_name)]
    return out


# What stands in the metadata of a body. Kinds outside of namespaces have no `namespace`, a body
# sent to the path of an object need not repeat its name, and a status is written for a name.
STATUS_META = ("name", "namespace", "resourceVersion")


def meta_schemas(model, format_name):
    whole = message_schema(model.messages["ObjectMeta"], format_name)
    out = {}
    for prefix, is_global in (("ObjectMeta", False), ("GlobalMeta", True)):
        names = [n for n in whole["properties"] if not (is_global and n == "namespace")]
        for suffix, kept in (("", names), ("OfUpdate", names),
                             ("OfStatus", [n for n in names if n in STATUS_META])):
            schema = {**whole, "properties": {n: whole["properties"][n] for n in kept}}
            if suffix:
                del schema["required"]
            out[prefix + suffix] = schema
    return out


def kind_schemas(item, format_name):
    """An object as it is read and made, as it is sent to its own path, and its status alone."""
    meta = "ObjectMeta" if item.kind.namespaced else "GlobalMeta"

    def with_meta(schema, suffix):
        properties = dict(schema["properties"])
        properties["metadata"] = {**properties["metadata"],
                                  "$ref": f"#/components/schemas/{meta}{suffix}"}
        return {**schema, "properties": properties}

    whole = message_schema(item, format_name)
    out = {item.name: with_meta(whole, ""), item.name + "Update": with_meta(whole, "OfUpdate")}
    required = [name for name in whole["required"] if name != "metadata"]
    if required:
        out[item.name + "Update"]["required"] = required
    else:
        del out[item.name + "Update"]["required"]
    if item.field("status") is not None:
        status = with_meta(whole, "OfStatus")
        names = ("apiVersion", "kind", "metadata", "status")
        status["properties"] = {name: status["properties"][name] for name in names}
        status["properties"]["status"] = {k: v for k, v in status["properties"]["status"].items()
                                          if k != "readOnly"}
        status["description"] = f"The status of one {item.name}; what else a body says is ignored."
        del status["required"]
        out[item.name + "OfStatus"] = status
    return out


def schemas(model, format_name, codes):
    out = {}
    wanted = []

    def visit(item):
        if item.name in wanted:
            return
        wanted.append(item.name)
        for field in item.fields:
            if field.message:
                visit(field.message)

    for kind in model.kinds:
        visit(kind)
    visit(model.messages["ListMeta"])
    for name in sorted(wanted):
        item = model.messages[name]
        if item.kind or name == "ObjectMeta":
            continue
        out[name] = message_schema(item, format_name)
        if is_strict(item):
            out[name + "Part"] = message_schema(item, format_name, True)
    out.update(meta_schemas(model, format_name))
    for kind in model.kinds:
        out.update(kind_schemas(kind, format_name))
        out[kind.name + "List"] = {
            "description": f"A page of {kind.kind.plural}.", "type": "object",
            "additionalProperties": False, "required": ["metadata"],
            "properties": {
                "metadata": {"$ref": "#/components/schemas/ListMeta"},
                "items": {"description": "The objects, ordered by namespace and name.",
                          "type": "array", "maxItems": 5000,
                          "items": {"$ref": f"#/components/schemas/{kind.name}"}}}}
    out["InstanceList"] = instance_list()
    out["UsageList"] = {
        "description": "What Agents used.", "type": "object", "additionalProperties": False,
        "required": ["items"], "properties": {"items": {
            "description": "Those that used anything, in no order.", "type": "array",
            "maxItems": 100000, "items": {
                "type": "object", "additionalProperties": False, "required": ["agent", "usage"],
                "properties": {"agent": described("Its name.", type="string"),
                               "usage": {"$ref": "#/components/schemas/Usage"}}}}}}
    out["DeadLetterList"] = dead_letter_list()
    out["DeadLetterCount"] = dead_letter_count()
    out["History"] = history()
    out["Held"] = {
        "description": "The fork that it was about.", "type": "object",
        "additionalProperties": False, "required": ["instance"],
        "properties": {"instance": described("Its name.", type="string")}}
    out["PublishResult"] = message_schema(model.messages["PublishResponse"], format_name)
    out["ModuleInfo"] = {
        "description": "A module that is there.", "type": "object", "additionalProperties": False,
        "required": ["digest", "sizeBytes"],
        "properties": {
            "digest": {"description": "Its digest.", "type": "string",
                       "pattern": FORMATS["DIGEST"][0], "examples": [FORMATS["DIGEST"][1]]},
            "sizeBytes": {"description": "Its size.", "type": ["string", "integer"],
                          "examples": [246]}}}
    out["Problem"] = problem(codes)
    return used(out, [kind.name + suffix for kind in model.kinds
                      for suffix in ("", "List", "Update", "OfStatus")] +
                ["Problem", "InstanceList", "UsageList", "DeadLetterList", "DeadLetterCount",
                 "History", "Held", "PublishResult", "ModuleInfo"])


def used(schemas, names):
    """The schemas of these names and all that they refer to, sorted."""
    out, left = {}, [name for name in names if name in schemas]
    while left:
        name = left.pop()
        if name not in out:
            out[name] = schemas[name]
            left += re.findall("#/components/schemas/([A-Za-z]+)", json.dumps(schemas[name]))
    return dict(sorted(out.items()))


def error_codes(source):
    """The names of the codes, from the one table that there is."""
    return [name for _, name, status, _ in tables.error_rows(source) if status != "200"]


def problem(codes):
    return {
        "description": "What went wrong (RFC 9457).", "type": "object",
        "required": ["title", "status", "code"],
        "properties": {
            "type": {"description": "Where the code is described.", "type": "string"},
            "title": {"description": "The code in words.", "type": "string",
                      "examples": ["The request is wrong in itself; correct it."]},
            "status": {"description": "The HTTP status.", "type": "integer", "minimum": 400,
                       "maximum": 599, "examples": [400]},
            "detail": {"description": "What is wrong, for people.", "type": "string",
                       "examples": ["expected 0 to 1000000, found 2000000"]},
            "code": {"description": "The stable name of the error.", "type": "string",
                     "enum": codes},
            "field": {"description": "Path of the field at fault.", "type": "string",
                      "examples": ["spec.replicas"]},
            "hint": {"description": "What to do about it.", "type": "string"},
            "problems": {
                "description": "All mistakes, when there are several.", "type": "array",
                "items": {"type": "object", "required": ["message"], "properties": {
                    "field": {"description": "Path of the field at fault.", "type": "string"},
                    "message": {"description": "What is wrong.", "type": "string"},
                    "hint": {"description": "What to do about it.", "type": "string"}}}}}}


def instance_list():
    """Instances are not objects, so api/v1 does not describe them."""
    texts = {"name": "Its name, \"agent/key\".", "pod": "Name of its Pod.", "node": "Its Node.",
             "state": "What it is doing, such as \"Running\".",
             "module": "Digest of the module that it runs: its Agent's, or an older one if an "
                       "upgrade failed or is still to come; empty while it has none yet.",
             "message": "Why it failed, or nothing."}
    numbers = {"turns": "Turns handled so far.", "mailbox": "Messages that wait.",
               "memoryBytes": "Memory in use.",
               "diskBytes": "What it takes on the disk while it sleeps."}
    properties = {name: {"description": words, "type": "string"} for name, words in texts.items()}
    properties.update({name: {"description": words, "type": ["string", "integer"]}
                       for name, words in numbers.items()})
    properties["usage"] = {"$ref": "#/components/schemas/Usage"}
    return {"description": "A page of instances.", "type": "object", "required": ["continue"],
            "properties": {
                "counts": {"description": "Instead of items: how many in each state.",
                           "type": "object",
                           "additionalProperties": {"type": ["string", "integer"]}},
                "items": {"description": "The instances.", "type": "array", "items": {
                    "description": "One instance.", "type": "object", "required": ["name"],
                    "properties": properties}},
                "continue": {"description": "Hand this back to get the next page; empty on the "
                             "last.", "type": "string"}}}


def dead_letter_list():
    """Nor are dead letters."""
    texts = {"id": "Its name within the Agent.", "time": "When it was parked.",
             "kind": "\"Message\", \"Publish\", \"Reply\" or \"Timer\".",
             "instance": "Whom it is for, \"agent/key\".", "pod": "Name of its Pod.",
             "node": "Its Node.", "from": "The instance that sent it.",
             "subject": "What it was published on.", "contentType": "What the body is.",
             "reason": "Why it was parked, such as \"Trapped\".",
             "message": "The same in words.", "timer": "Id of the timer, for one.",
             "body": "The body in base64, if it was asked for."}
    properties = {name: {"description": words, "type": "string"} for name, words in texts.items()}
    properties["attempts"] = {"description": "How often it was tried.", "type": "integer"}
    properties["sizeBytes"] = {"description": "Size of the body.", "type": ["string", "integer"]}
    return {"description": "A page of dead letters.", "type": "object", "required": ["items"],
            "properties": {
                "items": {"description": "The dead letters.", "type": "array", "items": {
                    "description": "One dead letter.", "type": "object",
                    "required": ["id", "instance", "reason"], "properties": properties}},
                "continue": {"description": "Hand this back to get the next page; empty on the "
                             "last.", "type": "string"}}}


def dead_letter_count():
    return {"description": "How many dead letters were changed.", "type": "object",
            "required": ["count"], "properties": {
                "count": {"description": "So many.", "type": ["string", "integer"]}}}


def described(words, **schema):
    return {"description": words, **schema}


def history():
    """Nor are histories."""
    number, text = {"type": ["string", "integer"]}, {"type": "string"}
    body = {"sizeBytes": described("Size of the body.", **number),
            "body": described("Its beginning in base64, if it was asked for.", **text)}
    effect = {name: described(words, **text) for name, words in {
        "kind": "\"send\", \"reply\", \"publish\" ...", "to": "Whom or what it is for.",
        "contentType": "What the body is.", "due": "When it ends or fires."}.items()}
    effect.update(body, number=described("Of a timer, a wait, a question.", **number),
                  status=described("Of a reply, without its sign.", type="integer"))
    turn = {name: described(words, **text) for name, words in {
        "time": "When it ran.", "cause": "\"start\", \"message\", \"timer\", \"resume\" ...",
        "outcome": "\"done\", \"waiting\", \"failed\", \"trapped\" ...",
        "verdict": "Of a replay: \"same\", \"differs\", \"skipped\"; \"tried\".",
        "message": "Why it failed, or what differs.", "from": "The instance that sent it.",
        "subject": "What it was published on.", "contentType": "What the body is.",
        "requestId": "How its client named it.", "module": "Digest of the module that ran.",
        "digest": "Of its effects."}.items()}
    turn.update(body, turn=described("Its number.", **number),
                lsn=described("Of its record in the journal.", **number),
                sourceLsn=described("Of the record that sent its message.", **number),
                timer=described("Its id.", **number),
                code=described("Of a failure, without its sign.", type="integer"),
                attempt=described("Which try it was.", type="integer"),
                status=described("Of an answer, without its sign.", type="integer"),
                reply=described("Its message is an answer.", type="boolean"),
                bodyGone=described("Its body is not kept any more.", type="boolean"),
                cpuMicroseconds=described("Of the processor.", **number),
                effectsCount=described("Of all.", **number),
                effects=described("What it asked for.", type="array", items={
                    "description": "One effect.", "type": "object", "required": ["kind"],
                    "properties": effect}))
    item = {name: described(words, **text) for name, words in {
        "kind": "\"timer\", \"subscription\" or \"question\".",
        "text": "Its subject; who asks.", "due": "When it fires."}.items()}
    item["number"] = described("Its id.", **number)
    state = {name: described(words, **text) for name, words in {
        "digest": "Of its memory.", "time": "Of its last turn.", "module": "Digest of its module.",
        "engine": "What ran it.", "waitsFor": "What its turn waits for.",
        "waitDue": "When that ends by itself."}.items()}
    state.update({name: described(words, **number) for name, words in {
        "turn": "After this one.", "failures": "Of its turns.", "memoryBytes": "Linear memory.",
        "openQuestions": "That wait for its answer.", "timers": "That run.",
        "subscriptions": "That it has.", "heldEffects": "Of a fork: what waits for its release.",
        "heldBytes": "So much that is."}.items()})
    state["items"] = described("Each of them.", type="array", items={
        "description": "One of them.", "type": "object", "required": ["kind"],
        "properties": item})
    return {"description": "What an instance did.", "type": "object",
            "required": ["first", "last", "replayable", "ended"], "properties": {
                "first": described("The first turn that is kept.", **number),
                "instance": described("Of a fork that became one: its name.", **text),
                "last": described("The last turn.", **number),
                "replayable": described("After this one, and from it on, it can be made again.",
                                        **number),
                "ended": described("The instance has ended.", type="boolean"),
                "state": {"description": "What it was.", "type": "object", "properties": state},
                "through": described("Of a transcript: the last turn that was looked at.",
                                     **number),
                "entries": described("Of a transcript: calls of models and other services, and "
                                     "the messages that each adds.", type="array", items={
                                         "description": "One of them.", "type": "object",
                                         "required": ["kind", "turn"]}),
                "turns": described("The turns.", type="array", items={
                    "description": "One turn.", "type": "object",
                    "required": ["turn", "cause", "outcome", "effects"], "properties": turn})}}


def generate(model, format_name, source):
    from openapi_paths import paths, tags  # They use the formats above.
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Swarm API", "version": "v1", "description": INTRO,
            "contact": {"name": "The maintainers of Swarm",
                        "url": "https://github.com/swarm/swarm/issues"},
            "license": {"name": "Apache-2.0",
                        "url": "https://www.apache.org/licenses/LICENSE-2.0"}},
        "servers": [{"url": "https://127.0.0.1:7420", "description": "This machine."}],
        "tags": tags(model),
        "security": [{"certificate": []}],
        "paths": paths(model),
        "components": {
            "securitySchemes": {"certificate": {
                "type": "mutualTLS", "description": "A certificate of the cluster's authority."}},
            "schemas": schemas(model, format_name, error_codes(source))}}
    return "# Generated by tools/codegen from api/v1; do not edit.\n" + to_yaml(document)


def scalar(value):
    """JSON's scalars are YAML's; long texts are folded by nobody, so they stay on one line."""
    return json.dumps(value, ensure_ascii=False)


def to_yaml(value, depth=0):
    pad = "  " * depth
    if isinstance(value, dict):
        lines = []
        for key, item in value.items():
            name = key if key.replace("_", "").isalnum() and not key.isdigit() else json.dumps(key)
            name = json.dumps(key) if name in ("null", "true", "false", "on", "off", "y", "n") \
                else name
            if isinstance(item, str) and "\n" in item:
                text = "".join(f"{pad}  {line}\n" if line else "\n" for line in item.split("\n"))
                lines.append(f"{pad}{name}: |-\n{text}")
            elif isinstance(item, (dict, list)) and item:
                lines.append(f"{pad}{name}:\n{to_yaml(item, depth + 1)}")
            else:
                lines.append(f"{pad}{name}: {scalar(item)}\n")
        return "".join(lines)
    lines = []
    for item in value:
        if isinstance(item, (dict, list)) and item:
            lines.append(f"{pad}- {to_yaml(item, depth + 1).lstrip(' ')}")
        else:
            lines.append(f"{pad}- {scalar(item)}\n")
    return "".join(lines)
