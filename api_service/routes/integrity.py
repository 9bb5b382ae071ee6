"""Are the files there that the database speaks of?"""

from collections.abc import Iterable
from typing import Any, Literal

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import select

from api_service import views
from api_service.context import deps, reading
from api_service.openapi import describes
from api_service.people.owners import visible
from common.errors import NotFound
from common.models import Artifact, Export, Lecture

bp = Blueprint("integrity", __name__, url_prefix="/lectures")


class IntegrityCheck(BaseModel):
    """One file."""

    kind: str
    path: str | None
    exists: bool
    state: Literal["ok", "missing_file", "missing_reference"]


class Integrity(BaseModel):
    """All files of one lecture."""

    lectureId: str
    status: Literal["ok", "degraded"]
    missingCount: int
    checkCount: int
    checks: list[IntegrityCheck]


@bp.get("/<lecture_id>/integrity")
@describes(gives=Integrity, errors=(404,))
def integrity(lecture_id: str) -> ResponseReturnValue:
    """Tell for each file that the database speaks of whether it is there."""
    checks = [_check(kind, key) for kind, key in _references(lecture_id)]
    missing = sum(check["state"] != "ok" for check in checks)
    return {
        "lectureId": lecture_id,
        "status": "degraded" if missing else "ok",
        "missingCount": missing,
        "checkCount": len(checks),
        "checks": checks,
    }


def _references(lecture_id: str) -> Iterable[tuple[str, str | None]]:
    artifacts = (
        select(Artifact.artifact_type, Artifact.object_key)
        .where(Artifact.lecture_id == lecture_id)
        .order_by(Artifact.artifact_type)
    )
    exports = (
        select(Export.export_type, Export.object_key)
        .where(Export.lecture_id == lecture_id)
        .order_by(Export.export_type)
    )
    with reading() as session:
        one = views.lectures().where(Lecture.id == lecture_id, visible(Lecture))
        row = session.execute(one).first()
        if row is None:
            raise NotFound("Lecture not found.")
        found = [("audio", row.audio_key), ("transcript", row.transcript_key)]
        found += [(f"artifact:{kind}", key) for kind, key in session.execute(artifacts)]
        found += [(f"export:{kind}", key) for kind, key in session.execute(exports)]
    return found


def _check(kind: str, key: str | None) -> dict[str, Any]:
    if key is None:
        return _shown(kind, None, "missing_reference")
    exists = deps().storage.size_bytes(key) is not None
    path = deps().storage.uri(key)
    return _shown(kind, path, "ok" if exists else "missing_file")


def _shown(kind: str, path: str | None, state: str) -> dict[str, Any]:
    return {"kind": kind, "path": path, "exists": state == "ok", "state": state}
