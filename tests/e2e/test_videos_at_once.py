"""Two API processes, and everybody at once: one video, one task of each kind."""

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import func, select

from common.models import Job, Note, Recording, Video
from tests.api.people import ADMIN, guest, person, signed_in
from tests.conftest import ADMIN_TOKEN
from tests.live_api import live_api
from tests.video_steps import ID

pytestmark = pytest.mark.e2e
SECONDS = 30


@pytest.fixture
def send(committed_db, database_url, tmp_path):
    """Send a request to whichever process takes it; return status and answer."""
    settings = {
        "PEGASUS_API_PROCESSES": "2",
        "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": "1000",
        "ADMIN_TOKEN": ADMIN_TOKEN,
    }
    with live_api(database_url, tmp_path, **settings) as api:

        def ask(method, path, headers, body=None):
            line = http.client.HTTPConnection("127.0.0.1", api.port, timeout=SECONDS)
            with closing(line):
                line.request(method, path, body and json.dumps(body), headers)
                reply = line.getresponse()
                raw = reply.read()
                return reply.status, json.loads(raw) if raw else None

        yield ask


def test_notes_talks_and_helpers_at_once(send, committed_db, settings):
    """W19, W21: neither a double nor a failure, and no task in two hands."""
    headers = signed_in(settings, person(committed_db))

    def act(number):
        if number % 2:
            path, body = f"/v2/videos/{ID}/notes", {"timestamp": f"0:{number:02}"}
            return send("POST", path, headers, body)[0]
        return send("POST", "/v2/conversations", guest("g"), {"video_id": ID})[0]

    with ThreadPoolExecutor(30) as pool:
        assert Counter(pool.map(act, range(60))) == {201: 60}
    with committed_db.begin() as session:
        counts = [
            session.scalar(select(func.count()).select_from(model))
            for model in (Video, Recording, Note)
        ]
        kinds = session.scalars(select(Job.kind).order_by(Job.kind)).all()
    assert counts == [1, 1, 30]
    assert kinds == ["metadata", "transcript"]

    def claim(_):
        return send("GET", "/v2/internal/tasks?type=metadata&timeout=1", ADMIN)[0]

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(claim, range(8))) == {200: 1, 204: 7}
