import csv
import io
import re

import pytest

from common.exports import anki, markdown
from common.exports.lines import clean, columns, wrap
from common.exports.places import clock, places
from common.study import Card, Citation, Section
from tests.common import pack as packs


def rendered(**changes):
    return markdown.render(packs.study_pack(**changes)).decode()


def with_bullet(text):
    section = Section(title="S", bullets=[text])
    document = rendered(summary=packs.summary([section]))
    bullet = re.search(r"### S\n\n- (.*)", document)
    assert bullet, document
    return bullet[1]


def rows(*cards):
    pack = packs.study_pack(flashcards=packs.flashcards(list(cards)))
    return list(csv.reader(io.StringIO(anki.render(pack).decode(), newline="")))


def test_markdown_has_the_sections_that_clients_look_for():
    heads = re.findall(r"^#{1,2} .*", rendered(), re.MULTILINE)
    assert heads == [
        "# Energy in the cell",
        "## Summary",
        "## Outline",
        "## Key Terms",
        "## Flashcards",
        "## Exam Questions",
    ]


def test_a_lecture_without_a_title_is_named_by_its_id():
    assert rendered(title="").startswith("# Lecture bio-7\n")


def test_a_citation_links_to_its_second():
    link = "[12:34](<https://media.example/lectures/7?sig=a&b=c#t=754>)"
    assert f"### How a cell makes energy ({link})" in rendered()


def test_without_a_recording_a_citation_is_plain_text():
    document = rendered(media_url=None)
    assert "### How a cell makes energy (12:34)" in document
    assert "](" not in document


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", ""])
def test_only_web_addresses_become_links(url):
    assert "](" not in rendered(media_url=url)


def test_a_hostile_address_cannot_leave_its_link():
    document = rendered(media_url="https://a.example/x> <b>![i](y)\n# H")
    assert "<b>" not in document
    assert "\n# H" not in document


def test_the_reader_is_told_that_an_extract_is_an_extract():
    assert "Drawn from the transcript's own sentences" in rendered()


def test_the_reader_is_told_what_was_not_heard():
    assert "Based on 1:00:00 of 1:05:00 (92 %)" in rendered()


def test_nothing_is_said_about_gaps_where_there_are_none():
    assert "Based on" not in rendered(heard_ms=3_900_000)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("[x](http://evil)", r"\[x\](http\://evil)"),
        ("![x](y)", r"!\[x\](y)"),
        ("see www.evil.example", r"see www\.evil.example"),
        ("a * b _c_ `d` #e", r"a \* b \_c\_ \`d\` \#e"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("1. not a list", r"1\. not a list"),
        ("- not a list", r"\- not a list"),
        ("one\n\n# two", r"one \# two"),
    ],
)
def test_text_cannot_become_markup(text, shown):
    assert with_bullet(text) == shown


def test_a_page_of_a_document_is_cited_by_its_number():
    pack = packs.study_pack(total_ms=0, heard_ms=0)
    cited = [Citation(quote="It says so", page=2)]
    [place] = places(Section(title="S", bullets=["b"], citations=cited), pack)
    assert (place.label, place.url) == ("p. 2", packs.MEDIA_URL + "#page=2")


@pytest.mark.parametrize(
    ("ms", "label"), [(0, "0:00"), (754_999, "12:34"), (3_723_000, "1:02:03")]
)
def test_times_are_shown_as_people_write_them(ms, label):
    assert clock(ms) == label


def test_cards_are_rows_with_windows_line_ends():
    pack = packs.study_pack(
        flashcards=packs.flashcards(
            [Card(front="Q, why?", back='"So"', tags=["a b", "c"])]
        )
    )
    assert anki.render(pack) == b'front,back,tags\r\n"Q, why?","""So""",a_b c\r\n'


@pytest.mark.parametrize("start", "=+-@")
def test_a_cell_never_begins_like_a_formula(start):
    [_, [front, back, tags]] = rows(
        Card(front=f"{start}1+1", back=f"\t{start}cmd|x", tags=[f"{start}tag"])
    )
    assert [front, back, tags] == [
        f"\u200b{start}1+1",
        f"\u200b{start}cmd|x",
        f"\u200b{start}tag",
    ]


def test_a_cell_holds_nothing_that_anki_would_take_for_html():
    [_, [front, back, _]] = rows(Card(front="<img src=x>", back="a < b, </p>"))
    assert (front, back) == ("< img src=x>", "a < b, < /p>")


def test_cleaning_removes_what_steers_or_breaks_a_line():
    assert clean("a\x00b\r\n\n\u202ec\ufeff \ud800") == "a b c \ufffd"


def test_lines_break_at_spaces_and_only_long_words_are_cut():
    assert wrap("one two incomprehensible", 8) == ["one two", "incompre", "hensible"]


def test_a_chinese_line_does_not_begin_with_a_comma():
    lines = wrap("线粒体产生能量,因此被称为发电厂。", 14)
    assert lines == ["线粒体产生能", "量,因此被称为", "发电厂。"]
    assert max(map(columns, lines)) <= 14
