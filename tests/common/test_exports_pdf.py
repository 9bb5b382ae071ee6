import io
import unicodedata
from datetime import UTC, datetime

import pypdfium2
import pytest
from pypdf import PdfReader

from common.exports import pdf
from common.exports.typefaces import choose
from common.study import Card, OutlineNode, Section, Term
from tests.common import pack as packs

A4_POINTS = (595.28, 841.89)


@pytest.fixture(scope="module")
def reader():
    return read(packs.study_pack())


def read(pack):
    return PdfReader(io.BytesIO(pdf.render(pack)))


def text_of(reader):
    pages = (page.extract_text() for page in reader.pages)
    return " ".join(unicodedata.normalize("NFKC", " ".join(pages)).split())


def with_bullets(*bullets):
    section = Section(title="S", bullets=list(bullets))
    return packs.study_pack(summary=packs.summary([section]))


def links(reader):
    annotations = [
        a.get_object() for page in reader.pages for a in page.annotations or []
    ]
    return [a["/A"]["/URI"] for a in annotations if "/URI" in a.get("/A", {})]


@pytest.mark.parametrize(
    "text",
    [
        packs.POLISH,
        packs.CHINESE,
        packs.JAPANESE,
        packs.GREEK,
        packs.RUSSIAN,
        "η ≈ 40 %",
    ],
)
def test_text_of_many_scripts_can_be_copied_out(reader, text):
    assert text in text_of(reader)


def test_arabic_letters_are_joined_and_can_be_copied_out(reader):
    words = set(packs.ARABIC.strip(".").split())
    found = set(text_of(reader).replace(".", " ").split())
    assert words <= found


def test_a_line_of_latin_after_a_line_of_chinese_keeps_its_font():
    latin = "Adenosine triphosphate stores energy in its bonds."
    overview = packs.CHINESE + packs.CHINESE[:10] + " " + latin * 2
    text = text_of(read(packs.study_pack(summary=packs.summary(overview=overview))))
    assert "stores energy in its bonds.Adenosine" in text


def test_pages_are_a4_and_show_something(reader):
    document = pypdfium2.PdfDocument(pdf.render(packs.study_pack()))
    for page in document:
        darkest, lightest = page.render(scale=1).to_pil().convert("L").getextrema()
        assert darkest < 80
        assert lightest == 255
    assert [float(x) for x in reader.pages[0].mediabox[2:]] == pytest.approx(A4_POINTS)


def test_times_link_into_the_recording(reader):
    assert f"{packs.MEDIA_URL}#t=754" in links(reader)
    assert "12:34" in text_of(reader)


def test_without_a_recording_times_are_printed_but_not_linked():
    plain = read(packs.study_pack(media_url=None))
    assert links(plain) == []
    assert "12:34" in text_of(plain)


def test_viewers_get_bookmarks_title_and_date(reader):
    chapters = [entry.title for entry in reader.outline if not isinstance(entry, list)]
    assert chapters == [
        "Summary",
        "Outline",
        "Key terms",
        "Flashcards",
        "Exam questions",
        "Answer key",
    ]
    assert reader.metadata.title == "Energy in the cell"
    assert reader.metadata.creation_date == datetime(2026, 3, 4, 10, 20, 30, tzinfo=UTC)


def test_the_contents_lead_to_the_pages_of_the_chapters(reader):
    first, last = reader.pages[0].extract_text(), len(reader.pages)
    assert f"Answer key {last}" in first
    assert "Answer key" in reader.pages[last - 1].extract_text()


def test_the_answers_are_on_a_page_of_their_own(reader):
    last = reader.pages[-1].extract_text()
    assert "1.  B Cytosol" in last
    assert "Where does glycolysis" not in last


def test_pages_are_numbered(reader):
    count = len(reader.pages)
    assert f"2 / {count}" in reader.pages[1].extract_text()


def test_a_page_number_in_the_text_is_only_text():
    assert "{nb}" in text_of(read(with_bullets("it prints {nb} as it is")))


def test_a_sign_that_no_font_has_is_a_box():
    assert "before □ □ after" in text_of(read(with_bullets("before 𓀀 \ue000 after")))


def test_fonts_are_loaded_only_for_the_signs_in_use():
    assert {face.family for face in choose(set("plain łódź")).faces} == {"symbols"}
    families = {face.family for face in choose(set("łódź 细胞")).faces}
    assert "han" in families
    assert "arabic" not in families


def test_a_word_longer_than_the_line_is_cut():
    word = "https://example.org/" + "a" * 400
    assert word in text_of(read(with_bullets(word))).replace(" ", "")


def test_a_card_longer_than_a_page_goes_on_on_the_next():
    card = Card(front="long " * 800 + "front-end", back="text " * 1200 + "back-end")
    text = text_of(read(packs.study_pack(flashcards=packs.flashcards([card]))))
    assert "front-end" in text
    assert "back-end" in text


def test_headings_nested_very_deep_still_have_room():
    node = OutlineNode(title="leaf")
    for level in range(30):
        node = OutlineNode(title=f"level {level}", children=[node])
    assert "leaf" in text_of(read(packs.study_pack(outline=packs.outline([node]))))


def test_a_heading_is_never_the_last_line_of_a_page():
    sections = [
        Section(title=f"Heading {i}", bullets=["point " * 30]) for i in range(60)
    ]
    document = read(packs.study_pack(summary=packs.summary(sections)))
    for page in document.pages:
        lines = [line for line in page.extract_text().split("\n") if line.strip()]
        assert not lines[-2].startswith("Heading")
    assert 5 < len(document.pages) < 40


def test_a_lecture_without_a_title_is_named_by_its_id():
    assert read(packs.study_pack(title="")).metadata.title == "Lecture bio-7"


def test_right_to_left_terms_stand_beside_their_meaning():
    term = Term(term="الخلية", definition=packs.ARABIC, example="مثال")
    text = text_of(read(packs.study_pack(key_terms=packs.key_terms([term]))))
    assert "الخلية" in text
