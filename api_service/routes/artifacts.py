"""Study material: asked for and read."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from api_service import asking, views
from api_service.context import body, deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people.owners import visible
from api_service.routes.lectures import preset_filter
from api_service.routes.schemas import (
    LectureRow,
    LlmProvider,
    Name,
    PresetName,
    QueuedJob,
)
from common.errors import BadRequest
from common.jobs import Generation
from common.models import Artifact, Export, Lecture, Thread, ThreadContribution
from common.providers import llm

bp = Blueprint("artifacts", __name__, url_prefix="/lectures")


class GenerateIn(BaseModel):
    """All optional; course and preset must be the lecture's own when given."""

    course_id: str | None = None
    preset_id: PresetName | None = None
    llm_provider: LlmProvider | None = None
    llm_model: Name | None = None
    openai_model: Name | None = None  # what older clients call llm_model


class QueuedGeneration(QueuedJob):
    """The job that writes the study material."""

    courseId: str
    presetId: str


class ArtifactsQuery(PageQuery):
    """Filters of the listing."""

    artifact_type: str | None = None
    preset_id: PresetName | None = None


class ArtifactRecord(BaseModel):
    """One artifact's row."""

    id: str
    lecture_id: str
    course_id: str
    preset_id: str
    artifact_type: str
    storage_path: str
    summary_overview: str | None
    summary_section_count: int | None
    created_at: str


class ExportRecord(BaseModel):
    """One exported file's row."""

    id: str
    lecture_id: str
    export_type: str
    storage_path: str
    created_at: str


class Artifacts(BaseModel):
    """Everything that was made of a lecture."""

    lectureId: str
    artifacts: dict[str, Any]
    artifactRecords: list[ArtifactRecord]
    pagination: Pagination
    artifactPaths: dict[str, str]
    artifactDownloadUrls: dict[str, str]
    exportRecords: list[ExportRecord]
    lecture: LectureRow | None


@bp.post("/<lecture_id>/generate")
@describes(body=GenerateIn, gives=QueuedGeneration, errors=(400, 404, 409))
def generate(lecture_id: str) -> ResponseReturnValue:
    """Have the study material written; a live job for it is returned, not doubled."""
    wanted = body(GenerateIn)
    preset_id = preset_filter(wanted.preset_id)
    settings = deps().settings
    provider = llm.accept(settings, wanted.llm_provider)

    def prepare(session: Session) -> tuple[Generation, dict[str, str]]:
        lecture = asking.lecture(session, lecture_id, "Lecture not found.")
        if wanted.course_id not in (None, lecture.course_id):
            raise BadRequest("course_id does not match lecture.")
        if preset_id not in (None, lecture.preset_id):
            raise BadRequest("preset_id does not match lecture.")
        payload = Generation(
            lecture_id=lecture_id,
            provider=provider,
            model=wanted.llm_model or _openai_model(wanted, provider),
        )
        own = {"courseId": lecture.course_id, "presetId": lecture.preset_id}
        return payload, own

    fingerprint = {"lecture_id": lecture_id, **wanted.model_dump()}
    return asking.ask("lectures.generate", fingerprint, prepare)


@bp.get("/<lecture_id>/artifacts")
@describes(query=ArtifactsQuery, gives=Artifacts, errors=(400,))
def index(lecture_id: str) -> ResponseReturnValue:
    """Return everything that was made of a lecture; an unknown one has nothing."""
    wanted = query(ArtifactsQuery)
    own = exists().where(Lecture.id == lecture_id, visible(Lecture))
    filters = [Artifact.lecture_id == lecture_id, own]
    if wanted.artifact_type is not None:
        filters.append(Artifact.artifact_type == wanted.artifact_type)
    if (preset_id := preset_filter(wanted.preset_id)) is not None:
        filters.append(Artifact.preset_id == preset_id)
    page = (
        select(Artifact)
        .where(*filters)
        .order_by(Artifact.artifact_type)
        .limit(wanted.limit)
        .offset(wanted.offset)
    )
    count = select(func.count(Artifact.id)).where(*filters)
    exports = (
        select(Export)
        .where(Export.lecture_id == lecture_id, own)
        .order_by(Export.export_type)
    )
    with reading() as session:
        lecture = session.execute(
            views.lectures().where(Lecture.id == lecture_id, visible(Lecture))
        ).first()
        found = session.scalars(page).all()
        total = session.scalar(count) or 0
        exported = session.scalars(exports).all()
        threads = session.scalars(_threads(lecture_id).where(own)).all()
    uri = deps().storage.uri
    documents: dict[str, Any] = {one.artifact_type: one.document for one in found}
    if threads:
        documents["threads"] = [views.thread(thread) for thread in threads]
    return {
        "lectureId": lecture_id,
        "artifacts": documents,
        "artifactRecords": [_record(one) for one in found],
        "pagination": pagination(wanted, count=len(found), total=total),
        "artifactPaths": {one.artifact_type: uri(one.object_key) for one in found},
        "artifactDownloadUrls": _download_urls(found),
        "exportRecords": [_export_record(one) for one in exported],
        "lecture": lecture and views.lecture(lecture, deps().storage),
    }


def _openai_model(wanted: GenerateIn, provider: str) -> str | None:
    """Return what older clients ask for, whoever the provider is that they name."""
    return None if provider in {"gemini", "vertex"} else wanted.openai_model


def _download_urls(found: Sequence[Artifact]) -> dict[str, str]:
    """Return links by type; clients know them from S3 only."""
    if deps().settings.storage_mode != "s3":
        return {}
    links = {
        one.artifact_type: deps().storage.download_url(
            one.object_key,
            filename=f"{one.artifact_type}.json",
            content_type="application/json",
        )
        for one in found
    }
    return {kind: url for kind, url in links.items() if url is not None}


def _threads(lecture_id: str) -> Select[Thread]:
    return (
        select(Thread)
        .join(ThreadContribution, ThreadContribution.thread_id == Thread.id)
        .where(ThreadContribution.lecture_id == lecture_id)
        .order_by(Thread.created_at.desc(), Thread.id.desc())
    )


def _record(found: Artifact) -> dict[str, Any]:
    is_summary = found.artifact_type == "summary"
    return {
        "id": str(found.id),
        "lecture_id": found.lecture_id,
        "course_id": found.course_id,
        "preset_id": found.preset_id,
        "artifact_type": found.artifact_type,
        "storage_path": deps().storage.uri(found.object_key),
        "summary_overview": found.document["overview"] if is_summary else None,
        "summary_section_count": (
            len(found.document["sections"]) if is_summary else None
        ),
        "created_at": views.timestamp(found.created_at),
    }


def _export_record(found: Export) -> dict[str, Any]:
    return {
        "id": f"{found.lecture_id}-{found.export_type}",
        "lecture_id": found.lecture_id,
        "export_type": found.export_type,
        "storage_path": deps().storage.uri(found.object_key),
        "created_at": views.timestamp(found.created_at),
    }
