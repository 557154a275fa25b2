"""config.toml, the environment and chains.yaml, read into Settings, or all that is wrong.

This is the only reader of files and variables. The variable of a field is named for its
place: [webhooks] timeout_seconds is CTRIP_WEBHOOKS_TIMEOUT_SECONDS. The names are made
from Settings, so a misspelt one is a fault and not silence. What counts, first to last:

    1. CTRIP_<TABLE>_<FIELD>, or CTRIP_<TABLE>_<FIELD>_FILE, a file that holds the value
    2. <field> in config.toml; for a secret also <field>_file
    3. DATABASE_URL or DATABASE_URL_FILE, for the database's url
    4. the default in settings.py

A variable that is empty is not set, because that is how compose files pass nothing on.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import fields

from ctrip.checks import RULES, Given, Place, Unusable, fill, nearest
from ctrip.core.chains import Settlement as Common
from ctrip.core.errors import ConfigError
from ctrip.networks import networks, read_chains
from ctrip.rpc_urls import variables
from ctrip.settings import Chains, Network, Secret, Settings, Wallet
from ctrip.treasury import common, faults_of, located
from ctrip.wallet.derive import open_wallet

PREFIX: Final = "CTRIP_"
CONFIG_VARIABLE: Final = "CTRIP_CONFIG"  # the path of config.toml
DATABASE_VARIABLE: Final = "DATABASE_URL"  # what platforms set for a database that they provide
CONFIG_FILE: Final = Path("config.toml")  # taken where no other is named and this one exists
FILE_BYTES_MAX: Final = 1_048_576  # far above any real file; a device given by mistake has no end

TABLES: Final[dict[str, type[Struct]]] = {
    table.name: table.type
    for table in fields(Settings)
    if isinstance(table.type, type) and issubclass(table.type, Struct)
}
HEADER: Final = re.compile(r"\s*\[\s*[\"']?([\w-]+)[\"']?\s*\]")
KEY: Final = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]")
TOML_LINE: Final = re.compile(r"at line (\d+)")


class Document(NamedTuple):
    """config.toml, and on which line everything stands."""

    name: str
    folder: Path
    tables: dict[str, Any]
    lines: dict[tuple[str, str], int]  # ("webhooks", "url"); a table's own line has the key ""

    def where(self, table: str, field: str = "") -> str:
        line = self.lines.get((table, field)) or self.lines.get((table, ""))
        return f"{self.name}:{line}" if line else self.name


class Sources(NamedTuple):
    """All that the operator wrote, before it is believed."""

    document: Document
    environ: Mapping[str, str]
    given: dict[str, dict[str, Given]]  # by table and field

    def where(self, table: str, field: str) -> str:
        found = self.given[table].get(field)
        return found.where if found else self.document.where(table)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Build Settings; raise a ConfigError with every fault, one a line, if there is any.

    `path` wins over CTRIP_CONFIG, and that over a config.toml in the working directory.
    """
    faults: list[str] = []
    settings = read_settings(path, environ, faults)
    del environ  # or a crash report with local variables would show it
    if settings is None or faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))
    return settings


def variable_of(table: str, field: str) -> str:
    """Return the variable that overrides a field."""
    return f"{PREFIX}{table}_{field}".upper()


def read_settings(
    path: Path | None, environ: Mapping[str, str], faults: list[str]
) -> Settings | None:
    """Read everything there is. `faults` tells what is wrong with it."""
    document = read_document(path, environ, faults)
    if document is None:
        return None
    sources = gather(document, environ, faults)
    built: dict[str, Any] = {
        table: fill(kind, sources.given[table], place(document, table), faults)
        for table, kind in TABLES.items()
    }
    settlement = built["settlement"] = located(built["settlement"], document.folder)
    chosen, mentioned = read_networks(sources, built["chains"], common(settlement), faults)
    for field, fault in faults_of(settlement, chosen):
        faults.append(f"{sources.where('settlement', field)}: [settlement] {field}: {fault}")
    check_webhooks(sources, faults)
    check_wallet(sources, built["wallet"], chosen, faults)
    check_names(environ, mentioned, faults)
    return Settings(**built, networks=chosen) if None not in built.values() else None


def read_document(
    path: Path | None, environ: Mapping[str, str], faults: list[str]
) -> Document | None:
    """Parse config.toml. None means that it cannot be read, so that nothing else can be said."""
    named = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    file = named or CONFIG_FILE
    if named is None and not file.exists():
        return Document("configuration", Path(), {}, {})
    try:
        text = read_text(file)
    except Unusable as fault:
        faults.append(f"{file}: {fault}; config.example.toml shows what belongs in it")
        return None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = TOML_LINE.search(str(error))
        where = f"{file}:{line[1]}" if line else f"{file}"
        faults.append(f"{where}: is not TOML; look at brackets and quotes, all text needs quotes")
        return None
    return Document(str(file), file.parent, tables, lines_of(text))


def lines_of(text: str) -> dict[tuple[str, str], int]:
    """Find the line of every [table] and every key."""
    lines: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if header := HEADER.match(line):
            table = header[1]
            lines.setdefault((table, ""), number)
        elif key := KEY.match(line):
            lines.setdefault((table, key[1]) if table else (key[1], ""), number)
    return lines


def read_text(file: Path) -> str:
    """Return a file's text, or raise Unusable with the reason."""
    try:
        with file.open("rb") as stream:
            text = stream.read(FILE_BYTES_MAX + 1).decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or "for an unknown reason"
    except ValueError:
        reason = "not UTF-8"
    else:
        if len(text) <= FILE_BYTES_MAX:
            return text
        reason = "larger than 1 MiB"
    raise Unusable(f"the file cannot be read ({reason}); correct the path or the file")


def read_value(file: Path) -> str:
    """Return what a file holds that exists for one value, without the line's end."""
    if text := read_text(file).strip():
        return text
    raise Unusable("the file is empty; correct the path or the file")


def gather(document: Document, environ: Mapping[str, str], faults: list[str]) -> Sources:
    """Collect what is given for every field of every table."""
    faults += [
        f"{document.where(name)}: [{name}]: is no table; {nearest(name, TABLES)}"
        for name in document.tables
        if name not in TABLES
    ]
    sources = Sources(document, environ, {t: from_document(document, t, faults) for t in TABLES})
    variables_of = [(t, f.name, variable_of(t, f.name)) for t in TABLES for f in fields(TABLES[t])]
    if "url" not in sources.given["database"]:
        variables_of.insert(0, ("database", "url", DATABASE_VARIABLE))
    for table, field, variable in variables_of:
        try:
            if found := look_up(variable, environ):
                sources.given[table][field] = found
        except Unusable as fault:
            faults.append(f"{variable}: {fault}")
    return sources


def from_document(document: Document, table: str, faults: list[str]) -> dict[str, Given]:
    """Collect one table of config.toml, with the files that its secrets lie in."""
    content = document.tables.get(table, {})
    if not isinstance(content, dict):
        faults.append(f"{document.where(table)}: [{table}]: must be a table, not a single value")
        return {}
    files = {f"{f.name}_file": f.name for f in fields(TABLES[table]) if f.type is Secret}
    given: dict[str, Given] = {}
    for key, value in content.items():
        field, where = str(files.get(key, key)), document.where(table, key)
        if field != key and field in content:
            faults.append(f"{where}: [{table}] {key}: is given beside {field}; keep one of the two")
            continue
        try:
            text = read_value(document.folder / str(value)) if field != key else value
            given[field] = Given(text, where)
        except Unusable as fault:
            faults.append(f"{where}: [{table}] {key}: {fault}")
    return given


def look_up(variable: str, environ: Mapping[str, str]) -> Given | None:
    """Return what NAME holds, or the file that NAME_FILE names; raise Unusable for both."""
    text, file = environ.get(variable), environ.get(f"{variable}_FILE")
    if text and file:
        raise Unusable(f"is set beside {variable}_FILE; keep one of the two")
    if text:
        return Given(text, variable, typed=False)
    return Given(read_value(Path(file)), f"{variable}_FILE", typed=False) if file else None


def place(document: Document, table: str) -> Place:
    """Tell how a table's fields are called, supplied and checked."""
    extra = f" or {DATABASE_VARIABLE}" if table == "database" else ""
    return Place(
        where=document.where(table),
        label=lambda field: f"[{table}] {field}",
        remedy=lambda field: f"write it in config.toml, or set {variable_of(table, field)}{extra}",
        rules=RULES.get(table, {}),
    )


def read_networks(
    sources: Sources, chains: Chains | None, common: Common, faults: list[str]
) -> tuple[tuple[Network, ...], set[str]]:
    """Return the networks in use, and the variables that chains.yaml mentions."""
    if chains is None:
        return (), set()
    file = sources.document.folder / chains.file
    try:
        text = read_text(file)
    except Unusable as fault:
        where = sources.where("chains", "file")
        faults.append(f"{where}: [chains] file: {file}: {fault}")
        return (), set()
    listed = read_chains(text, str(file), faults, common)
    label = f"{sources.where('chains', 'use')}: [chains] use"

    def lookup(variable: str) -> str:
        found = look_up(variable, sources.environ)
        if found is None:
            raise Unusable(f"is not set; set {variable}, or {variable}_FILE to a file with it")
        return str(found.value)

    return networks(listed, chains.use, label, lookup, faults), variables(text)


def check_webhooks(sources: Sources, faults: list[str]) -> None:
    """Refuse a receiver that could not tell our calls from anyone else's."""
    url, secret = (sources.given["webhooks"].get(field) for field in ("url", "secret"))
    if url and url.value and not (secret and secret.value):
        faults.append(
            f"{url.where}: [webhooks] secret: is missing, and url is given; write one of 16 bytes"
            " and more beside it, for example from: openssl rand -hex 32"
        )


def check_wallet(
    sources: Sources, wallet: Wallet | None, chosen: Sequence[Network], faults: list[str]
) -> None:
    """Try the account here, so that a fault in it is told with the others."""
    if wallet is None:
        return
    given = sources.given["wallet"].values()
    where = " and ".join(source.where for source in given) or sources.document.where("wallet")
    try:
        open_wallet(wallet, chain_ids=[network.chain.chain_id for network in chosen])
    except ConfigError as fault:
        faults.append(f"{where}: {fault}")


def check_names(environ: Mapping[str, str], mentioned: AbstractSet[str], faults: list[str]) -> None:
    """Refuse a variable that begins like ours and is none of ours."""
    names = {variable_of(table, field.name) for table in TABLES for field in fields(TABLES[table])}
    names.update(mentioned)
    known = {CONFIG_VARIABLE} | names | {f"{name}_FILE" for name in names}
    faults += [
        f"{name}: is no variable of ctrip; {nearest(name, known)}"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]
