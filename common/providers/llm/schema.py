"""JSON Schema for models: the part of it that every provider enforces.

Every object is closed and names all its keys as required, what may be absent is
nullable instead, and there are no limits of length, number or pattern: those are
checked when the answer comes. Source: what the strict mode of openai 3.52.0 makes of
a schema (``openai.lib``), less the keywords that some models refuse, read 2026-11-20.
"""

from functools import cache
from typing import Any

from pydantic import BaseModel

_KEPT = ("type", "enum", "const", "$ref")

# Only the server says when something was said; a model is not even asked.
_SERVERS = frozenset({"start_ms", "end_ms", "page"})


@cache
def strict_schema(shape: type[BaseModel]) -> dict[str, Any]:
    """Return the schema that a model's answer is held to; it is shared, not a copy."""
    return _strict(shape.model_json_schema())


def without_required_cycles(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a strict schema in which no key that leads back to itself is required.

    Gemini unrolls such references some steps deep; it must be allowed to stop. Source:
    ``response_json_schema`` of google-genai 3.4.0, read 2026-11-21.
    """
    defs = schema.get("$defs", {})
    return {
        **schema,
        "$defs": {
            name: node
            | {
                "required": [
                    key
                    for key in node.get("required", ())
                    if name not in _reached(node["properties"][key], defs)
                ]
            }
            if "properties" in node
            else node
            for name, node in defs.items()
        },
    }


def stripped(document: Any, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return the answer without nulls, blank texts and keys that nobody asked for."""
    return _stripped(document, schema, schema.get("$defs", {}))


def _strict(node: dict[str, Any]) -> dict[str, Any]:
    strict = {key: node[key] for key in _KEPT if key in node}
    if "properties" in node:
        wanted = {k: v for k, v in node["properties"].items() if k not in _SERVERS}
        strict["properties"] = {k: _strict(v) for k, v in wanted.items()}
        strict["required"] = list(wanted)
        strict["additionalProperties"] = False
    if "items" in node:
        strict["items"] = _strict(node["items"])
    if "anyOf" in node:
        strict["anyOf"] = [_strict(branch) for branch in node["anyOf"]]
    if "$defs" in node:
        strict["$defs"] = {k: _strict(v) for k, v in node["$defs"].items()}
    return strict


def _reached(node: dict[str, Any], defs: dict[str, Any]) -> set[str]:
    """Return the names of all definitions that a node leads to."""
    found: set[str] = set()
    left = [node]
    while left:
        part = left.pop()
        left += [*part.get("properties", {}).values(), *part.get("anyOf", ())]
        left += [part["items"]] if "items" in part else []
        name = part.get("$ref", "").rpartition("/")[2]
        if name and name not in found:
            found.add(name)
            left.append(defs[name])
    return found


def _stripped(value: Any, node: dict[str, Any], defs: dict[str, Any]) -> Any:  # noqa: ANN401
    node = _resolved(node, defs)
    if isinstance(value, dict) and "properties" in node:
        wanted = node["properties"]
        return {
            key: _stripped(part, wanted[key], defs)
            for key, part in value.items()
            if key in wanted and not _is_absent(part)
        }
    if isinstance(value, list) and "items" in node:
        kept = [part for part in value if not _is_absent(part)]
        return [_stripped(part, node["items"], defs) for part in kept]
    return value


def _resolved(node: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and take of ``x or null`` the x."""
    for branch in node.get("anyOf", ()):
        if branch.get("type") != "null":
            return _resolved(branch, defs)
    if "$ref" in node:
        return _resolved(defs[node["$ref"].rpartition("/")[2]], defs)
    return node


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
