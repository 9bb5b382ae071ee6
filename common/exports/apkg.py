"""Flashcards and choice questions as an Anki package."""

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from html import escape
from itertools import count
from typing import TYPE_CHECKING

from common.exports.lines import clean
from common.exports.places import places
from common.exports.provenance import generated_at
from common.study import Card, Item, Question, StudyPack

if TYPE_CHECKING:
    from genanki import Deck, Model, Note

# Anki knows a note type by its number: a new number would be a new note type.
_CARD_MODEL_ID = 1_607_392_811
_CHOICE_MODEL_ID = 1_607_392_812
_CSS = """
.card { font-family: system-ui, "Noto Sans", sans-serif; font-size: 20px;
  line-height: 1.5; max-width: 34em; margin: 1.5em auto; padding: 0 1em;
  text-align: start; color: #1f2933; background: #fcfcfa; }
hr#answer { border: 0; border-top: 2px solid #c9d3df; margin: 1.2em 0; }
ol.choices { list-style: upper-alpha; padding-inline-start: 1.6em; }
.why, blockquote { color: #55606e; font-size: .85em; }
blockquote { margin: 1em 0 0; padding-inline-start: .8em;
  border-inline-start: 3px solid #c9d3df; }
.jump { font-size: .8em; margin-top: .6em; }
.jump a { color: #1d5f99; text-decoration: none; }
.nightMode.card, .night_mode .card, .card.night_mode { color: #e4e7eb;
  background: #22262b; }
.nightMode .why, .nightMode blockquote, .night_mode .why,
.night_mode blockquote { color: #a7b0bb; }
.nightMode .jump a, .night_mode .jump a { color: #7fb8ec; }
"""
_SOURCE = (
    "{{#Quote}}<blockquote dir='auto'>{{Quote}}</blockquote>{{/Quote}}"
    "{{#Jump}}<div class='jump'>{{Jump}}</div>{{/Jump}}"
)


def render(pack: StudyPack) -> bytes:
    """Return a package that Anki imports; importing it again updates its notes.

    A note is known by course, lecture and front (or prompt): a changed back replaces
    the old one and keeps the learner's schedule.
    """
    from genanki import Package  # the API does without it

    made_at = generated_at(pack).timestamp()  # Anki updates a note from a newer one
    with closing(sqlite3.connect(":memory:")) as database:
        numbers = count(int(made_at * 1000))
        with database:
            Package(_deck(pack)).write_to_db(database.cursor(), made_at, numbers)
        return _zipped({"collection.anki2": database.serialize(), "media": b"{}"})


def _zipped(members: dict[str, bytes]) -> bytes:
    """Zip without dates, so that equal packs are equal files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def _deck(pack: StudyPack) -> "Deck":
    from genanki import Deck

    names = (pack.course_title or pack.course_id, pack.title or pack.lecture_id)
    name = "::".join(clean(name).replace("::", ":") for name in names)
    deck = Deck(_number(pack.course_id, pack.lecture_id), name)
    for note in (*_card_notes(pack), *_choice_notes(pack)):
        deck.add_note(note)
    return deck


def _number(*keys: str) -> int:
    """Return a number that stays the same for the same keys, of 1 to 2**47."""
    return 1 + int.from_bytes(sha256("\0".join(keys).encode()).digest()[:6]) // 2


def _card_notes(pack: StudyPack) -> Iterator["Note"]:
    model = _model(
        _CARD_MODEL_ID,
        "Pegasus card",
        question="<div dir='auto'>{{Front}}</div>",
        answer="<div dir='auto'>{{Back}}</div>",
        fields=("Front", "Back"),
    )
    seen: dict[str, int] = {}
    for card in pack.flashcards.cards:
        fields = [_html(card.front), _html(card.back), *_source(card, pack)]
        yield _note(
            model, fields, _guid(pack, "card", card.front, seen), _tags(pack, card)
        )


def _choice_notes(pack: StudyPack) -> Iterator["Note"]:
    model = _model(
        _CHOICE_MODEL_ID,
        "Pegasus choice",
        question="<div dir='auto'>{{Prompt}}</div>{{Choices}}",
        answer="<div dir='auto'><b>{{Answer}}</b></div>"
        "{{#Why}}<div class='why' dir='auto'>{{Why}}</div>{{/Why}}",
        fields=("Prompt", "Choices", "Answer", "Why"),
    )
    seen: dict[str, int] = {}
    for question in pack.exam_questions.questions:
        if question.choices:
            guid = _guid(pack, "choice", question.prompt, seen)
            fields = [*_choice_fields(question), *_source(question, pack)]
            yield _note(model, fields, guid, [*_tags(pack), f"type::{question.type}"])


def _model(
    model_id: int, name: str, *, question: str, answer: str, fields: tuple[str, ...]
) -> "Model":
    from genanki import Model

    return Model(
        model_id,
        name,
        fields=[{"name": field} for field in (*fields, "Quote", "Jump")],
        templates=[
            {
                "name": "Card 1",
                "qfmt": question,
                "afmt": "{{FrontSide}}<hr id=answer>" + answer + _SOURCE,
            }
        ],
        css=_CSS,
    )


def _note(model: "Model", fields: list[str], guid: str, tags: list[str]) -> "Note":
    from genanki import Note

    return Note(model=model, fields=fields, guid=guid, tags=tags)


def _guid(pack: StudyPack, kind: str, key: str, seen: dict[str, int]) -> str:
    """Return the note's identity; the second note with the same key gets another."""
    from genanki import guid_for

    seen[key] = seen.get(key, 0) + 1
    return str(guid_for(pack.course_id, pack.lecture_id, kind, clean(key), seen[key]))


def _html(text: str) -> str:
    """Escape for an Anki field, where ``[sound:`` and ``[latex]`` are commands too."""
    return escape(clean(text)).replace("[", "&#91;")


def _choice_fields(question: Question) -> list[str]:
    items = "".join(f"<li>{_html(choice)}</li>" for choice in question.choices or ())
    return [
        _html(question.prompt),
        f'<ol class="choices" dir="auto">{items}</ol>',
        _html(question.answer),
        _html(question.explanation or ""),
    ]


def _source(item: Item, pack: StudyPack) -> list[str]:
    """Return the quote and the link to its second, each empty if there is none."""
    found = places(item, pack)
    if not found:
        return ["", ""]
    label, url = _html(found[0].label), found[0].url
    jump = f'<a href="{escape(url)}">&#9654; {label}</a>' if url else label
    return [_html(found[0].quote), jump]


def _tags(pack: StudyPack, card: Card | None = None) -> list[str]:
    tags = [
        f"course::{_tag(pack.course_title or pack.course_id)}",
        f"lecture::{_tag(pack.title or pack.lecture_id)}",
    ]
    if card is None:
        return tags
    difficulty = [f"difficulty::{card.difficulty}"] if card.difficulty else []
    own = [_tag(tag) for tag in card.tags or ()]
    return [*tags, "type::flashcard", *difficulty, *own]


def _tag(text: str) -> str:
    return "_".join(clean(text).replace("::", ":").split())
