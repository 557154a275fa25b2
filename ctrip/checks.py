"""How a value that an operator wrote is checked, and how a fault in it is worded.

A fault is one line: where it stands, which field, what is wrong and what to do. It never
repeats the value: people paste secrets into the wrong field. What a field takes is said
by its type in a struct, so the words are made from the types.
"""

import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct, ValidationError, convert, inspect
from msgspec.structs import fields

from ctrip.core.errors import ConfigError
from ctrip.core.ids import RawAddress
from ctrip.core.signature import secret_fault
from ctrip.settings import Secret
from ctrip.wallet.derive import checksum
from ctrip.webhooks.seal import key_fault

WEB: Final = ("http", "https")
ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
POSTGRES: Final = ("postgres://", "postgresql://")

NAMES: Final = {
    inspect.BoolType: "true or false",
    inspect.DictType: "a mapping of names and values",
    inspect.VarTupleType: "a list",
}

S = TypeVar("S", bound=Struct)
Rule = Callable[[Any], None]  # looks at a value of the right type and raises Unusable


class Unusable(ConfigError):
    """A value does not fit its field. The text goes on from the field's name: "must be …"."""


class Given(NamedTuple):
    """A value as the operator wrote it."""

    value: object
    where: str  # file and line, or the variable's name
    typed: bool = True  # False: it is text from the environment, whatever it means


class Place(NamedTuple):
    """The part of a file that a struct describes."""

    where: str
    label: Callable[[str], str]  # a field's name, as people look for it
    remedy: Callable[[str], str]  # how to supply a missing field
    rules: Mapping[str, Rule]  # what types cannot say, by field


def fill(kind: type[S], given: Mapping[str, Given], place: Place, faults: list[str]) -> S | None:
    """Build a struct field by field, so that every fault is found and not only the first."""
    known = {field.name: field for field in fields(kind)}
    before, values = len(faults), {}
    for name, source in given.items():
        label = f"{source.where}: {place.label(name)}"
        if name not in known:
            faults.append(f"{label}: is no field; {nearest(name, known)}")
            continue
        try:
            values[name] = read(source, known[name].type)
            place.rules.get(name, anything)(values[name])
        except Unusable as fault:
            faults.append(f"{label}: {fault}")
    for name, field in known.items():
        if field.required and name not in given:
            faults.append(f"{place.where}: {place.label(name)}: is missing; {place.remedy(name)}")
    return kind(**values) if len(faults) == before else None


def anything(_: object) -> None:
    """Be the rule of a field whose type says it all."""


def read(given: Given, kind: Any) -> Any:
    """Return a value as the type of its field, or raise Unusable."""
    value = given.value
    if not given.typed and isinstance(inspect.type_info(kind), inspect.VarTupleType):
        value = [part.strip() for part in str(value).split(",") if part.strip()]
    try:
        return convert(value, kind, strict=given.typed, dec_hook=as_secret)
    except ValidationError:
        reason = f"must be {expected(kind)}"
    raise Unusable(reason)


def as_secret(kind: type, value: object) -> object:
    """Turn text into a Secret, the one type of ours that a struct asks for."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError


def expected(kind: Any) -> str:
    """Say in words what a field takes."""
    return described(inspect.type_info(kind))


def described(kind: inspect.Type) -> str:
    """Say in words what a type takes; one with a description says it itself."""
    match kind:
        case inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case inspect.UnionType(types=types):
            return " or ".join(described(one) for one in types if one != inspect.NoneType())
        case inspect.IntType() as number:
            return "a whole number" + limits(number)
        case inspect.FloatType() as number:
            return "a number" + limits(number)
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case inspect.EnumType(cls=names):
            return "one of " + ", ".join(str(name.value) for name in names)
        case inspect.StrType(max_length=int(most)):
            return f"text of 1 to {most} characters, in quotes"
        case other:
            return NAMES.get(type(other), "text, in quotes")


def limits(number: inspect.IntType | inspect.FloatType) -> str:
    """Say which numbers are allowed."""
    words = {" above": number.gt, " from": number.ge, " up to": number.le}
    return "".join(f"{word} {limit}" for word, limit in words.items() if limit is not None)


def nearest(name: str, known: Collection[str]) -> str:
    """Say which of the known names was probably meant."""
    return f"the nearest is {get_close_matches(name, sorted(known), n=1, cutoff=0)[0]}"


def is_url(text: str, schemes: Collection[str]) -> bool:
    """Tell whether text is a URL of one of these schemes, with a host."""
    try:
        url = urlsplit(text)
        port_fits = url.port != 0
    except ValueError:
        return False
    clean = not any(sign.isspace() for sign in text)
    return url.scheme in schemes and bool(url.hostname) and port_fits and clean


def web_url(text: str) -> None:
    """Refuse what is neither empty nor an http(s) URL."""
    if text and not is_url(text, WEB):
        raise Unusable("must be an http:// or https:// URL")


def web_root(text: str) -> None:
    """Refuse a URL that nothing can be appended to."""
    web_url(text)
    if text.endswith("/") or "?" in text or "#" in text:
        raise Unusable("must end without a slash, a query or a fragment, as paths are added to it")


def postgres_url(url: Secret) -> None:
    """Refuse what is no URL of a Postgres; its host may be left out or be several (libpq)."""
    if not url.reveal().startswith(POSTGRES):
        raise Unusable("must be a URL like postgresql://user:password@host:5432/database")


def signing_secret(secret: Secret) -> None:
    """Refuse a secret that is too short to sign with."""
    if secret and (fault := secret_fault(secret.reveal())):
        raise Unusable(f"{fault}; make one with: openssl rand -hex 32")


def sealing_key(key: Secret) -> None:
    """Refuse a key that could be searched for."""
    if key and (fault := key_fault(key.reveal())):
        raise Unusable(fault)


def cidrs(networks: Collection[str]) -> None:
    """Refuse what is no IP network, or one with a host's bits set."""
    for position, network in enumerate(networks, start=1):
        try:
            ip_network(network)
        except ValueError:
            reason = f"must hold networks such as 10.0.0.0/8; number {position} is none"
        else:
            continue
        raise Unusable(reason)


def address(text: str) -> None:
    """Accept an address in one case, or in the mixed case of EIP-55, which proves its spelling."""
    if not ADDRESS.fullmatch(text):
        raise Unusable("must be 0x and 40 hexadecimal digits, in quotes")
    digits = text[2:]
    mixed = digits not in {digits.lower(), digits.upper()}
    if mixed and text != checksum(RawAddress(text.lower())):
        raise Unusable("has a wrong checksum (EIP-55), so it may be mistyped; copy it again")


def treasury(text: str) -> None:
    """Refuse what is neither nothing nor an address that somebody may have."""
    if text:
        address(text)
    if text and not int(text, 16):
        raise Unusable("is the zero address, from which nothing comes back; write your own")


def origins(sites: Collection[str]) -> None:
    """Refuse what no browser calls an origin (RFC 6454, section 6.1)."""
    for position, site in enumerate(sites, start=1):
        if not is_url(site, WEB) or site != site.lower() or site.count("/") > len("//"):
            reason = f"must hold origins such as https://shop.example; number {position} is none"
            raise Unusable(reason)


# What types cannot say, by table and field of config.toml.
RULES: Final[Mapping[str, Mapping[str, Rule]]] = {
    "server": {"public_url": web_root, "trusted_proxies": cidrs, "cors_origins": origins},
    "database": {"url": postgres_url},
    "settlement": {"treasury": treasury, "gas_wallet": treasury, "payout_wallet": treasury},
    "webhooks": {
        "url": web_url,
        "secret": signing_secret,
        "secrets_key": sealing_key,
        "secrets_key_before": sealing_key,
        "allow_cidrs": cidrs,
    },
}
