"""PDFs that are none, that hold nothing, or that cost more than they look like."""

import io
import zlib
from random import Random

from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from tests.bad_media import originals
from tests.bad_media.bad import Bad, Fate, Make, refused, taken

_TEXT = b"BT /F1 12 Tf 72 720 Td (A cell is the smallest unit of life.) Tj ET"
_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_ROOT = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
_PAGE = (
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
    b"/Resources<</Font<</F1 5 0 R>>>>>>"
)


def stream(body: bytes, about: bytes = b"", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (about, size, body)


def document(trailer: bytes = b"", **objects: bytes) -> bytes:
    """Return one page with a sentence; ``o2`` to ``o9`` stand for other objects."""
    held = {1: _ROOT, 2: _PAGES, 3: _PAGE, 4: stream(_TEXT), 5: _FONT}
    held |= {int(name[1:]): body for name, body in objects.items()}
    target = io.BytesIO(b"%PDF-1.7\n")
    target.seek(0, io.SEEK_END)
    places = {}
    for number, body in sorted(held.items()):
        places[number] = target.tell()
        target.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = target.tell()
    target.write(b"xref\n0 1\n0000000000 65535 f \n")
    for number, place in places.items():
        target.write(b"%d 1\n%010d 00000 n \n" % (number, place))
    size = max(held) + 1
    target.write(b"trailer\n<</Size %d/Root 1 0 R%s>>\n" % (size, trailer))
    target.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return target.getvalue()


def content(body: bytes, about: bytes = b"") -> Make:
    return lambda _dice: document(o4=stream(body, about))


def _flate(body: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        body = zlib.compress(body, 1)  # the higher levels take seconds
    return body


def _encrypted(_dice: Random) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(document())))
    writer.encrypt("secret", algorithm="RC4-128")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def _pages(count: int) -> bytes:
    paper = FPDF()
    paper.set_font("helvetica", size=12)
    for _ in range(count):
        paper.add_page()
    return bytes(paper.output())


def _tree(depth: int) -> bytes:
    """Return a tree of pages that is one long branch."""
    nodes = {
        f"o{number}": b"<</Type/Pages/Parent %d 0 R/Kids[%d 0 R]/Count 1>>"
        % (number - 1, number + 1)
        for number in range(10, 10 + depth)
    }
    last = {f"o{10 + depth}": _PAGE}
    return document(o2=b"<</Type/Pages/Kids[10 0 R]/Count 1>>", **nodes, **last)


def _widening(levels: int) -> bytes:
    """Return a tree whose nodes name their one child ten times."""
    nodes = {
        f"o{number}": b"<</Type/Pages/Kids[%s]/Count 1>>"
        % (b"%d 0 R " % (number + 1) * 10)
        for number in range(10, 10 + levels)
    }
    last = {f"o{10 + levels}": _PAGE}
    return document(o2=b"<</Type/Pages/Kids[10 0 R]/Count 1>>", **nodes, **last)


def _kids(kids: bytes, count: bytes = b"1") -> Make:
    pages = b"<</Type/Pages/Kids%s/Count %s>>" % (kids, count)
    return lambda _dice: document(o2=pages)


def _at(pattern: bytes, new: bytes) -> Make:
    return lambda _dice: document().replace(pattern, new)


def _drawn_in_itself() -> bytes:
    form = stream(
        b"/X Do " * 10, b"/Type/XObject/Subtype/Form/Resources<</XObject<</X 6 0 R>>>>"
    )
    page = _PAGE.replace(b"/Font<<", b"/XObject<</X 6 0 R>>/Font<<")
    return document(o3=page, o4=stream(b"/X Do"), o6=form)


def _translated(table: bytes) -> Make:
    font = _FONT.replace(b"/BaseFont", b"/ToUnicode 6 0 R/BaseFont")
    return lambda _dice: document(o5=font, o6=stream(table))


_RANGE = b"begincmap 1 beginbfrange <0000> <FFFFFFFF> <0041> endbfrange endcmap"
_DEEP = b"[" * 50_000 + b"]" * 50_000
NONE = refused(
    header_only__pdf=lambda _: b"%PDF-1.7\n",
    cut_at_half__pdf=lambda _: document()[:300],
    sound__pdf=lambda _: originals.recording(".mp3"),
    encrypted__pdf=_encrypted,
    blank__pdf=lambda _: _pages(1),
    pages_2001__pdf=lambda _: _pages(2001),
    picture_only__pdf=content(b"q 600 0 0 700 0 0 cm BI /W 1 /H 1 ID x EI Q"),
)
LOOPS = (
    *refused(
        kids_loop__pdf=_kids(b"[2 0 R]"),
        kids_loop_of_two__pdf=lambda _: document(
            o2=b"<</Type/Pages/Kids[6 0 R 6 0 R]/Count 9>>",
            o6=b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9>>",
        ),
        kids_many_loops__pdf=lambda _: (
            b"%PDF-1.4\n" + b"1 0 obj<</Kids[1 0 R]>>endobj\n" * 500
        ),
        kids_widening__pdf=lambda _: _widening(8),
        length_loop__pdf=lambda _: document(
            o4=b"<</Length 4 0 R>>\nstream\nx\nendstream"
        ),
        drawn_in_itself__pdf=lambda _: _drawn_in_itself(),
    ),
    *taken(
        tables_loop__pdf=lambda _: document(b"/Prev 300"),
        table_elsewhere__pdf=_at(b"startxref\n", b"startxref\n9999"),
        table_of_gigabytes__pdf=_at(b"xref\n0 1\n", b"xref\n0 4294967295\n"),
        objects_packed_in_themselves__pdf=lambda _: document(
            o6=stream(b"6 0 <<>>", b"/Type/ObjStm/N 1/First 4/Extends 6 0 R")
        ),
        pages_in_pages__pdf=lambda _: _tree(4_000),
    ),
)
COUNTS = taken(
    catalog_missing__pdf=_at(b"/Root 1 0 R", b""),
    count_huge__pdf=_kids(b"[3 0 R]", b"99999999999"),
    count_negative__pdf=_kids(b"[3 0 R]", b"-5"),
    count_no_number__pdf=_kids(b"[3 0 R]", b"/Many"),
    page_1500_times__pdf=_kids(b"[" + b"3 0 R " * 1_500 + b"]", b"1500"),
    object_number_huge__pdf=_at(b"5 0 obj", b"99999999999999999999 0 obj"),
)
STREAMS = (
    *refused(
        stream_broken__pdf=content(b"no zlib" * 90, b"/Filter/FlateDecode"),
        filter_unknown__pdf=content(b"x", b"/Filter/Evil"),
        picture_filter__pdf=content(b"\xff\xd8\xff", b"/Filter/DCTDecode"),
        zeros_150_megabytes__pdf=lambda _: document(
            o4=stream(_flate(bytes(150_000_000)), b"/Filter/FlateDecode")
        ),
        zeros_packed_twice__pdf=lambda _: document(
            o4=stream(
                _flate(bytes(150_000_000), 2), b"/Filter[/FlateDecode/FlateDecode]"
            )
        ),
    ),
    *taken(
        lists_in_lists__pdf=content(_DEEP),
        lists_in_a_page__pdf=lambda _: document(b"/Info " + _DEEP),
        states_in_states__pdf=content(b"q " * 100_000 + _TEXT),
        words_20000__pdf=content(b"BT /F1 9 Tf " + b"(word ) Tj " * 20_000 + b"ET"),
        letters_translated__pdf=_translated(_RANGE),
        length_too_long__pdf=lambda _: document(o4=stream(_TEXT, length=10**9)),
        length_negative__pdf=lambda _: document(o4=stream(_TEXT, length=-1)),
        script__pdf=_at(
            b"/Type/Catalog", b"/Type/Catalog/OpenAction<</S/JavaScript/JS(x)>>"
        ),
        junk_before__pdf=lambda dice: dice.randbytes(2000) + document(),
        sound_after__pdf=lambda _: document() + originals.recording(".wav"),
    ),
)
LABELS = (
    Bad("paper says sound", lambda _: document(), Fate.REFUSED, "a.mp3", "audio/mpeg"),
    Bad("paper says page", lambda _: document(), Fate.REFUSED, "a.html", "text/html"),
    Bad("paper says film", lambda _: document(), Fate.TAKEN, "a.pdf", "video/mp4"),
    Bad("paper has no name", lambda _: document(), Fate.TAKEN, "a", "application/pdf"),
)
FILES = (*NONE, *LOOPS, *COUNTS, *STREAMS, *LABELS)
