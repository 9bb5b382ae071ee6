"""Every route, everybody who may call, and what is theirs, another's, or nowhere.

What is another's must look like what is not there: to the last letter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection
from sqlalchemy.orm import sessionmaker

from api_service.live.watchers import Watcher
from api_service.people import sessions
from api_service.routes.v2 import videos
from common.ids import new_id
from common.models import (
    Conversation,
    LongTermToken,
    Note,
    Thread,
    ThreadContribution,
    Upload,
    Video,
)
from common.settings import Settings
from tests import factories
from tests.api.guards import WRITE_TOKEN, bearer, guarded
from tests.api.people import ADMIN as ADMIN_HEADERS
from tests.api.people import guest, person, signed_in
from tests.api.test_auth_matrix import (
    ADMIN,
    NOTES,
    OPEN,
    READ,
    ROUTES,
    USER,
    VIEWER,
    WRITE,
)
from tests.conftest import ADMIN_TOKEN, SECRET, SECRET_KEY, make_api, make_deps
from tests.fakes import FakeLanguageModel, FakeQueue, FakeSpeech

ANONYMOUS, GUEST, ANN, BOB = "anonymous", "guest", "ann", "bob"
TOOL, HELPER, CLIENT = "long-term token", "admin", "write token"
CALLERS = (ANONYMOUS, GUEST, ANN, BOB, TOOL, HELPER, CLIENT)
EVERYBODY, NOBODY = "everybody", "nobody"

# The deployment asks for a token from who writes. What each caller is answered where
# the route asks for: 401 and 403 as here, anything else is for the route to say.
REFUSED = {
    OPEN: {},
    READ: {},
    WRITE: {ANONYMOUS: 401, GUEST: 401, TOOL: 403, HELPER: 403},
    USER: {ANONYMOUS: 401, GUEST: 401, TOOL: 401, HELPER: 401, CLIENT: 401},
    NOTES: {ANONYMOUS: 401, GUEST: 401, HELPER: 401, CLIENT: 401},
    VIEWER: {ANONYMOUS: 401, TOOL: 401, HELPER: 401, CLIENT: 401},
    ADMIN: {ANONYMOUS: 401, GUEST: 401, ANN: 403, BOB: 403, TOOL: 403, CLIENT: 403},
}
# Whose rows these are for each caller; who is nobody in particular has everybody's.
OWN = {ANN: ANN, BOB: BOB, TOOL: ANN, GUEST: GUEST}
OTHERS = {ANN: BOB, TOOL: BOB}  # for all the rest: Ann's
PERSONS = {USER, NOTES, VIEWER}  # a tool is its person only where one is asked for

# A part of a path is the id of something that has an owner, or it is one of these.
UNOWNED = {
    *("preset_id", "name", "export_type"),
    *("project_id", "asset_id", "relative_path"),  # projects have no owners
    "task_id",  # helpers' only
}
# Whoever knows the URL may, so that all are alike without what it holds.
BY_URL = {("PUT", "/uploads/<uuid:upload_id>/content")}
# An unknown lecture has nothing: that is no error.
EMPTY = {("GET", "/lectures/<lecture_id>/artifacts")}
# Whoever notes something about a video that is not there yet makes it.
MADE_AT_NEED = {("POST", "/v2/videos/<path:video_id>/notes")}
# Nobody's notes are asked for here, but the caller's: there may be none.
EMPTY |= {("GET", "/v2/videos/<path:video_id>/notes")}


@dataclass
class World:
    """The API over one database in which everybody has one of everything."""

    api: FlaskClient
    connection: Connection
    headers: dict[str, dict[str, str]]
    ids: dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def world(engine, database_url, tmp_path_factory):
    storage_dir = tmp_path_factory.mktemp("world")
    with engine.connect() as connection, connection.begin() as outer:
        db = sessionmaker(
            connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
        )
        deps = _deps(db, database_url, storage_dir)
        people = {name: person(db, f"{name}@example.com") for name in (ANN, BOB)}
        headers = _headers(db, deps, people)
        ids = {
            EVERYBODY: _rows(db, deps.storage, EVERYBODY, None),
            **{
                name: _rows(db, deps.storage, name, user.id)
                for name, user in people.items()
            },
            NOBODY: _nothing(),
        }
        ids[GUEST] = ids[EVERYBODY] | _guests(db)
        with pytest.MonkeyPatch.context() as patch:
            _let_nobody_wait(patch)
            yield World(make_api(deps), connection, headers, ids)
        outer.rollback()


def _nothing_happens(*_: object, **__: object) -> Iterator[None]:
    yield from ()


def _let_nobody_wait(patch):
    """Have streams end at once: all that is asked here is who gets one."""
    patch.setattr(Watcher, "watch", _nothing_happens)
    patch.setattr(videos, "PATIENCE_SECONDS", 0.0)


def _deps(db, database_url, storage_dir):
    settings = Settings(
        DATABASE_URL=database_url,
        PEGASUS_INTERNAL_SECRET=SECRET,
        PLC_STORAGE_DIR=storage_dir,
        SECRET_KEY=SECRET_KEY,
        ADMIN_TOKEN=ADMIN_TOKEN,
    )
    deps = make_deps(db, settings, FakeQueue(), FakeSpeech(), FakeLanguageModel())
    return guarded(deps, write_rate_limit_max_requests=10_000)


def _headers(db, deps, people):
    token = sessions.long_term_token()
    digest = sessions.digest(token)
    factories.save(db, LongTermToken(user_id=people[ANN].id, sha256=digest))
    return {
        ANONYMOUS: {},
        GUEST: guest(),
        ANN: signed_in(deps, people[ANN]),
        BOB: signed_in(deps, people[BOB]),
        TOOL: bearer(token),
        HELPER: ADMIN_HEADERS,
        CLIENT: bearer(WRITE_TOKEN),
    }


def _rows(db, storage, name, owner_id):
    """Make one of everything for an owner; return the ids by their names in paths."""
    lecture_id, course_id = f"{name}-lecture", f"{name}-course"
    factories.course(db, course_id, owner_id=owner_id)
    lecture = factories.lecture(db, lecture_id, course_id=course_id, owner_id=owner_id)
    factories.media(storage, lecture)
    factories.transcript(db, storage, lecture, "One.")
    factories.artifact(db, lecture_id, course_id=course_id)
    export = factories.export(db, lecture_id)
    storage.write(export.object_key, BytesIO(b"text"))
    job = factories.job(db, lecture_id, kind="export", state="failed")
    found = {
        "lecture_id": lecture_id,
        "course_id": course_id,
        "job_id": job.id,
        "thread_id": _thread(db, lecture, owner_id),
        "upload_id": _upload(db, owner_id),
    }
    return found | _videos_rows(db, name, owner_id)


def _thread(db, lecture, owner_id):
    thread = Thread(
        id=uuid4(),
        course_id=lecture.course_id,
        owner_id=owner_id,
        key="concept",
        aliases=[],
        title="Concept",
        summary="What it is.",
        status="foundational",
        complexity_level=1,
        lecture_refs=[lecture.id],
    )
    part = ThreadContribution(
        id=new_id(),
        thread_id=thread.id,
        lecture_id=lecture.id,
        title="Concept",
        aliases=[],
        summary="What it is.",
        complexity_level=1,
        status="foundational",
        evidence="One.",
        confidence=0.5,
    )
    factories.save(db, thread, part)
    return thread.id


def _upload(db, owner_id):
    upload = Upload(
        id=new_id(),
        object_key=f"uploads/{uuid4()}",
        filename="talk.wav",
        content_type="audio/wav",
        kind="audio",
        owner_id=owner_id,
        size_bytes=4,
        token_sha256="0",
        state="complete",
        stored_bytes=4,
        expires_at=factories.minute(10**7),
    )
    return factories.save(db, upload).id


def _videos_rows(db, name, owner_id):
    """Videos are everybody's to add; who sees one has a note or a talk about it."""
    video = _video(db, name)
    if owner_id is None:
        return {"video_id": video.video_id, "note_id": 0, "conversation_id": 0}
    note = Note(
        video_id=video.video_id, user_id=owner_id, timestamp="1:23", text="Mine."
    )
    talk = Conversation(user_id=owner_id, video_id=video.video_id)
    factories.save(db, note, talk)
    return {
        "video_id": video.video_id,
        "note_id": note.id,
        "conversation_id": talk.id,
    }


def _guests(db):
    [session_id] = guest().values()
    video = _video(db, GUEST)
    talk = Conversation(guest=sessions.digest(session_id), video_id=video.video_id)
    factories.save(db, talk)
    return {"video_id": video.video_id, "conversation_id": talk.id}


def _video(db, name):
    recording = factories.recording(
        db, kind="youtube", object_key=None, metadata_key=None
    )
    video_id = f"{name:x<11}"[:11]
    return factories.save(
        db, Video(video_id=video_id, recording_id=recording.id, title="A video")
    )


def _nothing():
    nowhere = str(UUID(int=0))
    numbers = dict.fromkeys(("note_id", "conversation_id"), 2**31 - 1)
    texts = {"lecture_id": "none", "course_id": "none", "video_id": "nonenonenon"}
    uuids = dict.fromkeys(("job_id", "thread_id", "upload_id"), nowhere)
    return {**numbers, **texts, **uuids}


def parts(rule):
    """Return the names in a rule's path."""
    return re.findall(r"<(?:[^:>]+:)?([^>]+)>", rule)


def path_of(rule, ids):
    filled = {"export_type": "markdown", **ids}

    def value(match):
        return str(filled.get(match[1], "none"))

    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", value, rule)


def ask(world, caller, method, rule, whose):
    """Send a request of which nothing is left; return the reply."""
    nested = world.connection.begin_nested()
    try:
        return world.api.open(
            path_of(rule, world.ids[whose]),
            method=method,
            headers=world.headers[caller],
            json=None if method in {"GET", "DELETE"} else {},
        )
    finally:
        nested.rollback()


def plain(reply, ids):
    """Return status and text of a reply, without what differs in any two."""
    text = re.sub(r'"request_id":"[^"]*"', "", reply.text)
    for id_ in sorted((str(i) for i in ids.values()), key=len, reverse=True):
        text = text.replace(f'"{id_}"', '"…"').replace(f"/{id_}/", "/…/")
    return reply.status_code, text


def test_every_part_of_every_path_is_classified(world):
    named = {name for _, rule in ROUTES for name in parts(rule)}
    assert named <= set(world.ids[ANN]) | UNOWNED


@pytest.mark.parametrize(("method", "rule"), ROUTES)
def test_who_is_refused(world, method, rule):
    found = {
        caller: ask(world, caller, method, rule, NOBODY).status_code
        for caller in CALLERS
    }
    expected = REFUSED[ROUTES[method, rule]]
    assert {c: s for c, s in found.items() if s in (401, 403)} == expected
    assert max(found.values()) < 500


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        (method, rule)
        for (method, rule), access in ROUTES.items()
        if set(parts(rule)) - UNOWNED
        and access is not ADMIN
        and not rule.startswith(("/projects", "/api/projects"))
    ],
)
def test_what_is_another_s_is_not_there(world, method, rule):
    access = ROUTES[method, rule]
    for caller in (c for c in CALLERS if c not in REFUSED[access]):
        who = caller if caller != TOOL or access in PERSONS else ANONYMOUS
        missing = ask(world, caller, method, rule, NOBODY)
        other = OTHERS.get(who, ANN)
        anothers = ask(world, caller, method, rule, other)
        assert plain(anothers, world.ids[other]) == plain(missing, world.ids[NOBODY])
        if (method, rule) not in BY_URL:
            own = ask(world, caller, method, rule, OWN.get(who, EVERYBODY))
            assert own.status_code != 404, own.text
        if (method, rule) not in EMPTY | BY_URL | MADE_AT_NEED:
            assert missing.status_code == 404, missing.text


@pytest.mark.parametrize("caller", CALLERS)
def test_a_person_also_has_what_is_everybody_s(world, caller):
    for rule in ("/lectures/<lecture_id>", "/courses/<course_id>", "/jobs/<job_id>"):
        assert ask(world, caller, "GET", rule, EVERYBODY).status_code == 200


LISTS = {
    "/lectures": lambda json: {one["id"] for one in json["lectures"]},
    "/courses": lambda json: {one["id"] for one in json["courses"]},
    "/jobs/dead-letter": lambda json: {one["id"] for one in json["jobs"]},
}
LISTED = {
    "/lectures": "lecture_id",
    "/courses": "course_id",
    "/jobs/dead-letter": "job_id",
}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("caller", CALLERS)
def test_lists_show_own_and_everybody_s(world, caller, path):
    reply = ask(world, caller, "GET", path, NOBODY)
    mine = {EVERYBODY, caller} & {EVERYBODY, ANN, BOB}
    expected = {str(world.ids[who][LISTED[path]]) for who in mine}
    assert LISTS[path](reply.json) == expected
    assert reply.json["pagination"]["total"] == len(expected)
