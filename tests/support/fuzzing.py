"""schemathesis against a gateway: what to ask of it, and what came of it.

It makes requests from the OpenAPI document, right ones and wrong ones, follows links, and holds
every answer against the document. A document is of every gateway; which chains this one
serves, which tokens and cursors it knows and which hosts it may call, it cannot say. So it is
narrowed to the gateway first: then a right request must be accepted.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, json, structs

ROOT: Final = Path(__file__).parents[2]
KEY_KEPT: Final = "FUZZ_KEY_KEPT"  # names of variables that tell the hooks what to keep
COUNTS: Final = "FUZZ_COUNTS"
DEADLINE: Final = "FUZZ_DEADLINE"
PROGRAM: Final = Path(sys.executable).parent / "schemathesis"
CIDRS: Final = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")
REFUNDED: Final = ("0x" + "4e" * 20, "0x" + "4E" * 20)
PUBLIC_URLS: Final = ("https://shop.example/hook", "https://shop.example/a/b?order=7")

CONFIG: Final = """
seed = {seed}
continue-on-failure = true
workers = 1
request-timeout = 20.0
max-stream-events = 1
hooks = "tests.support.fuzzing_hooks"

[generation]
mode = "all"
max-examples = {examples}
database = "none"
no-shrink = true

# What is too large is refused before anybody looks what else is wrong with it.
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431]

[phases.stateful]
max-steps = {steps}

[auth.openapi.bearer]
bearer = "{key}"
"""


class Fuzz(Struct, frozen=True, kw_only=True):
    """Whom to ask, and how much."""

    url: str
    key: str  # of an administrator
    key_id: str
    document: Any
    seed: int
    examples: int  # at most, for each operation and phase
    phases: str = "examples,coverage,fuzzing,stateful"
    steps: int = 6  # of one way along links
    seconds_max: int


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a run."""

    said: str
    seed: int
    is_good: bool
    cases: int
    seconds: float
    statuses: dict[int, int]

    def summary(self) -> str:
        """Return the figures."""
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.cases} cases in {self.seconds:.0f} s, seed {self.seed}; answers {counts}\n"
            + ("Nothing was found." if self.is_good else "Faults were found, see above.")
        )


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what came of several runs at a time."""
    statuses: Counter[int] = Counter()
    for outcome in outcomes:
        statuses.update(outcome.statuses)
    return Outcome(
        said="",
        seed=outcomes[0].seed,
        is_good=all(outcome.is_good for outcome in outcomes),
        cases=sum(outcome.cases for outcome in outcomes),
        seconds=max(outcome.seconds for outcome in outcomes),
        statuses=dict(statuses),
    )


def narrowed(document: Any, *, chain: str, token_id: str, now: datetime) -> Any:
    """Return a document as it is of one gateway."""
    known = document["components"]["schemas"]
    create = known["CreatePayment"]["properties"]
    create["chain"] = {"type": "string", "enum": [chain]}
    create["token_id"] = {"enum": [token_id, None]}
    for name in ("redirect_url", "webhook_url"):
        create[name] = {"enum": [*PUBLIC_URLS, None]}
    for name in ("CreateEndpoint", "ChangeEndpoint"):
        known[name]["properties"]["url"] = {"type": "string", "enum": list(PUBLIC_URLS)}
    known["ExtendPayment"]["properties"]["expires_at"] = {"enum": [after(now, hours=1), None]}
    known["RefundPayment"]["properties"]["to"] = {"enum": list(REFUNDED)}
    known["Recover"]["properties"]["since"] = {"enum": [after(now, hours=-1)]}
    known["Recover"]["properties"]["until"] = {"enum": [after(now, hours=0), None]}
    known["CreateKey"]["properties"]["allowed_cidrs"]["items"] = {"enum": list(CIDRS)}
    create.pop("test_case")  # for gateways of `ctrip dev`
    price = known["AskedPrice"]["properties"]
    price["currency"] = {"enum": ["USD"]}
    price["amount"] = {"enum": ["0.01", "19.99", "1000000"]}
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "cursor":
                    parameter["schema"] = {"type": "string", "enum": [""]}
    return document


def deadline_in(document: Any) -> str:
    """Return the one deadline that a narrowed document knows."""
    extend = document["components"]["schemas"]["ExtendPayment"]["properties"]
    return str(extend["expires_at"]["enum"][0])


def after(now: datetime, *, hours: int) -> str:
    """Return a time that far from now."""
    return (now + timedelta(hours=hours)).isoformat()


async def run(fuzz: Fuzz, folder: Path) -> Outcome:
    """Run it in a folder of its own, and return what came of it."""
    await asyncio.to_thread(folder.mkdir)
    config, document = folder / "schemathesis.toml", folder / "openapi.json"
    report, counts = folder / "report.json", folder / "counts.json"
    document.write_bytes(json.encode(fuzz.document))
    config.write_text(CONFIG.format(**structs.asdict(fuzz)))
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *("--config-file", str(config), "run", str(document), "--url", fuzz.url, "--no-color"),
        *("--checks", "all", "--phases", fuzz.phases),
        *("--report", "json", "--report-json-path", str(report)),
        cwd=folder,  # it leaves what it learnt where it runs
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            KEY_KEPT: fuzz.key_id,
            COUNTS: str(counts),
            DEADLINE: deadline_in(fuzz.document),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), fuzz.seconds_max)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert report.exists(), said.decode()
    told = json.decode(report.read_bytes())
    return Outcome(
        said=said.decode(),
        seed=fuzz.seed,
        is_good=process.returncode == 0 and told["complete"],
        cases=told["test_cases"]["generated"],
        seconds=told["running_time"],
        statuses=json.decode(counts.read_bytes(), type=dict[int, int], strict=False),
    )
