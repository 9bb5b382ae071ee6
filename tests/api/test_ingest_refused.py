"""Uploads that were made to do harm leave nothing behind."""

import gc
import io
import resource
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from common.models import Base
from common.settings import Settings
from tests import media_samples
from tests.api.guards import with_settings
from tests.conftest import SECRET, make_api, spoken_wav

MIB = 1024 * 1024
WRITTEN_BY_EVERY_REQUEST = ("rate_windows",)
MULTIPART = "multipart/form-data; boundary=b"
IDS = [
    *("../x", "..%2f", "*", "/etc/passwd", "a\0b", "x" * 300, "größe", "a/b", "a\\b"),
    *("..", ".", ".hidden", "a..b", "l1\n", " l1", "l1 ", "-rf", "~root", "a:b", "{}"),
    *("a%00b", "\u202egpj", "l1\r\nx: y", "$(id)", "x" * 129),
]


@pytest.fixture
def nothing_left(db, storage_dir, queue, settings):
    """Whatever a test sends, no object, row or job remains of it."""
    yield
    assert not [path for path in storage_dir.rglob("*") if path.is_file()]
    assert not [path for path in storage_dir.rglob("*") if path.name != ".incoming"]
    with db.begin() as session:
        for table in Base.metadata.sorted_tables:
            if table.name not in ("rate_windows", "alembic_version"):
                count = session.scalar(select(func.count()).select_from(table))
                assert count == 0, table.name
    assert queue.take() == []


@pytest.fixture
def limited(deps, database_url, storage_dir):
    """An API with limits of 1 MiB for both kinds of files."""
    settings = Settings(
        DATABASE_URL=database_url,
        PEGASUS_INTERNAL_SECRET=SECRET,
        PLC_STORAGE_DIR=storage_dir,
        PLC_MAX_AUDIO_UPLOAD_MB="1",
        PLC_MAX_PDF_UPLOAD_MB="1",
    )
    return make_api(replace(deps, settings=settings))


def send(api, content, *, name="talk.wav", **fields):
    """Upload a large file; the test client itself would need a temporary file."""
    form = {"course_id": "c1", "lecture_id": "l1", "preset_id": "exam", "title": "T"}
    parts = [_part(f'name="{key}"', text) for key, text in (form | fields).items()]
    parts.append(_part(f'name="audio"; filename="{name}"', content))
    body = b"".join([*parts, b"--b--\r\n"])
    return api.post("/lectures/ingest", data=body, content_type=MULTIPART)


def _part(head, content):
    content = content.encode() if isinstance(content, str) else content
    head = f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n"
    return head.encode() + content + b"\r\n"


@pytest.mark.parametrize("name", ["lecture_id", "course_id"])
@pytest.mark.parametrize("value", IDS)
def test_an_id_that_could_leave_its_folder_is_refused(
    ingest, nothing_left, name, value
):
    reply = ingest(b"never looked at", **{name: value})
    assert reply.status_code in (400, 422)
    if "\0" not in value:
        assert reply.json["error"]["code"] == "invalid_id"
        assert reply.json["detail"].startswith(f"{name} must be ")


@pytest.mark.parametrize("value", ["l1", "a.b", "A-1_b.2", "x" * 128, "7"])
def test_ordinary_ids_are_taken(api, ingest, value):
    assert ingest(lecture_id=value, course_id=value).status_code == 200
    assert api.get(f"/lectures/{value}").json["course_id"] == value


def test_one_lectures_id_inside_anothers_mixes_nothing_up(api, ingest):
    """Upstream found ``a.b.wav`` when it looked for ``a``."""
    ingest(lecture_id="a.b", auto_transcribe="false")
    assert api.post("/lectures/a/transcribe").status_code == 404


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Files that are no recordings, by name."""
    folder = tmp_path_factory.mktemp("hostile")
    media_samples.picture(folder / "picture.mp4")
    media_samples.video_only(folder / "film.mp4")
    media_samples.tone(folder / "cut.flac", 12.0)
    whole = (folder / "cut.flac").read_bytes()
    return {
        "text.wav": b"Dear reader,\n" * 500,
        "empty.mp3": b"",
        "zeros.mp4": bytes(10_000),
        "list.mp4": b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n",
        "script.wav": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "page.webm": b"<html><script>alert(1)</script>" * 100,
        "header.wav": spoken_wav(1.0)[:44],
        "cut.flac": whole[: len(whole) // 2],
        "picture.mp4": (folder / "picture.mp4").read_bytes(),
        "film.mp4": (folder / "film.mp4").read_bytes(),
    }


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("text.wav", {"media_unreadable", "media_unsupported"}),
        ("empty.mp3", {"media_empty"}),
        ("zeros.mp4", {"media_unreadable", "media_unsupported"}),
        ("list.mp4", {"media_unreadable", "media_unsupported"}),
        ("script.wav", {"media_unreadable", "media_unsupported"}),
        ("page.webm", {"media_unreadable", "media_unsupported"}),
        ("header.wav", {"media_empty", "media_no_audio", "media_truncated"}),
        ("cut.flac", {"media_truncated"}),
        ("picture.mp4", {"media_unsupported"}),
        ("film.mp4", {"media_no_audio"}),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_a_code(
    ingest, nothing_left, hostile, name, codes
):
    reply = ingest(hostile[name], name=name)
    assert reply.status_code == 422
    assert reply.json["error"]["code"] in codes
    assert "root:" not in reply.text


def test_a_refused_upload_leaves_the_lecture_as_it_was(api, ingest):
    ingest(auto_transcribe="false")
    before = api.get("/lectures/l1").json
    assert ingest(b"no sound", title="Other").status_code == 422
    assert api.get("/lectures/l1").json == before
    assert api.get("/lectures/l1/media").data == spoken_wav()


def assert_too_large(reply):
    assert reply.status_code == 413
    assert reply.json["detail"] == "Audio file exceeds upload limit of 1048576 bytes."
    assert reply.json["error"]["code"] == "too_large"
    assert reply.headers["x-request-id"]


@pytest.mark.parametrize("name", ["talk.wav", "book.pdf"])
@pytest.mark.parametrize("size", [MIB + 1, 3 * MIB])
def test_a_file_over_the_limit_is_refused(limited, nothing_left, name, size):
    assert_too_large(send(limited, bytes(size), name=name))


def test_a_body_over_the_limit_is_not_read_to_its_end(limited, nothing_left):
    """Without a declared length only counting can tell."""
    endless = Endless(3 * MIB)
    chunked = {
        "CONTENT_TYPE": MULTIPART,
        "wsgi.input": endless,
        "wsgi.input_terminated": True,
    }
    reply = limited.post("/lectures/ingest", environ_overrides=chunked)
    assert_too_large(reply)
    assert reply.headers["Connection"] == "close"
    assert endless.sent < 2 * MIB


class Endless(io.RawIOBase):
    """A chunked body: the frame of one file, then zeros."""

    def __init__(self, size):
        self.head = (
            b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"'
            b"\r\nContent-Type: audio/wav\r\n\r\n"
        )
        self.size, self.sent = size, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        part = self.head or bytes(min(len(buffer), self.size - self.sent))
        self.head = b""
        buffer[: len(part)] = part
        self.sent += len(part)
        return len(part)


def test_a_file_of_exactly_the_limit_is_looked_at(limited, nothing_left):
    assert send(limited, bytes(MIB)).status_code == 422  # zeros are no recording


@pytest.fixture
def fronted(deps):
    """An API behind a platform that lets 1 MiB through in one request."""
    return make_api(with_settings(deps, max_request_mb=1))


@pytest.mark.parametrize("path", ["/lectures/ingest", "/projects/p1/videos"])
def test_a_form_that_the_platform_would_refuse_is_refused_with_a_hint(
    fronted, nothing_left, path
):
    body = _part('name="audio"; filename="talk.wav"', bytes(MIB)) + b"--b--\r\n"
    reply = fronted.post(path, data=body, content_type=MULTIPART)
    assert (reply.status_code, reply.json["error"]["code"]) == (413, "too_large")
    assert "1048576 bytes" in reply.json["detail"]
    assert "POST /uploads" in reply.json["detail"]


def test_a_form_that_does_not_tell_its_length_is_cut_off_there(fronted, nothing_left):
    endless = Endless(3 * MIB)
    reply = fronted.post(
        "/lectures/ingest",
        environ_overrides={
            "CONTENT_TYPE": MULTIPART,
            "wsgi.input": endless,
            "wsgi.input_terminated": True,
        },
    )
    assert reply.status_code == 413
    assert endless.sent < 2 * MIB


def test_a_form_below_that_is_looked_at(fronted, nothing_left):
    assert send(fronted, bytes(MIB - 2000)).status_code == 422


def test_other_limits_stay_as_they_are_behind_it(limited, nothing_left):
    reply = send(limited, bytes(MIB + 1))
    assert reply.status_code == 413
    assert "/uploads" not in reply.json["detail"]


def test_text_fields_cannot_fill_the_memory(api, nothing_left):
    assert send(api, b"x", title="x" * 600_000).status_code == 413


def test_a_form_of_very_many_parts_is_refused(api, nothing_left):
    form = {f"field{number}": "x" for number in range(100)}
    reply = api.post("/lectures/ingest", data=form, content_type="multipart/form-data")
    assert reply.status_code == 413


@contextmanager
def largest_file(size):
    """Let no file grow beyond ``size``, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [MIB + 100, 3 * MIB])
def test_a_disk_that_is_full_while_receiving_is_an_outage(api, nothing_left, size):
    with largest_file(MIB):
        reply = send(api, bytes(size))
    assert reply.status_code == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.json["error"]["code"] == "unavailable"


@pytest.mark.parametrize(
    ("name", "kind"), [("a.pdf", "application/octet-stream"), ("a", "application/pdf")]
)
def test_a_document_that_is_none_is_refused_as_one(api, nothing_left, name, kind):
    form: dict[str, object] = {"course_id": "c1", "lecture_id": "l1"}
    form |= {"preset_id": "exam", "title": "T"}
    form |= {"file": (io.BytesIO(b"%PDF-1.4"), name, kind)}
    reply = api.post("/lectures/ingest", data=form)
    assert reply.status_code == 422
    assert reply.json["error"]["code"].startswith("document_")


def test_a_form_that_breaks_off_leaves_no_open_file(api):
    """A warning about an open file would fail the test when it is collected."""
    head = (
        b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
    )
    reply = api.post(
        "/lectures/ingest",
        data=head + bytes(700_000),
        content_type="multipart/form-data; boundary=x",
    )
    assert reply.status_code == 400
    gc.collect()
