"""JSON Schema of what travels, read off the types that it is decoded into and encoded from.

What comes in may have no unknown field, and what has a default may be left out. What goes
out always has every field, unless its struct leaves out defaults; fields may be added, so
readers must not mind unknown ones.

How an id is spelled is said here once and holds wherever the id is used. What a type cannot
say, a struct says beside the field, `Annotated[Raw, Meta(extra_json_schema={…})]`, or of all its
fields together, `EXTRA_SCHEMA: ClassVar = one_of("amount", "price")`.

msgspec's own generator is not used: it knows no NewTypes, refuses unions of structs that are
only ever encoded, and takes a default for a field that may be absent from an answer.
"""

import inspect
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from msgspec import NODEFAULT, Meta, Raw, Struct, UnsetType, to_builtins
from msgspec.structs import FieldInfo, fields

from ctrip.core import ids
from ctrip.core.endpoints import EndpointId
from ctrip.web.lists import All, Listed
from ctrip.web.meanings import meaning

Schema: TypeAlias = dict[str, Any]

REF: Final = "#/components/schemas/"
ADDRESS: Final = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"  # anvil's second account
HASH: Final = "0x8c985b2d9224b0990ca78846b48567f739e5deb2fc2ab7f81f16fc379107e55d"
HASH_PATTERN: Final = "^0x[0-9a-f]{64}$"

PLAIN: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    types.NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    UUID: {"type": "string", "format": "uuid"},
    Any: {},
    object: {},
    Raw: {},
}
SPELLINGS: Final[Mapping[Any, Schema]] = {
    ids.Address: {"pattern": "^0x[0-9a-fA-F]{40}$", "examples": [ADDRESS]},
    ids.RawAddress: {"pattern": "^0x[0-9a-f]{40}$", "examples": [ADDRESS.lower()]},
    ids.Asset: {"pattern": "^(native|0x[0-9a-f]{40})$", "examples": ["native"]},
    ids.TxHash: {"pattern": HASH_PATTERN, "examples": [HASH]},
    ids.BlockHash: {"pattern": HASH_PATTERN, "examples": [HASH]},
    ids.BlockNumber: {"minimum": 0, "examples": [21_000_000]},
    ids.Amount: {"minimum": 0, "maximum": ids.AMOUNT_MAX, "examples": [19_990_000]},
    ids.EventId: {
        "pattern": "^evt_[0-9a-f]{32}$",
        "examples": ["evt_7c21f1cfd52cfd2a9313148f4819eca9"],
    },
    EndpointId: {"pattern": "^we_[a-z0-9]{1,40}$", "examples": ["we_3f9k2m7q1x"]},
}
# Of msgspec's words those that JSON Schema spells otherwise; length is of three kinds.
BOUNDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "title": "title",
    "description": "description",
    "examples": "examples",
}
NOTHING: Final = (type(NODEFAULT), UnsetType, Raw)  # what defaults are that say nothing
LISTS: Final[Mapping[Any, str]] = {Listed: "Page", All: "List"}
LENGTHS: Final = {"string": "Length", "array": "Items", "object": "Properties"}


class Schemas:
    """Schemas, and the components that they refer to."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._kinds: dict[str, Any] = {}

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type."""
        if kind in PLAIN:
            return dict(PLAIN[kind])
        if isinstance(kind, NewType):
            return self.of(kind.__supertype__) | SPELLINGS.get(kind, {})
        origin, args = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self._bounded(args[0], args[1:])
        if origin is Literal:
            return {"type": "string", "enum": list(args)}
        if origin in {Union, types.UnionType}:
            return self._either([arg for arg in args if arg is not UnsetType])
        if inspect.isclass(kind) and issubclass(kind, Enum):
            return {"type": "string", "enum": [member.value for member in kind]}
        if inspect.isclass(origin or kind) and issubclass(origin or kind, Struct):
            return self._named(kind)
        return self._container(origin, args)

    def parameters_of(self, kind: type[Struct]) -> list[tuple[str, Schema, bool]]:
        """Return each field of a query: its name, its schema and whether it must be there."""
        hints = get_type_hints(kind, include_extras=True)
        found = []
        for field in fields(kind):
            schema = self._field(field, hints[field.name])
            found.append((field.encode_name, without_null(schema), field.required))
        return found

    def _named(self, kind: Any) -> Schema:
        """Put a struct among the components, once, and refer to it."""
        name = name_of(kind)
        if self._kinds.setdefault(name, kind) != kind:
            raise TypeError(f"{kind} and {self._kinds[name]} would both be called {name}")
        if name not in self.components:
            self.components[name] = {}  # it may speak of itself
            self.components[name] = self._struct(kind)
        return {"$ref": REF + name}

    def _struct(self, kind: Any) -> Schema:
        plain = get_origin(kind) or kind
        hints = get_type_hints(plain, include_extras=True)
        variables: Sequence[Any] = getattr(plain, "__parameters__", ())
        fillings = dict(zip(variables, get_args(kind), strict=True))
        comes_in = plain.__struct_config__.forbid_unknown_fields
        may_lack = comes_in or plain.__struct_config__.omit_defaults
        properties, required = {}, []
        for field in fields(plain):
            hint = filled(hints[field.name], fillings)
            means = meaning(name_of(kind), field.encode_name)
            told = self._field(field, hint, tell_default=comes_in)
            properties[field.encode_name] = means | told
            if not (UnsetType in get_args(hint) or (may_lack and not field.required)):
                required.append(field.encode_name)
        schema: Schema = {"type": "object", "properties": properties, "required": required}
        if comes_in:
            schema["additionalProperties"] = False
        schema |= getattr(plain, "EXTRA_SCHEMA", {})
        if says := inspect.getdoc(plain):
            schema["description"] = says.replace("\n", " ")
        return schema

    def _field(self, field: FieldInfo, hint: Any, *, tell_default: bool = True) -> Schema:
        schema = self.of(hint)
        default = field.default
        if default is NODEFAULT and field.default_factory is not NODEFAULT:
            default = field.default_factory()
        if tell_default and default is not None and not isinstance(default, NOTHING):
            schema = schema | {"default": to_builtins(default)}
        return schema

    def _bounded(self, kind: Any, metas: Sequence[Any]) -> Schema:
        schema = self.of(kind)
        for meta in metas:
            if isinstance(meta, Meta):
                schema = schema | bounds(meta, schema) | (meta.extra_json_schema or {})
        return schema

    def _either(self, kinds: Sequence[Any]) -> Schema:
        if len(kinds) == 1:
            return self.of(kinds[0])
        return {"anyOf": [self.of(kind) for kind in kinds]}

    def _container(self, origin: Any, args: Sequence[Any]) -> Schema:
        if origin is None:
            raise TypeError("a type that JSON Schema cannot be told of")
        if issubclass(origin, Mapping):
            names = self.of(args[0])
            rule = {"propertyNames": names} if names != PLAIN[str] else {}
            return {"type": "object", "additionalProperties": self.of(args[1]), **rule}
        if origin is tuple and args[-1] is not Ellipsis:
            return {"type": "array", "prefixItems": [self.of(arg) for arg in args]}
        return {"type": "array", "items": self.of(args[0])}


def one_of(*names: str) -> Schema:
    """Return the rule that one of these fields must be there, and not two."""
    return {
        "oneOf": [
            {
                "required": [name],
                "properties": {
                    other: {"not": PLAIN[None]} if other == name else PLAIN[None] for other in names
                },
            }
            for name in names
        ]
    }


def name_of(kind: Any) -> str:
    """Return what readers call a struct: Payment for PaymentView, and PaymentPage for a page."""
    if filled_with := get_args(kind):
        return "".join(map(name_of, filled_with)) + LISTS[get_origin(kind)]
    return str(kind.__name__).removesuffix("View")


def filled(hint: Any, fillings: Mapping[Any, Any]) -> Any:
    """Put what a generic struct was filled with in the place of its variables."""
    if isinstance(hint, TypeVar):
        return fillings[hint]
    variables: Sequence[Any] = getattr(hint, "__parameters__", ())
    return hint[tuple(fillings[variable] for variable in variables)] if variables else hint


def accepts(schema: Schema, kind: str) -> bool:
    """Tell whether a value of this kind may satisfy a schema."""
    return kind == schema.get("type") or any(accepts(s, kind) for s in schema.get("anyOf", ()))


def bounds(meta: Meta, schema: Schema) -> Schema:
    """Return what a field's Meta says of it."""
    said: Schema = {word: getattr(meta, ours) for ours, word in BOUNDS.items()}
    for kind in (kind for kind in LENGTHS if accepts(schema, kind)):
        said["min" + LENGTHS[kind]] = meta.min_length
        said["max" + LENGTHS[kind]] = meta.max_length
    said["pattern"] = None if meta.pattern is None else ecma(meta.pattern)
    return {word: value for word, value in said.items() if value is not None}


def without_null(schema: Schema) -> Schema:
    """Return the schema of a parameter, which is left out rather than null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != PLAIN[None]]
    if len(kinds) != 1:
        return schema
    rest: Schema = {word: said for word, said in schema.items() if word != "anyOf"}
    return rest | dict(kinds[0])


def ecma(pattern: str) -> str:
    r"""Return a pattern as JSON Schema spells it: there `$` is the end, and \Z is unknown."""
    return pattern.replace(r"\Z", "$")
