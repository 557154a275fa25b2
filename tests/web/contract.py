"""The OpenAPI document as a judge: what it says of an answer that a site gave."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple

import jsonschema_rs

from tests.web.shop import Answer

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Told(NamedTuple):
    """An operation, as the document tells it."""

    method: str
    path: str
    says: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.says["operationId"])

    @property
    def success(self) -> tuple[int, Mapping[str, Any]]:
        return next((int(s), a) for s, a in self.says["responses"].items() if int(s) < 300)

    @property
    def is_endless(self) -> bool:
        return "text/event-stream" in self.success[1].get("content", {})

    @property
    def example(self) -> Any:
        """The example of its body, None if it has none."""
        body = self.says.get("requestBody")
        return body and deepcopy(body["content"]["application/json"]["example"])


class Contract:
    """A document. Its structs are closed, so that a field that it does not tell of is a fault."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._components = deepcopy(document["components"])
        for struct in self._components["schemas"].values():
            struct.setdefault("additionalProperties", False)

    def operations(self) -> Iterator[Told]:
        """Yield every operation."""
        for path, item in self.document["paths"].items():
            for method, says in item.items():
                yield Told(method.upper(), path, says)

    def examples(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield every example: where it stands, its schema and itself."""
        told = [*self.operations()]
        told += [
            Told("POST", name, item["post"]) for name, item in self.document["webhooks"].items()
        ]
        for operation in told:
            if body := operation.says.get("requestBody"):
                yield from examples_in(f"{operation.name}, body", body["content"])
            for status, answer in operation.says["responses"].items():
                content = self.resolve(answer).get("content", {})
                yield from examples_in(f"{operation.name}, {status}", content)

    def resolve(self, thing: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is referred to."""
        while "$ref" in thing:
            found: Any = self.document
            for word in thing["$ref"].removeprefix("#/").split("/"):
                found = found[word]
            thing = found
        return thing

    def faults(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """Return all that is wrong with a value."""
        whole = {"$schema": DIALECT, "components": self._components, **schema}
        validator = jsonschema_rs.validator_for(whole, validate_formats=True)
        return [
            f"{'/'.join(map(str, fault.instance_path))}: {fault.message}"
            for fault in validator.iter_errors(value)
        ]

    def faults_of(self, operation: Told, answer: Answer) -> list[str]:
        """Return how an answer breaks what is told of the operation."""
        told = operation.says["responses"].get(str(answer.status))
        if told is None:
            return [f"{answer.status} is not told: {answer.body[:200]!r}"]
        content = self.resolve(told).get("content")
        if content is None:
            return ["there is a body"] if answer.body else []
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if media_type not in content:
            return [f"{media_type} is not told"]
        if media_type != "application/json":
            return []
        return self.faults(content[media_type]["schema"], answer.json)


def examples_in(where: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the examples of a body in each of its media types."""
    for media_type, body in content.items():
        if media_type == "application/json" and "example" in body:
            yield where, body["schema"], body["example"]
