"""What a recording belongs to, and what its transcription changes there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from common import events, object_keys
from common.errors import Conflict, NotFound
from common.jobs import AssetTranscription, Transcription
from common.media.pcm import RATE
from common.models import (
    Asset,
    Lecture,
    LectureStatus,
    Recording,
    TranscriptRecord,
)
from common.transcript import Transcript
from worker_service.usage import used_by
from worker_service.work import Work

_REPLACED = "The recording was replaced while it was transcribed."


class Home(Protocol):
    """A lecture, or a file of a project."""

    def start(self, session: Session) -> Recording:
        """Show that work has begun; return the recording, which still has its file.

        Raises:
            NotFound: it has not, or belongs here no longer.
        """

    @property
    def key(self) -> str:
        """Where this run's transcript document goes."""

    @property
    def named(self) -> Mapping[str, str]:
        """What the document says of whose transcript it is."""

    def result(self, plan: Mapping[str, Any], transcript: Transcript) -> dict[str, Any]:
        """Return what the job answers, and show that only saving is left."""

    def said(self, result: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Return the last line of the job's log, where people read one."""

    def settle(self, session: Session) -> None:
        """Lock the home, and show that it has its transcript now.

        Raises:
            Conflict: it has another recording by now, or is gone.
        """

    def tell(
        self, session: Session, result: Mapping[str, Any], transcript: Transcript
    ) -> None:
        """Write what else depends on the transcript, which has been saved."""


@dataclass(frozen=True, slots=True)
class LectureHome:
    """A lecture; its status tells how far its recording has come."""

    work: Work[Transcription]

    def start(self, session: Session) -> Recording:  # noqa: D102
        payload = self.work.payload
        found = session.execute(
            update(Lecture)
            .where(
                Lecture.id == payload.lecture_id,
                Lecture.recording_id == payload.recording_id,
            )
            .values(status=LectureStatus.TRANSCRIBING)
            .returning(Lecture.id)
        ).first()
        recording = session.get(Recording, payload.recording_id)
        if found is None or recording is None or recording.object_key is None:
            raise NotFound("Neither PDF nor audio file found for lecture.")
        return recording

    @property
    def key(self) -> str:  # noqa: D102
        return object_keys.transcript(self.work.payload.lecture_id, self.work.lease.run)

    @property
    def named(self) -> Mapping[str, str]:  # noqa: D102
        return {"lectureId": self.work.payload.lecture_id}

    def result(self, plan: Mapping[str, Any], transcript: Transcript) -> dict[str, Any]:  # noqa: ARG002, D102
        path = self.work.deps.storage.uri(self.key)
        return {**self.named, "transcriptPath": path}

    def said(self, result: Mapping[str, Any]) -> None:  # noqa: ARG002, D102
        return None

    def settle(self, session: Session) -> None:  # noqa: D102
        payload = self.work.payload
        current = session.scalar(
            select(Lecture.recording_id)
            .where(Lecture.id == payload.lecture_id)
            .with_for_update()
        )
        if current != payload.recording_id:
            raise Conflict(_REPLACED, code="recording_replaced")
        session.execute(
            update(Lecture)
            .where(Lecture.id == payload.lecture_id)
            .values(status=LectureStatus.TRANSCRIBED)
        )

    def tell(  # noqa: D102
        self,
        session: Session,
        result: Mapping[str, Any],  # noqa: ARG002
        transcript: Transcript,
    ) -> None:
        told = events.LectureTranscribed(
            lecture_id=self.work.payload.lecture_id,
            recording_id=self.work.payload.recording_id,
            job_id=self.work.lease.job_id,
            language=transcript.language,
            provider=transcript.engine.provider,
            model=transcript.engine.model,
            total_ms=transcript.total_ms,
            heard_ms=transcript.heard_ms,
            segments=len(transcript.segments),
            gaps=len(transcript.gaps),
        )
        events.emit(session, told)


@dataclass(frozen=True, slots=True)
class AssetHome:
    """A file of a project; its transcript tells what was asked for and used."""

    work: Work[AssetTranscription]

    def start(self, session: Session) -> Recording:  # noqa: D102
        payload = self.work.payload
        found = session.scalar(
            select(Recording)
            .join(Asset, Asset.recording_id == Recording.id)
            .where(Asset.id == payload.asset_id, Recording.id == payload.recording_id)
        )
        if found is None:
            raise NotFound("Video asset not found for transcription")
        if found.object_key is None:
            raise NotFound("Video file missing from storage")
        return found

    @property
    def key(self) -> str:  # noqa: D102
        payload, run = self.work.payload, self.work.lease.run
        return object_keys.asset_transcript(payload.asset_id, run)

    @property
    def named(self) -> Mapping[str, str]:  # noqa: D102
        return {"assetId": str(self.work.payload.asset_id)}

    def result(self, plan: Mapping[str, Any], transcript: Transcript) -> dict[str, Any]:  # noqa: D102
        payload = self.work.payload
        self.work.say("Persisting transcript")
        with self.work.deps.db.begin() as session:
            usage = used_by(session, self.work.lease.job_id)
        ends = (segment.end_ms for segment in transcript.segments)
        return {
            "asset_id": str(payload.asset_id),
            "transcript_id": payload.request,
            "segments": len(transcript.segments),
            "duration": max(ends, default=0) / 1000,
            "language": transcript.language,
            "cached": bool(plan["pieces"]) and not usage["requests"],
            "usage": usage,
            "parameters": {"language": payload.language, "prompt": payload.prompt},
            "chunk_durations": [
                round((end - start) / RATE, 3) for start, end, _ in plan["pieces"]
            ],
        }

    def said(self, result: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:  # noqa: D102
        told = ("asset_id", "segments", "cached")
        return "Transcription completed", {name: result[name] for name in told}

    def settle(self, session: Session) -> None:  # noqa: D102
        payload = self.work.payload
        current = session.scalar(
            select(Asset.recording_id)
            .where(Asset.id == payload.asset_id)
            .with_for_update()
        )
        if current != payload.recording_id:
            raise Conflict(_REPLACED, code="recording_replaced")

    def tell(  # noqa: D102
        self,
        session: Session,
        result: Mapping[str, Any],
        transcript: Transcript,  # noqa: ARG002
    ) -> None:
        session.execute(
            update(TranscriptRecord)
            .where(TranscriptRecord.recording_id == self.work.payload.recording_id)
            .values(about=dict(result))
        )
