"""How far a lecture has come, told by the newest job of each of its three stages."""

from collections.abc import Mapping
from typing import Any

from api_service.views import job_error, job_status, timestamp
from common.models import Job

STAGES = {
    "transcription": "transcription",
    "generation": "generation",
    "export": "export",
}  # stage: kind of its jobs, in the order in which they follow each other


def stages(newest: Mapping[str, Job]) -> dict[str, dict[str, Any]]:
    """Return each stage's status; ``newest`` holds the newest job of each kind."""
    return {stage: _stage(newest.get(kind)) for stage, kind in STAGES.items()}


def _stage(job: Job | None) -> dict[str, Any]:
    if job is None:
        absent = dict.fromkeys(("jobId", "createdAt", "updatedAt", "error"))
        return {"status": "not_started", **absent, "progressPercent": 0}
    return {
        "status": job_status(job.state),
        "jobId": str(job.id),
        "createdAt": timestamp(job.created_at),
        "updatedAt": timestamp(job.updated_at),
        "error": job_error(job),
        "progressPercent": job.progress,
    }


def roll_up(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the stages amount to for the lecture as a whole."""
    statuses = [stage["status"] for stage in found.values()]
    completed = statuses.count("completed")
    unfinished = [name for name, s in found.items() if s["status"] != "completed"]
    failed = "failed" in statuses
    return {
        "overallStatus": _overall(statuses, failed=failed),
        "progressPercent": 100 * completed // len(statuses),
        "currentStage": unfinished[0] if unfinished else "completed",
        "hasFailedStage": failed,
    }


def _overall(statuses: list[str], *, failed: bool) -> str:
    if failed:
        return "failed"
    if all(status == "completed" for status in statuses):
        return "completed"
    started = any(status != "not_started" for status in statuses)
    return "in_progress" if started else "not_started"


def links(lecture_id: str) -> dict[str, str]:
    """Return where the rest about the lecture is found."""
    base = f"/lectures/{lecture_id}"
    return {
        "summary": f"{base}/summary",
        "progress": f"{base}/progress",
        "artifacts": f"{base}/artifacts",
        "jobs": f"{base}/jobs",
    }


def lecture_progress(
    lecture_id: str, status: str, newest: Mapping[str, Job]
) -> dict[str, Any]:
    """Return the whole progress object of one lecture."""
    found = stages(newest)
    done = [stage for stage in found.values() if stage["status"] == "completed"]
    return {
        "lectureId": lecture_id,
        "lectureStatus": status,
        "stageCount": len(found),
        "completedStageCount": len(done),
        **roll_up(found),
        "stages": found,
        "links": links(lecture_id),
    }
