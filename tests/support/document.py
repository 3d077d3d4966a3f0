"""The served OpenAPI document, taken apart."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.config import Settings
from app.main import create_app
from tests.conftest import OPEN_DOORS
from tests.support.application import released

Document = dict[str, Any]
_PASTED = re.compile("In development: `(.+)`")


def served(**settings: Any) -> Document:
    """The document of a service with these settings; in development with every door open."""
    wanted = {"database_url": "postgresql://127.0.0.1:1/none", "log_level": "ERROR", **settings}
    with released(create_app(Settings(_env_file=None, **{**OPEN_DOORS, **wanted}))) as app:
        document: Document = app.openapi()
        return document


class Operation(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    content: Document

    @property
    def label(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def body(self) -> Document | None:
        """The schema of what it is sent."""
        body: Document | None = self.content.get("requestBody")
        schema: Document | None = body and body["content"]["application/json"]["schema"]
        return schema

    @property
    def refusals(self) -> Iterator[tuple[int, Document]]:
        """The JSON of each of its error statuses: schema and example."""
        for status, response in self.content["responses"].items():
            if status >= "400":
                yield int(status), response["content"]["application/json"]

    def url(self, parameter: str) -> str:
        """Its path, with this in place of the parameters; the user is user_123."""
        path = self.path.replace("{user_id}", "user_123") if "/api/" in self.path else self.path
        return re.sub(r"\{\w+\}", parameter, path)


def operations(document: Document) -> list[Operation]:
    """All of them, in the document's order."""
    return [
        Operation(method, path, content)
        for path, methods in document["paths"].items()
        for method, content in methods.items()
    ]


def resolve(document: Document, schema: Document) -> Document:
    """The schema, or the component that it refers to."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def pasted_headers(document: Document) -> dict[str, dict[str, str]]:
    """By security scheme, the headers with the value that its description tells to paste."""
    headers = {}
    for name, scheme in document["components"]["securitySchemes"].items():
        if pasted := _PASTED.search(scheme["description"]):
            header = scheme.get("name", "Authorization")
            value = pasted[1] if scheme["type"] == "apiKey" else f"Bearer {pasted[1]}"
            headers[name] = {header: value}
    return headers
