"""JSON Schema of Python types, and values of such types from JSON.

Known are str, int, float, bool, None, list, dict with keys of str, Literal, Optional and other
unions, TypedDict and dataclasses, in any depth; whatever else is refused with TypeError.
"""
import dataclasses
import types
import typing
from typing import Any

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def of(kind: Any) -> dict[str, Any]:
    """The schema of a type.  TypeError: it has none here."""
    if kind in SIMPLE:
        return {"type": SIMPLE[kind]}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is list or origin is list:
        return {"type": "array"} | ({"items": of(arguments[0])} if arguments else {})
    if kind is dict or origin is dict:
        if arguments and arguments[0] is not str:
            raise TypeError(f"{kind!r} has keys that are no str")
        return {"type": "object"} | ({"additionalProperties": of(arguments[1])}
                                     if arguments else {})
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [of(each) for each in arguments]}
    fields, required = fields_of(kind)
    return {"type": "object", "properties": {name: of(each) for name, each in fields.items()},
            "required": required, "additionalProperties": False}


def fields_of(kind: Any) -> tuple[dict[str, Any], list[str]]:
    """Fields with their types, and which have to be there."""
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind)
        return hints, [name for name in hints if name in kind.__required_keys__]
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        return ({field.name: hints[field.name] for field in fields},
                [field.name for field in fields if field.default is dataclasses.MISSING
                 and field.default_factory is dataclasses.MISSING])
    raise TypeError(f"{kind!r} has no JSON Schema here")


def read(kind: Any, value: Any, path: str = "") -> Any:
    """A JSON value as that type.  ValueError: it is none; the words say where and what is."""
    if kind in SIMPLE:
        return read_simple(kind, value, path)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is list or origin is list:
        check(isinstance(value, list), path, "a list")
        return [read(arguments[0], each, f"{path}[{i}]") if arguments else each
                for i, each in enumerate(value)]
    if kind is dict or origin is dict:
        check(isinstance(value, dict), path, "an object")
        return {name: read(arguments[1], each, f"{path}.{name}") if arguments else each
                for name, each in value.items()}
    if origin is typing.Literal:
        check(value in arguments, path, f"one of {', '.join(map(repr, arguments))}")
        return value
    if origin in (typing.Union, types.UnionType):
        return read_union(arguments, value, path)
    return read_fields(kind, value, path)


def check(is_so: bool, path: str, wanted: str) -> None:
    if not is_so:
        raise ValueError(f"{path.lstrip('.') or 'the value'} has to be {wanted}")


def read_simple(kind: Any, value: Any, path: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    check(isinstance(value, kind) and (kind is bool or not isinstance(value, bool)), path,
          "of type " + SIMPLE[kind])
    return value


def read_union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    for kind in kinds:
        try:
            return read(kind, value, path)
        except ValueError:
            pass
    raise ValueError(f"{path.lstrip('.') or 'the value'} fits none of its types")


def read_fields(kind: Any, value: Any, path: str) -> Any:
    fields, required = fields_of(kind)
    check(isinstance(value, dict), path, "an object")
    for name in required:
        check(name in value, f"{path}.{name}", "there")
    for name in value:
        check(name in fields, f"{path}.{name}", "left out: it is not known")
    found = {name: read(fields[name], each, f"{path}.{name}") for name, each in value.items()}
    return found if typing.is_typeddict(kind) else kind(**found)
