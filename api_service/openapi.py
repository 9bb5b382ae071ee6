"""The OpenAPI 3.1 document, made from the routes themselves and their models.

A route says with ``describes`` what it takes and gives; its docstring is the text.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from api_service.auth import Access, access_of
from common import __version__

F = TypeVar("F", bound=Callable[..., Any])
Model = type[BaseModel]

_REF = "#/components/schemas/{model}"
_SCHEME = "bearer"
_GUEST = "guest"
_SCHEMES = {
    _SCHEME: {"type": "http", "scheme": "bearer"},
    _GUEST: {"type": "apiKey", "in": "header", "name": "X-Guest-Session-ID"},
}
# What lets in, one of several; nothing, where the deployment has set no token.
_LETS_IN: Mapping[Access, list[dict[str, list[str]]]] = {
    Access.READ: [{}, {_SCHEME: []}],
    Access.WRITE: [{}, {_SCHEME: []}],
    Access.VIEWER: [{_SCHEME: []}, {_GUEST: []}],
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_NO_NUL = r"^[^\u0000]*$"
_PLACEHOLDER = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")
_PATH_TYPES: Mapping[str, dict[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "int": {"type": "integer"},
}


class ErrorBody(BaseModel):
    """What is wrong, for machines."""

    code: str
    message: str
    details: list[dict[str, Any]] | dict[str, Any] | None


class ErrorDocument(BaseModel):
    """Every failure looks like this; ``errors`` is there on the paths of projects."""

    detail: str | list[dict[str, Any]]
    message: str
    error: ErrorBody
    errors: dict[str, list[str]] | None = None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Description:
    """What a route takes and gives."""

    gives: Model | str
    query: Model | None = None
    body: Model | None = None
    form: Model | None = None
    files: tuple[str, ...] = ()
    raw: bool = False
    body_optional: bool = False
    errors: tuple[int, ...] = ()
    status: int = 200
    also: dict[int, Model | None] = field(default_factory=dict)  # None: no body

    @property
    def models(self) -> Iterable[Model]:
        """All models that the document must define."""
        return [m for m in (self.gives, *self.also.values()) if isinstance(m, type)] + [
            *self.taken
        ]

    @property
    def taken(self) -> Sequence[Model]:
        """The models of what is sent to the route."""
        return [m for m in (self.query, self.body, self.form) if m is not None]


def describes(**parts: Any) -> Callable[[F], F]:  # noqa: ANN401 - those of Description
    """Attach a ``Description`` to a route; see its fields."""
    description = Description(**parts)

    def attach(view: F) -> F:
        view.openapi = description  # type: ignore[attr-defined]
        return view

    return attach


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of all routes that describe themselves."""
    routes = list(_described(app))
    models = {m for _, _, d in routes for m in d.models} | {ErrorDocument}
    ordered = sorted(models, key=lambda m: m.__name__)
    _, schemas = models_json_schema(
        [(m, "validation") for m in ordered], ref_template=_REF
    )
    for model in {m for _, _, d in routes for m in d.taken}:
        _refuse_nul(schemas["$defs"][model.__name__])
    paths: dict[str, dict[str, Any]] = {}
    for rule, view, description in routes:
        path = _PLACEHOLDER.sub(r"{\g<name>}", rule.rule)
        for method in sorted((rule.methods or set()) & set(_METHODS)):
            operation = _operation(rule, view, description, schemas["$defs"])
            _guard(operation, access_of(rule.endpoint, method))
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pegasus",
            "version": __version__,
            "description": "Lectures and videos in, study material out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": _SCHEMES,
        },
    }


def _refuse_nul(schema: dict[str, Any]) -> None:
    """Say of all texts that are sent what ``context`` demands of them."""
    for field_ in schema.get("properties", {}).values():
        for branch in field_.get("anyOf", [field_]):
            if branch.get("type") == "string" and not {"enum", "pattern"} & set(branch):
                branch["pattern"] = _NO_NUL


def _described(
    app: Flask,
) -> Iterable[tuple[Rule, Callable[..., Any], Description]]:
    for rule in app.url_map.iter_rules():
        if rule.websocket:  # OpenAPI has no words for it; the text of its twin has
            continue
        view = app.view_functions[rule.endpoint]
        if isinstance(found := getattr(view, "openapi", None), Description):
            yield rule, view, found


def _operation(
    rule: Rule,
    view: Callable[..., Any],
    description: Description,
    schemas: Mapping[str, Any],
) -> dict[str, Any]:
    text = inspect.getdoc(view) or ""
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": text.partition("\n")[0],
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": [*_path_parameters(rule), *_query(description, schemas)],
        "responses": _responses(description),
    }
    if "<project_id>" in rule.rule:  # checked for all of them before any route runs
        operation["responses"].setdefault("400", _answer(ErrorDocument))
    if rest := text.partition("\n\n")[2]:
        operation["description"] = rest
    if request_body := _request_body(description, schemas):
        operation["requestBody"] = request_body
    return operation


def _guard(operation: dict[str, Any], access: Access) -> None:
    """Say what the route asks of its caller."""
    if access is Access.OPEN:
        return
    refusals = {401, 403} if access is Access.READ else {401, 403, 429}
    operation["security"] = _LETS_IN.get(access, [{_SCHEME: []}])
    for status in sorted(refusals):
        operation["responses"].setdefault(str(status), _answer(ErrorDocument))


def _path_parameters(rule: Rule) -> Iterable[dict[str, Any]]:
    for found in _PLACEHOLDER.finditer(rule.rule):
        schema = _PATH_TYPES.get(found["converter"] or "", {"type": "string"})
        yield {"name": found["name"], "in": "path", "required": True, "schema": schema}


def _query(
    description: Description, schemas: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    if description.query is None:
        return
    schema = schemas[description.query.__name__]
    required = schema.get("required", ())
    for name, prop in schema.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "schema": prop}
        yield parameter | {"required": name in required}


def _request_body(
    description: Description, schemas: Mapping[str, Any]
) -> dict[str, Any] | None:
    if description.form is not None:
        schema = dict(schemas[description.form.__name__])
        files = {
            name: {"type": "string", "contentMediaType": "application/octet-stream"}
            for name in description.files
        }
        schema["properties"] = {**schema["properties"], **files}
        return {
            "required": True,
            "content": {"multipart/form-data": {"schema": schema}},
        }
    if description.raw:
        return {"content": {"application/octet-stream": {"schema": {}}}}
    if description.body is not None:
        content = {"application/json": {"schema": _ref(description.body)}}
        return {"required": not description.body_optional, "content": content}
    return None


def _responses(description: Description) -> dict[str, Any]:
    answers = {str(description.status): _answer(description.gives)}
    if description.status == HTTPStatus.NO_CONTENT:
        answers = {"204": {"description": "Nothing."}}
    for status, model in description.also.items():
        answers[str(status)] = _answer(model) if model else {"description": "Nothing."}
    takes = (description.query, description.body, description.form)
    invalid = {422} if any(takes) else set()
    for status in sorted({*description.errors, *invalid, 500, 503}):
        answers.setdefault(str(status), _answer(ErrorDocument))
    return answers


def _answer(gives: Model | str) -> dict[str, Any]:
    if gives == "text/event-stream":  # what its events hold, the route's text tells
        return {"description": "Events.", "content": {gives: {"schema": {}}}}
    if isinstance(gives, str):
        return {
            "description": "The file.",
            "content": {gives: {"schema": {"type": "string"}}},
        }
    text = (inspect.getdoc(gives) or "").partition("\n")[0]
    return {
        "description": text or gives.__name__,
        "content": {"application/json": {"schema": _ref(gives)}},
    }


def _ref(model: Model) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
