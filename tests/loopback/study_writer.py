"""What a language model on loopback answers: our extractive engine reads its prompt."""

import re
from collections.abc import Mapping
from typing import Any

from common.briefs import BriefMaterial
from common.presets import presets
from common.providers.llm.extractive import ExtractiveModel
from common.study import StudyMaterial
from common.transcript import Segment

_BLOCK = re.compile(r"^BEGIN (\w{32})$\n(.*?)^END \1$", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^\[(?:(\d+):)?(\d+):(\d\d)\] (.+)$", re.MULTILINE)
_PAGE = re.compile(r"^\[p\. (\d+)\] (.+)$", re.MULTILINE)
_SECOND_MS = 1000
_QUOTE_WORDS = 12


def written(prompt: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    """Return study material, or notes if the schema wants notes, with real quotes."""
    block = _BLOCK.search(prompt)
    text = block[2] if block else ""
    segments = _segments(text)
    if schema is not None and "notes" in schema.get("properties", {}):
        return {"notes": [_note(one.text) for one in segments[:10]]}
    if schema is not None and {"text", "questions"} & set(schema.get("properties", {})):
        return _short_text(segments, schema["properties"])
    material = StudyMaterial(
        title=_field(text, "Lecture"),
        language=_field(text, "Language") or "en",
        segments=segments,
        preset=presets()[_preset(prompt)],
    )
    draft = ExtractiveModel().study(material, _never)
    found: dict[str, Any] = _without_places(draft.model_dump(mode="json"))
    return found


def _short_text(segments: list[Segment], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a note, or a summary with questions, as the schema wants it."""
    material = BriefMaterial("A video", "en", segments, 0 if "text" in wanted else None)
    found = ExtractiveModel().brief(material, _never)
    if "text" in wanted:
        return {"text": found.text.ljust(40, ".")}
    return {"summary": found.text, "questions": list(found.questions)}


def _segments(text: str) -> list[Segment]:
    timed = [
        Segment(start, start + _SECOND_MS, said)
        for hours, minutes, seconds, said in _LINE.findall(text)
        for start in [_ms(hours, minutes, seconds)]
    ]
    pages = [Segment(0, 0, said, page=int(page)) for page, said in _PAGE.findall(text)]
    return timed or pages


def _ms(hours: str, minutes: str, seconds: str) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * _SECOND_MS


def _note(text: str) -> dict[str, str]:
    quote = " ".join(text.split()[:_QUOTE_WORDS])
    return {"statement": f"It says: {quote}.", "quote": quote}


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}: (.+)$", text, re.MULTILINE)
    return found[1] if found else ""


def _preset(prompt: str) -> str:
    """Return the id of the preset that is told of before the lecture."""
    told = prompt.partition("BEGIN ")[0]
    return next((id_ for id_ in presets() if id_ in told), "exam-mode")


def _never(step: str, call: object, most: object) -> dict[str, Any]:
    raise AssertionError("the extractive engine asks nobody")


def _without_places(value: Any) -> Any:
    """Drop what only the server may say, as no schema asks for it."""
    if isinstance(value, dict):
        servers = {"start_ms", "end_ms", "page"}
        return {k: _without_places(v) for k, v in value.items() if k not in servers}
    if isinstance(value, list):
        return [_without_places(one) for one in value]
    return value
