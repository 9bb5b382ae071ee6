"""The description of the API is true: of its routes, and of what they answer."""

import re
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, get_args, get_origin
from uuid import UUID

import pytest
from flask import Flask
from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from api_service.openapi import Description, ErrorDocument
from api_service.routes import BLUEPRINTS
from tests import factories

METHODS = {"get", "post", "put", "patch", "delete"}
UNDESCRIBED = {  # not part of the API: they describe it
    "documentation.description",
    "documentation.page",
    "documentation.asset",
}


@pytest.fixture
def document(api):
    reply = api.get("/openapi.json")
    assert reply.status_code == 200
    assert reply.content_type == "application/json"
    return reply.json


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def rules(app):
    """Return path, method and view of every route, in the description's spelling."""
    for rule in app.url_map.iter_rules():
        if rule.websocket:
            continue  # OpenAPI has no words for it
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield path, method.lower(), rule.endpoint


def nodes(value):
    """Return every object inside a JSON document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            yield from nodes(child)


def test_the_document_has_what_openapi_31_demands(document):
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert set(document) <= {
        *("openapi", "info", "servers", "paths", "components", "security", "tags"),
    }
    assert {"title", "version"} <= set(document["info"])
    for path, method, operation in operations(document):
        assert path.startswith("/")
        assert method in METHODS
        assert operation["responses"]
        assert operation["summary"].endswith("."), path
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status)
            assert answer["description"]


def test_every_reference_leads_somewhere(document):
    schemas = document["components"]["schemas"]
    for node in nodes(document):
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/components/schemas/") in schemas


def test_every_schema_is_used(document):
    used = {n["$ref"].rpartition("/")[2] for n in nodes(document) if "$ref" in n}
    inlined = {  # their properties stand in the parameters or the form itself
        model.__name__ for view in ("query", "form") for model in inlined_models(view)
    }
    assert set(document["components"]["schemas"]) - used <= inlined


def inlined_models(part):
    app = Flask(__name__, static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for view in app.view_functions.values():
        description = getattr(view, "openapi", None)
        if description is not None and getattr(description, part) is not None:
            yield getattr(description, part)


def test_schemas_use_only_known_words(document):
    known = {
        *(
            "$ref",
            "additionalProperties",
            "allOf",
            "anyOf",
            "const",
            "contentMediaType",
        ),
        *("default", "description", "discriminator", "enum", "examples", "format"),
        *("exclusiveMaximum", "exclusiveMinimum", "items", "maximum", "maxItems"),
        *("maxLength", "minimum", "minItems", "minLength", "oneOf", "pattern"),
        *("prefixItems", "properties", "required", "title", "type", "uniqueItems"),
    }
    kinds = {"array", "boolean", "integer", "null", "number", "object", "string"}

    for node in subschemas(document["components"]["schemas"].values()):
        assert set(node) <= known, node
        assert node.get("type", "object") in kinds


def subschemas(found):
    """Return these schemas and all inside them."""
    for schema in found:
        yield schema
        lists = (schema.get(name, ()) for name in ("anyOf", "allOf", "oneOf"))
        single = (schema.get(name) for name in ("items", "additionalProperties"))
        yield from subschemas(
            [
                *(one for children in lists for one in children),
                *(one for one in single if isinstance(one, dict)),
                *schema.get("properties", {}).values(),
            ]
        )


def test_operation_ids_are_unique(document):
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_the_document_has_exactly_the_real_routes(api, document):
    described = {(path, method) for path, method, _ in operations(document)}
    real = {
        (path, method)
        for path, method, endpoint in rules(api.application)
        if endpoint not in UNDESCRIBED
    }
    assert described == real


def test_every_route_describes_itself(api):
    views = api.application.view_functions
    rules_ = api.application.url_map.iter_rules()
    sockets = {rule.endpoint for rule in rules_ if rule.websocket}
    silent = {
        endpoint
        for endpoint, view in views.items()
        if endpoint not in sockets
        and not isinstance(getattr(view, "openapi", None), Description)
    }
    assert silent == UNDESCRIBED


def test_every_placeholder_is_a_parameter(document):
    for path, _, operation in operations(document):
        named = re.findall(r"{(\w+)}", path)
        placed = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert placed == named
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")


def test_parameters_are_unique_and_have_schemas(document):
    for _, _, operation in operations(document):
        keys = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(set(keys)) == len(keys)
        assert all("schema" in p for p in operation["parameters"])


def test_every_route_with_parameters_may_refuse_them(document):
    for _, _, operation in operations(document):
        takes = operation.get("requestBody") or [
            p for p in operation["parameters"] if p["in"] == "query"
        ]
        if takes:
            assert "422" in operation["responses"]


def strict(model):
    """Return a copy of a model that allows no key that it does not describe."""
    fields: Any = {
        name: (strict_type(field.annotation), field)
        for name, field in model.model_fields.items()
    }
    forbid = ConfigDict(extra="forbid")
    return create_model(f"Strict{model.__name__}", __config__=forbid, **fields)


def strict_type(annotation):
    parts = tuple(map(strict_type, get_args(annotation)))
    if get_origin(annotation) is UnionType:
        return reduce(or_, parts)
    if get_origin(annotation) is list:
        return list[parts[0]]  # type: ignore[valid-type]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return strict(annotation)
    return annotation


@pytest.fixture
def filled(db, deps):
    """A lecture with everything that there can be."""
    lecture = factories.lecture(db)
    factories.transcript(db, deps.storage, lecture, "One.", "Two.")
    factories.media(deps.storage, lecture)
    factories.artifact(db)
    factories.export(db)
    job = factories.job(db, state="failed", error_detail="No.")
    factories.job(db, kind="generation", state="succeeded", result={"lectureId": "l1"})
    return str(job.id)


ANSWERS = [
    *(("get", "/health"), ("get", "/health/live"), ("get", "/health/ready")),
    *(("get", "/presets"), ("get", "/presets/seminar-mode")),
    *(("get", "/lectures"), ("get", "/lectures/l1"), ("get", "/lectures/l1/summary")),
    *(("get", "/lectures/l1/progress"), ("get", "/lectures/l1/jobs")),
    *(("get", "/lectures/l1/artifacts"), ("get", "/lectures/none/artifacts")),
    *(("get", "/lectures/l1/transcript"), ("get", "/jobs/{job}")),
    *(("post", "/lectures/l1/transcribe"), ("post", "/lectures/l1/generate")),
    *(("post", "/lectures/l1/export"), ("get", "/courses"), ("get", "/courses/c1")),
    *(("get", "/courses/c1/lectures"), ("get", "/courses/c1/progress")),
    *(("get", "/courses/c1/threads"), ("get", "/lectures/l1/integrity")),
    *(("get", "/jobs/dead-letter"), ("get", "/ops/metrics")),
    ("get", "/ops/deletion-audit"),
]


@pytest.mark.parametrize(("method", "path"), ANSWERS)
def test_a_real_answer_is_what_the_document_says(api, filled, method, path):
    path = path.format(job=filled)
    body = method == "post"
    for _ in range(2 if body else 1):  # the second one is a duplicate
        reply = api.open(path, method=method.upper(), json={} if body else None)
        assert reply.status_code == 200
        endpoint = api.application.url_map.bind("x").match(path, method.upper())[0]
        model = api.application.view_functions[endpoint].openapi.gives
        TypeAdapter(strict(model)).validate_python(reply.json)


def test_an_uploads_answer_is_what_the_document_says(api, ingest):
    model = api.application.view_functions["recordings.ingest"].openapi.gives
    TypeAdapter(strict(model)).validate_python(ingest().json)


def test_an_answer_with_another_key_would_be_noticed(api, filled):
    model = api.application.view_functions["lectures.summary"].openapi.gives
    answer = api.get("/lectures/l1/summary").json
    answer["stages"]["export"]["surprise"] = 1
    with pytest.raises(ValueError, match="surprise"):
        TypeAdapter(strict(model)).validate_python(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("get", "/lectures/none"), ("get", "/lectures?limit=x"), ("get", "/nothing")),
        *(
            ("get", f"/jobs/{UUID(int=0)}"),
            ("put", "/lectures"),
            ("post", "/lectures/ingest"),
        ),
        *(("post", "/lectures/l1/generate"), ("get", "/lectures?preset_id=x")),
    ],
)
def test_a_real_failure_is_what_the_document_says(api, document, method, path):
    reply = api.open(path, method=method.upper())
    TypeAdapter(strict(ErrorDocument)).validate_python(reply.json)
    bare = path.partition("?")[0]
    for name, description in document["paths"].get(bare, {}).items():
        if name == method:
            assert str(reply.status_code) in description["responses"]
