"""Find the scenes of a project's film that are worth showing alone."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common import transcripts
from common.errors import Conflict, NotFound
from common.ids import new_id
from common.jobs import SceneDetection
from common.models import Asset, Recording, SceneRun, TranscriptRecord
from common.scenes import Scene, SceneMaterial, Scenes, SceneWishes
from common.transcript import digest
from worker_service.remembered import Remembered
from worker_service.usage import used_by
from worker_service.work import Work

_STARTED = 5  # percent, as the clients of these jobs know it


def run(work: Work[SceneDetection]) -> None:
    """Write the scenes for these wishes, unless the film has them already.

    Safe to run twice: paid answers are remembered, and there is one row per set of
    wishes and transcript.
    """
    payload = work.payload
    told = payload.model_dump(mode="json", include={"tone", "criteria", "max_scenes"})
    asset_id = str(payload.asset_id)
    work.say("Starting scene analysis", asset_id=asset_id, **told, force=payload.force)
    material, wishes_hash = _read(work)
    if (known := _known(work, wishes_hash)) is not None:
        with work.finish(known, said=_said(known)) as session:
            _touch(session, UUID(known["analysis_id"]))
        return
    work.say("Preparing scene analysis")
    work.save({}, progress=_STARTED)
    model = work.deps.llm(payload.provider, payload.model)
    found = model.scenes(material, Remembered(work))
    work.pulse.check()
    work.say("Persisting scene recommendations")
    _save(work, wishes_hash, found)


def _read(work: Work[SceneDetection]) -> tuple[SceneMaterial, str]:
    """Return what scenes are found in, and a name of it with all that is wished."""
    payload = work.payload
    with work.deps.db.begin() as session:
        row = session.execute(
            select(Asset, Recording.duration_ms, TranscriptRecord)
            .join(Recording, Recording.id == Asset.recording_id)
            .outerjoin(
                TranscriptRecord, TranscriptRecord.recording_id == Asset.recording_id
            )
            .where(Asset.id == payload.asset_id)
        ).first()
        if row is None:
            raise NotFound("Video asset not found for scene analysis")
        asset, duration_ms, record = row
        if record is None:
            raise Conflict(
                "Transcript is required before running scene detection",
                code="transcript_missing",
            )
        segments = transcripts.segments_of(session, asset.recording_id)
    wishes = SceneWishes(
        payload.max_scenes, payload.tone, payload.criteria, payload.instructions
    )
    total = duration_ms or max((one.end_ms for one in segments), default=0)
    title = asset.original_filename
    material = SceneMaterial(title, record.language, segments, total, wishes)
    return material, payload.request(digest(segments))


def _known(work: Work[SceneDetection], wishes_hash: str) -> dict[str, Any] | None:
    """Return the result of an earlier job with the same wishes, if there was one."""
    if work.payload.force:
        return None
    query = select(SceneRun).where(
        SceneRun.asset_id == work.payload.asset_id,
        SceneRun.parameters_hash == wishes_hash,
    )
    with work.deps.db.begin() as session:
        found = session.scalar(query)
    if found is None:
        return None
    return _result(work, found.id, len(found.scenes), found.usage, cached=True)


def _touch(session: Session, run_id: UUID) -> None:
    """Show these scenes again: somebody has just asked for them."""
    session.execute(
        update(SceneRun)
        .where(SceneRun.id == run_id)
        .values(asked_at=func.clock_timestamp())
    )


def _result(
    work: Work[SceneDetection],
    run_id: UUID,
    scenes: int,
    usage: dict[str, Any],
    *,
    cached: bool,
) -> dict[str, Any]:
    return {
        "asset_id": str(work.payload.asset_id),
        "analysis_id": str(run_id),
        "scenes": scenes,
        "cached": cached,
        "usage": usage,
    }


def _said(result: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    told = ("asset_id", "scenes", "cached")
    return "Scene detection completed", {name: result[name] for name in told}


def _save(work: Work[SceneDetection], wishes_hash: str, found: Scenes) -> None:
    payload, run_id = work.payload, new_id()
    with work.deps.db.begin() as session:
        usage = used_by(session, work.lease.job_id)
    result = _result(work, run_id, len(found.found), usage, cached=False)
    with work.finish(result, said=_said(result)) as session:
        if session.get(Asset, payload.asset_id) is None:
            raise NotFound("Video asset not found for scene analysis")
        _write(session, work, run_id, wishes_hash, usage, found)


def _write(  # noqa: PLR0913, PLR0917 - one row
    session: Session,
    work: Work[SceneDetection],
    run_id: UUID,
    wishes_hash: str,
    usage: dict[str, Any],
    found: Scenes,
) -> None:
    """Put this run in the place of an earlier one with the same wishes."""
    payload = work.payload
    engine = work.deps.llm(payload.provider, payload.model).engine
    new = {
        "id": run_id,
        "parameters": {
            "tone": payload.tone,
            "criteria": payload.criteria,
            "max_scenes": payload.max_scenes,
            "extra_instructions": payload.instructions,
        },
        "usage": usage,
        "scenes": [_wire(scene) for scene in found.found],
        "about": {
            "request_hash": wishes_hash,
            "engine": {"provider": engine.provider, "model": engine.model},
            "dropped": {"bad": found.bad, "surplus": found.surplus},
            "raw_metadata": {"notes": found.notes},
        },
        "asked_at": func.clock_timestamp(),
        "created_at": func.clock_timestamp(),
    }
    session.execute(
        insert(SceneRun)
        .values(asset_id=payload.asset_id, parameters_hash=wishes_hash, **new)
        .on_conflict_do_update(index_elements=["asset_id", "parameters_hash"], set_=new)
    )


def _wire(scene: Scene) -> dict[str, Any]:
    """Return a scene as its clients read it; seconds."""
    wanted = scene.recommended_seconds
    return {
        "id": str(new_id()),
        "title": scene.title,
        "description": scene.description,
        "start": scene.start_ms / 1000,
        "end": scene.end_ms / 1000,
        "duration": (scene.end_ms - scene.start_ms) / 1000,
        "confidence": scene.confidence,
        "priority": scene.priority,
        "tags": list(scene.tags),
        "metadata": {} if wanted is None else {"recommended_duration": wanted},
    }
