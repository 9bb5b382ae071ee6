"""How far a lecture has come, told by the newest job of each of its three stages."""

from collections.abc import Mapping, Sequence
from typing import Any

from api_service.views import StageJob, job_error, job_status, timestamp
from common.models import LIVE_STATES, Lecture

STAGES = {
    "transcription": "transcription",
    "generation": "generation",
    "export": "export",
}  # stage: kind of its jobs, in the order in which they follow each other


def stages(newest: Mapping[str, StageJob]) -> dict[str, dict[str, Any]]:
    """Return each stage's status; ``newest`` holds the newest job of each kind."""
    return {stage: _stage(newest.get(kind)) for stage, kind in STAGES.items()}


def _stage(job: StageJob | None) -> dict[str, Any]:
    if job is None:
        absent = dict.fromkeys(("jobId", "createdAt", "updatedAt", "error"))
        return {"status": "not_started", **absent, "progressPercent": 0}
    return {
        "status": job_status(job.state),
        "jobId": str(job.id),
        "createdAt": timestamp(job.created_at),
        "updatedAt": timestamp(job.updated_at),
        "error": job_error(job),
        "progressPercent": _percent(job),
    }


def _percent(job: StageJob) -> int:
    """Return how much is done; of a job that waits for its pieces, those that are."""
    if job.state not in LIVE_STATES or not job.pieces:
        return job.progress
    done = job.pieces - job.pending_children
    return min(99, job.progress + (100 - job.progress) * done // job.pieces)


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
    lecture_id: str, status: str, newest: Mapping[str, StageJob]
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


def course_progress(lectures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the progress of its lectures amounts to for a course."""
    statuses = [lecture["overallStatus"] for lecture in lectures]
    percents = [lecture["progressPercent"] for lecture in lectures]
    percent = round(sum(percents) / len(percents)) if percents else 0
    return {
        "overallStatus": _course_status(statuses, percent),
        "lectureCount": len(lectures),
        "completedLectureCount": statuses.count("completed"),
        "failedLectureCount": statuses.count("failed"),
        "inProgressLectureCount": statuses.count("in_progress"),
        "notStartedLectureCount": statuses.count("not_started"),
        "progressPercent": percent,
    }


def latest_activity(
    lectures: Sequence[Lecture], newest: Mapping[str, Mapping[str, StageJob]]
) -> str | None:
    """Return when anything last happened in a course; None if it has no lectures."""
    times = [lecture.updated_at for lecture in lectures]
    times += [job.updated_at for jobs in newest.values() for job in jobs.values()]
    return timestamp(max(times)) if times else None


def _course_status(statuses: Sequence[str], percent: int) -> str:
    if "failed" in statuses:
        return "failed"
    if statuses and all(status == "completed" for status in statuses):
        return "completed"
    return "in_progress" if percent > 0 else "not_started"
