import io
import json
import sqlite3
import zipfile
from contextlib import closing

import pytest

from common.exports import apkg
from common.study import Card
from tests.common import pack as packs


@pytest.fixture
def opened(tmp_path):
    """Reads an exported package as Anki does: unzip, then ask the database."""

    def read(query, pack=None):
        archive = zipfile.ZipFile(io.BytesIO(apkg.render(pack or packs.study_pack())))
        path = tmp_path / "collection.anki2"
        path.write_bytes(archive.read("collection.anki2"))
        with closing(sqlite3.connect(path)) as database:
            return database.execute(query).fetchall()

    return read


def with_card(**fields):
    card = Card(
        **{"front": "F", "back": "B", "citations": packs.cite(754_000)} | fields
    )
    return packs.study_pack(flashcards=packs.flashcards([card]))


def first_note(opened, pack):
    fields, tags = opened("select flds, tags from notes order by id", pack)[0]
    return fields.split("\x1f"), tags.split()


def test_the_package_holds_a_collection_and_a_list_of_media():
    archive = zipfile.ZipFile(io.BytesIO(apkg.render(packs.study_pack())))
    assert archive.namelist() == ["collection.anki2", "media"]
    assert json.loads(archive.read("media")) == {}


def test_every_card_and_every_choice_question_is_a_note(opened):
    assert opened("select count(*) from notes") == [(4 + 2,)]
    assert opened("select count(*) from cards") == [(4 + 2,)]
    assert opened("select count(distinct mid) from notes") == [(2,)]


def test_the_deck_lies_under_its_course(opened):
    [(decks,)] = opened("select decks from col")
    names = {deck["name"] for deck in json.loads(decks).values()}
    assert "Biology 101::Energy in the cell" in names


def test_a_title_cannot_add_a_level_of_decks(opened):
    pack = packs.study_pack(title="C++::vector", course_title="A::B")
    [(decks,)] = opened("select decks from col", pack)
    names = {deck["name"] for deck in json.loads(decks).values()}
    assert "A:B::C++:vector" in names


def test_two_lectures_of_a_course_have_two_decks(opened):
    ids = {opened("select distinct did from cards")[0]}
    ids.add(opened("select did from cards", packs.study_pack(lecture_id="bio-8"))[0])
    assert len(ids) == 2


def test_a_changed_back_keeps_the_identity_of_the_note(opened):
    query = "select guid, flds from notes"
    [(before, old)] = [
        r for r in opened(query, with_card()) if r[1].startswith("F\x1f")
    ]
    changed = with_card(back="Better")
    [(after, new)] = [r for r in opened(query, changed) if r[1].startswith("F\x1f")]
    assert before == after
    assert old != new


def test_the_same_card_of_another_lecture_is_another_note(opened):
    query = "select guid from notes"
    other = packs.study_pack(lecture_id="bio-8")
    assert not set(opened(query)) & set(opened(query, other))


def test_cards_with_the_same_front_stay_apart(opened):
    cards = [Card(front="F", back="1"), Card(front="F", back="2")]
    pack = packs.study_pack(flashcards=packs.flashcards(cards))
    assert opened("select count(distinct guid) from notes", pack) == [(4,)]


def test_a_newer_generation_is_newer_for_anki(opened):
    later = packs.flashcards().model_copy(
        update={"generatedAt": "2026-05-01T00:00:00Z"}
    )
    query = "select max(mod) from notes"
    [(before,)] = opened(query)
    [(after,)] = opened(query, packs.study_pack(flashcards=later))
    assert after > before


def test_text_is_shown_not_run(opened):
    pack = with_card(front="<script>x</script>", back="[sound:a.mp3] & [latex]")
    fields, _ = first_note(opened, pack)
    assert fields[0] == "&lt;script&gt;x&lt;/script&gt;"
    assert fields[1] == "&#91;sound:a.mp3] &amp; &#91;latex]"


def test_the_back_quotes_the_lecture_and_jumps_to_the_second(opened):
    fields, _ = first_note(opened, with_card())
    assert fields[2] == "mitochondria make most of the energy"
    assert fields[3] == (
        '<a href="https://media.example/lectures/7?sig=a&amp;b=c#t=754">'
        "&#9654; 12:34</a>"
    )


def test_a_card_without_citation_has_no_quote_and_no_link(opened):
    fields, _ = first_note(opened, with_card(citations=None))
    assert fields[2:] == ["", ""]


def test_a_cloze_card_remains_a_basic_note(opened):
    fields, _ = first_note(opened, packs.study_pack())
    assert fields[:2] == [
        "_____ make most of the energy that a cell needs.",
        "Mitochondria",
    ]


def test_tags_say_course_lecture_and_type(opened):
    _, tags = first_note(opened, with_card(tags=["cell biology"], difficulty="easy"))
    assert tags == [
        "course::Biology_101",
        "lecture::Energy_in_the_cell",
        "type::flashcard",
        "difficulty::easy",
        "cell_biology",
    ]


def test_a_choice_question_shows_its_choices_and_hides_the_answer(opened):
    query = "select flds, tags from notes where tags like '%multiple-choice%'"
    [(fields, _)] = opened(query)
    prompt, choices, answer, why, *_ = fields.split("\x1f")
    assert prompt == "Where does glycolysis take place?"
    assert choices.count("<li>") == 4
    assert (answer, why[:8]) == ("Cytosol", "It needs")
    [(models,)] = opened("select models from col")
    [model] = [m for m in json.loads(models).values() if m["name"] == "Pegasus choice"]
    assert "{{Answer}}" not in model["tmpls"][0]["qfmt"]
    assert "{{Answer}}" in model["tmpls"][0]["afmt"]
