"""PDF documents take the same way as recordings, with pages instead of times."""

import io
import re

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter
from sqlalchemy import text

PAGES = (
    "A cell is the smallest unit of life. Every cell is surrounded by a membrane.",
    (
        "The membrane is a thin layer that lets some substances pass. For example,"
        " water passes the membrane because its molecules are small."
    ),
    (
        "Osmosis is the movement of water through a membrane. Osmosis stops when both"
        " sides hold the same concentration. A cell without water cannot live."
    ),
)
LOOP = b"1 0 obj<</Kids[1 0 R]>>endobj\n" * 500


def pdf(*pages: str) -> bytes:
    paper = FPDF()
    paper.set_font("helvetica", size=12)
    for page in pages:
        paper.add_page()
        paper.multi_cell(0, 8, page)
    return bytes(paper.output())


def encrypted(document: bytes) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(document)))
    writer.encrypt("secret", algorithm="RC4-128")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


@pytest.fixture
def send(api):
    def post(content: bytes, name: str = "notes.pdf", field: str = "file", **fields):
        form = {
            "course_id": "c1",
            "lecture_id": "l1",
            "preset_id": "exam-mode",
            "title": "Cells",
            **fields,
            field: (io.BytesIO(content), name, "application/pdf"),
        }
        return api.post("/lectures/ingest", data=form)

    return post


def test_a_document_becomes_a_transcript_with_pages(api, worker, queue, send):
    reply = send(pdf(*PAGES))
    assert reply.json["fileType"] == "pdf"
    assert "/documents/l1/" in reply.json["audioPath"]
    worker.run_all(queue)
    transcript = api.get("/lectures/l1/transcript").json
    assert {segment["page"] for segment in transcript["segments"]} == {1, 2, 3}
    assert transcript["segments"][0]["text"] == "A cell is the smallest unit of life."
    assert transcript["engine"]["provider"] == "pypdf"
    assert api.get("/lectures/l1").json["source_type"] == "pdf"


def test_study_material_of_a_document_cites_its_pages(api, worker, queue, send, speech):
    send(pdf(*PAGES))
    worker.run_all(queue)
    api.post("/lectures/l1/generate", json={})
    worker.run_all(queue)
    api.post("/lectures/l1/export")
    worker.run_all(queue)
    terms = api.get("/lectures/l1/artifacts").json["artifacts"]["key-terms"]["terms"]
    pages = {c["page"] for term in terms for c in term["citations"]}
    assert pages
    assert pages <= {1, 2, 3}
    markdown = api.get("/exports/l1/markdown").text
    assert re.search(r"p\. [123]", markdown)
    assert "0:00" not in markdown
    assert speech.calls == 0


def test_a_broken_cross_reference_table_is_mended(api, worker, queue, send):
    broken = re.sub(rb"startxref\n\d+", b"startxref\n7", pdf(*PAGES))
    assert broken != pdf(*PAGES)
    assert send(broken).status_code == 200
    worker.run_all(queue)
    assert "Osmosis" in api.get("/lectures/l1/transcript").json["text"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (encrypted(pdf(*PAGES)), "document_encrypted"),
        (pdf(""), "document_no_text"),
        (b"", "media_empty"),
        (b"%PDF-1.7\n", "document_unreadable"),
        (b"not a PDF at all", "document_unreadable"),
        (pdf(*PAGES)[:200], "document_unreadable"),
        (b"%PDF-1.7\n" + LOOP, "document_unreadable"),
    ],
)
def test_a_document_without_text_to_read_is_refused(
    send, db, storage_dir, content, code
):
    reply = send(content)
    assert (reply.status_code, reply.json["error"]["code"]) == (422, code)
    with db.begin() as session:
        assert session.scalar(text("select count(*) from lectures")) == 0
    assert not [path for path in storage_dir.rglob("*") if path.is_file()]


def test_either_field_takes_a_document(send):
    assert send(pdf(*PAGES), field="audio").json["fileType"] == "pdf"


def test_the_file_type_follows_the_name_or_the_type(send):
    assert send(pdf(*PAGES), name="notes").json["audioPath"].endswith(".pdf")
