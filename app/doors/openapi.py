"""The OpenAPI document: FastAPI's, completed by what the doors and the actions declare."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.constants import REF_TEMPLATE

from app.commands.openapi import CREATED, response_schemas
from app.config import Settings
from app.doors.door import Door
from app.http.examples import refusal
from app.http.guard import Route

Document = dict[str, Any]
Opened = Sequence[tuple[Door, Sequence[APIRouter]]]
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")


def routes_of(routers: Sequence[APIRouter]) -> list[Route]:
    """The routes that a door answers."""
    return [route for router in routers for route in router.routes if isinstance(route, Route)]


def operation_ids(door: Door) -> Callable[[Any], str]:
    """What makes a route's id: the endpoint's name and, at a client dialect's door, which it is.

    Dialects have the same words for the same tasks; each words its errors in a shape of its own.
    """
    suffix = "" if door.shape is None else f"_{door.name.replace('-', '_')}"
    return lambda route: f"{route.name}{suffix}"


def completed(app: FastAPI, opened: Opened, settings: Settings) -> Callable[[], Document]:
    """What makes the document, once."""
    generate = app.openapi

    def openapi() -> Document:
        if app.openapi_schema is None:
            document = generate()
            doors = [door for door, _ in opened]
            document |= {"tags": list(_tags(doors)), "x-tagGroups": list(_tag_groups(doors))}
            document["components"]["schemas"] |= response_schemas(REF_TEMPLATE)
            _describe_schemes(document, doors, settings)
            _show_refusals(document, opened)
            _show_success(document)
            _order_parameters(document)
            _tidy(document)
        return app.openapi_schema or {}

    return openapi


def _tags(doors: Sequence[Door]) -> Iterator[Document]:
    for name, description in chain.from_iterable(door.tags.items() for door in doors):
        yield {"name": name, "description": description}


def _tag_groups(doors: Sequence[Door]) -> Iterator[Document]:
    """As ReDoc groups its menu."""
    for door in doors:
        if door.tags:
            yield {"name": door.name, "tags": list(door.tags)}


def _describe_schemes(document: Document, doors: Sequence[Door], settings: Settings) -> None:
    """Tells what to paste, in development, where the whole world knows the values."""
    if settings.environment != "development":
        return
    schemes = document["components"]["securitySchemes"]
    for scheme, value in chain.from_iterable(door.pasted(settings).items() for door in doors):
        schemes[scheme]["description"] += f"\n\nIn development: `{value}`"


def _show_refusals(document: Document, opened: Opened) -> None:
    """Puts the body that is sent beside each error's schema; what cannot happen is taken out."""
    for door, operation, route in _operations(document, opened):
        responses: dict[str, Document] = operation["responses"]
        for status in [status for status in responses if status >= "400"]:
            content = responses[status].get("content", {}).get("application/json")
            body = refusal(route, int(status), door.shape, door.refusals)
            if body is None:
                del responses[status]
            elif content is not None:
                content.setdefault("example", body)


def _show_success(document: Document) -> None:
    # Not by the route's declaration: FastAPI leaves members out that are null.
    answer = document["paths"]["/execute"]["post"]["responses"]["200"]
    answer["content"]["application/json"]["example"] = CREATED


def _operations(document: Document, opened: Opened) -> Iterator[tuple[Door, Document, Route]]:
    for door, routers in opened:
        for route in routes_of(routers):
            for method in (route.methods or ()) if route.include_in_schema else ():
                yield door, document["paths"][route.path_format][method.lower()], route


def _order_parameters(document: Document) -> None:
    """First those of the path, as it has them: generated methods take them in this order."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation.get("parameters", []).sort(
                key=lambda one, path=path: (one["in"] != "path", path.find(f"{{{one['name']}}}"))
            )


def _tidy(document: Document) -> None:
    """Takes out FastAPI's schemas of errors where no door answers as they say."""
    text = str(document["paths"])
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    document["components"]["schemas"] = {
        name: schema
        for name, schema in schemas.items()
        if name not in _FASTAPIS_OWN or f"/{_FASTAPIS_OWN[0]}'" in text
    }
