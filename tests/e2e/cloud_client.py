"""A client of a Pegasus in the cloud: it sends straight to the bucket it is told."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests

from tests.e2e.machine import wait_for

PIECE_BYTES = 256 * 1024  # what sessions of Cloud Storage take pieces in multiples of
_TIMEOUT = 60


@dataclass(frozen=True)
class CloudClient:
    """Speaks to the API at ``url`` with a write token."""

    url: str
    token: str

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=_TIMEOUT, **options
        )

    def get(self, path: str) -> Any:
        reply = self.ask("GET", path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, document: object = None) -> Any:
        reply = self.ask("POST", path, json=document or {})
        assert reply.status_code in (200, 201), reply.text
        return reply.json()

    def upload(self, content: bytes, lecture_id: str) -> Any:
        """Announce a recording with all wishes and send it; return the announcement."""
        opened = self.post(
            "/uploads",
            {
                "filename": "talk.wav",
                "contentType": "audio/wav",
                "sizeBytes": len(content),
                "lecture": {
                    "course_id": "c1",
                    "lecture_id": lecture_id,
                    "preset_id": "exam-mode",
                    "title": "Cells",
                },
            },
        )
        self._send(opened["uploadUrl"], content)
        return opened

    def ended(self, lecture_id: str, stage: str) -> str:
        """Wait until a stage has ended; return how."""

        def status() -> str:
            reply = self.ask("GET", f"/lectures/{lecture_id}/progress")
            if reply.status_code == 404:  # the notification is still on its way
                return ""
            found = str(reply.json()["stages"][stage]["status"])
            return found if found in ("completed", "failed") else ""

        return str(wait_for(status))

    def finish(self, lecture_id: str) -> None:
        """Have everything made of a lecture that is being transcribed."""
        assert self.ended(lecture_id, "transcription") == "completed"
        self.post(f"/lectures/{lecture_id}/generate")
        assert self.ended(lecture_id, "generation") == "completed"
        self.post(f"/lectures/{lecture_id}/export")
        assert self.ended(lecture_id, "export") == "completed"

    def _send(self, session: str, content: bytes) -> None:
        """Send piece by piece, and after each go on where the bucket says."""
        offset = 0
        while offset < len(content):
            piece = content[offset : offset + PIECE_BYTES]
            place = f"bytes {offset}-{offset + len(piece) - 1}/{len(content)}"
            reply = requests.put(
                session, piece, headers={"Content-Range": place}, timeout=_TIMEOUT
            )
            if reply.status_code == 200:
                return
            assert reply.status_code == 308, reply.text
            offset = int(reply.headers["Range"].rpartition("-")[2]) + 1


def new_lecture_id() -> str:
    return f"lecture-{uuid4().hex[:8]}"
