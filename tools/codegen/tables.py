"""docs/reference: the error codes and the limits, read off the sources that enforce them."""

import ast
import operator
import os
import re

import guest_abi
from reference import SIZES, cell, with_unit

ERROR_ROW = re.compile(r'\[(\d+)\] = \{"([A-Z_]+)", (\d+), "([^"]*)"\}')
DEFINE = r"^#define {} +(?P<value>[^/\n]+?) *(?:/\*.*)?$"
CAST = re.compile(r"\((?:size_t|uint64_t|int64_t|uint32_t)\)")
SUFFIX = re.compile(r"\b(\d+)[uUlL]+\b")
OPERATORS = {ast.Mult: operator.mul, ast.LShift: operator.lshift, ast.Add: operator.add}

# What a user can run into: heading, then (words, is it in bytes, header, macro).
LIMITS = (
    ("Objects and manifests", (
        ("Size of an object", True, "pkg/store/objects/objects.h", "SW_OBJECT_BYTES_MAX"),
        ("Documents in one manifest", False, "pkg/apis/swarm/v1/yaml.h",
         "SW_MANIFEST_DOCUMENTS_MAX"),
        ("Values in one document", False, "pkg/apis/swarm/v1/tree.h", "SW_TREE_NODES_MAX"),
        ("Depth of a document", False, "pkg/apis/swarm/v1/tree.h", "SW_TREE_DEPTH_MAX"),
        ("Anchors in a YAML document", False, "pkg/apis/swarm/v1/yaml_parse.h",
         "SW_YAML_ANCHORS_MAX"),
        ("Mistakes that are told at once", False, "pkg/apis/swarm/v1/problem.h",
         "SW_PROBLEMS_MAX"),
        ("Terms of a label selector", False, "pkg/store/objects/selector.h",
         "SW_SELECTOR_TERMS_MAX"),
        ("Events kept", False, "pkg/controller/events/controller.h", "SW_EVENTS_MAX"),
        ("Manifest files of one `swarm apply`", False, "pkg/cli/commands/manifests.h",
         "SW_MANIFESTS_FILES_MAX"),
        ("Size of a manifest file", True, "pkg/cli/commands/manifests.h",
         "SW_MANIFESTS_FILE_BYTES_MAX"))),
    ("Messages", (
        ("Body of a message over the API", True, "web/api/gateway.h",
         "SW_GATEWAY_MESSAGE_BYTES_MAX"),
        ("Name of an instance, `agent/key`", True, "pkg/cli/commands/target.h",
         "SW_INSTANCE_NAME_MAX"),
        ("Subject", True, "pkg/communication/pubsub/subject.h", "SW_SUBJECT_BYTES_MAX"),
        ("Tokens of a subject", False, "pkg/communication/pubsub/subject.h",
         "SW_SUBJECT_TOKENS_MAX"),
        ("Document of `swarm send --each`", True, "pkg/cli/documents/documents.h",
         "SW_DOCUMENT_BYTES_MAX"),
        ("Part that such a document is split into", True, "pkg/cli/documents/documents.h",
         "SW_DOCUMENT_PART_BYTES"))),
    ("Modules", (
        ("Size of a module", True, "pkg/agent/abi/abi.h", "SW_ABI_MODULE_BYTES_MAX"),
        ("Payload of a bundle", True, "pkg/agent/abi/abi.h", "SW_ABI_PAYLOAD_BYTES_MAX"),
        ("Machine code made of it", True, "pkg/agent/compiler/compiler.h",
         "SW_COMPILER_CODE_BYTES_MAX"),
        ("Functions", False, "pkg/agent/modules/parse.h", "SW_MODULE_FUNCTIONS_MAX"),
        ("Types of functions", False, "pkg/agent/modules/parse.h", "SW_MODULE_TYPES_MAX"),
        ("Parameters of a function, and results", False, "pkg/agent/modules/parse.h",
         "SW_MODULE_PARAMETERS_MAX"),
        ("Size of a function", True, "pkg/agent/modules/parse.h", "SW_MODULE_BODY_BYTES_MAX"),
        ("Locals of a function", False, "pkg/agent/modules/parse.h", "SW_MODULE_LOCALS_MAX"),
        ("Nested blocks", False, "pkg/agent/modules/parse.h", "SW_MODULE_NESTING_MAX"),
        ("Branches of one `br_table`", False, "pkg/agent/modules/parse.h",
         "SW_MODULE_BRANCHES_MAX"),
        ("Imports", False, "pkg/agent/modules/parse.h", "SW_MODULE_IMPORTS_MAX"),
        ("Exports", False, "pkg/agent/modules/parse.h", "SW_MODULE_EXPORTS_MAX"),
        ("Data segments, and element segments", False, "pkg/agent/modules/parse.h",
         "SW_MODULE_SEGMENTS_MAX"),
        ("Globals", False, "pkg/agent/modules/parse.h", "SW_MODULE_GLOBALS_MAX"),
        ("Mutable ones of them", False, "pkg/agent/abi/abi.h", "SW_ABI_GLOBALS_MAX"),
        ("Tables", False, "pkg/agent/modules/parse.h", "SW_MODULE_TABLES_MAX"),
        ("Elements of its tables", False, "pkg/agent/abi/abi.h", "SW_ABI_TABLE_ELEMENTS_MAX"))),
    ("One instance", (
        ("Messages that wait for its reply", False, "pkg/agent/runtime/actor/actor.h",
         "SW_HANDLES_MAX"),
        ("Timers", False, "pkg/agent/runtime/actor/actor.h", "SW_TIMERS_MAX"),
        ("Subscriptions", False, "pkg/agent/runtime/actor/actor.h", "SW_PATTERNS_MAX"),
        ("Named requests that are remembered, for an hour", False,
         "pkg/agent/runtime/actor/requests.h", "SW_REQUESTS_MAX"),
        ("Bytes of their answers", True, "pkg/agent/runtime/actor/requests.h",
         "SW_REQUESTS_BYTES_MAX"),
        ("Effects of one turn", False, "pkg/agent/store/effect.h", "SW_EFFECTS_MAX"),
        ("Bytes of the effects of one turn", True, "pkg/agent/store/effect.h",
         "SW_EFFECTS_BYTES_MAX"),
        ("Log of one turn", True, "pkg/agent/runtime/actor/turn.h", "SW_TURN_LOG_BYTES_MAX"),
        ("Line of a log", True, "pkg/agent/runtime/actor/turn.h", "SW_TURN_LOG_LINE_MAX"),
        ("Random bytes of one call", True, "pkg/agent/runtime/actor/turn.h",
         "SW_TURN_RANDOM_BYTES_MAX"),
        ("Waits of one turn, in a module that is not built for waiting", False,
         "pkg/agent/runtime/wasm/waits.h", "SW_WASM_RELIVES_MAX"))),
    ("One Agent, one Node", (
        ("Instances that wait for each other's answers, in a row", False,
         "pkg/agent/runtime/actor/waits.h", "SW_WAITS_WALK_MAX"),
        ("Long turns of an Agent that share the time of one worker", False,
         "pkg/agent/runtime/actor/ready.h", "SW_GOING_AGENT_MAX"),
        ("The same, of a namespace", False, "pkg/agent/runtime/actor/ready.h",
         "SW_GOING_SPACE_MAX"),
        ("The same, of all", False, "pkg/agent/runtime/actor/overtake.h", "SW_PASS_MAX"),
        ("Pods of an Agent", False, "pkg/controller/agent/controller.h", "SW_AGENT_PODS_MAX"),
        ("Pods of a Node", False, "pkg/controller/pod/controller.h", "SW_NODE_PODS_MAX"),
        ("Instances of the engine `compute` of a host", False, "pkg/agent/runtime/wasm/wasm.h",
         "SW_WASM_GUARDED_MAX"),
        ("Dead letters of a Pod", False, "pkg/agent/runtime/actor/letters.h", "SW_LETTERS_MAX"),
        ("Bytes of dead letters of a Pod", True, "pkg/agent/runtime/actor/letters.h",
         "SW_LETTERS_BYTES_MAX"),
        ("Subscriptions of a host", False, "pkg/communication/pubsub/table.h",
         "SW_SUBSCRIPTIONS_MAX"),
        ("Calls of services that are not over", False, "pkg/agent/controller/controller.h",
         "SW_CALLS_MAX"),
        ("Bytes of their results until they are taken", True,
         "pkg/agent/controller/controller.h", "SW_CALLS_RESULTS_BYTES_MAX"),
        ("Services", False, "pkg/broker/service/service.h", "SW_SERVICES_MAX"),
        ("Bytes of messages that wait in a host", True, "pkg/agent/runtime/actor/shared.h",
         "SW_QUEUED_BYTES_MAX"),
        ("The same, beyond which clients are refused", True, "pkg/agent/runtime/actor/shared.h",
         "SW_QUEUED_BYTES_EDGE_MAX"))),
)

LIMITS_HEAD = """# Limits

Made from the sources that enforce them by `make openapi`; do not edit. What may be set is in
[the settings of swarmd](../configuration/settings.md) and in the `limits` of an
[Agent](../api/agent.md); what is here is fixed. At a limit a request is refused with a
[code](error-codes.md) and words that name it.
"""
ERRORS_HEAD = """# Error codes

Made from the table in `pkg/utils/errors` by `make openapi`; do not edit. REST answers with
`application/problem+json` (RFC 9457): the HTTP status, `code`, `detail`, and where they help
`field` and `hint`; several mistakes stand in `problems`. gRPC answers with the same code as a
`google.rpc.Status` in its details. A program should look at `code` alone; words may change.

| Code | gRPC | HTTP | Meaning |
|---|---|---|---|
"""


def evaluate(node):
    """The value of an arithmetic expression of whole numbers."""
    if isinstance(node, ast.Expression):
        return evaluate(node.body)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](evaluate(node.left), evaluate(node.right))
    raise ValueError(ast.dump(node))


def constant(source, header, macro):
    with open(os.path.join(source, header), encoding="utf-8") as file:
        found = re.search(DEFINE.format(macro), file.read(), re.M)
    if found is None:
        raise ValueError(f"{header} has no {macro}")
    text = SUFFIX.sub(r"\1", CAST.sub("", found["value"]))
    return evaluate(ast.parse(text, mode="eval"))


def limits_page(source):
    out = LIMITS_HEAD
    for heading, rows in LIMITS:
        out += f"\n## {heading}\n\n| What | At most | Constant |\n|---|---|---|\n"
        for words, is_bytes, header, macro in rows:
            value = constant(source, header, macro)
            shown = with_unit(value, SIZES) if is_bytes else f"{value:,}"
            out += f"| {words} | {shown} | `{macro}` in `{header}` |\n"
    return out


def error_rows(source):
    """(number, name, HTTP status, words) of each code, from the one table that there is."""
    with open(os.path.join(source, "pkg/utils/errors/errors.c"), encoding="utf-8") as file:
        return ERROR_ROW.findall(file.read())


def errors_page(source):
    out = ERRORS_HEAD
    for number, name, status, words in error_rows(source):
        out += f"| `{name}` | {number} | {status} | {cell(words)} |\n"
    return out


def generate(source):
    return {"error-codes.md": errors_page(source), "resource-limits.md": limits_page(source),
            "guest-abi.md": guest_abi.page(source)}
