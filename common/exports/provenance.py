"""What a reader should know about where a handout comes from."""

from datetime import UTC, datetime

from common import presets
from common.exports.places import clock
from common.study import EngineLabel, StudyPack


def engine_note(engine: EngineLabel) -> str:
    """Return one sentence on who wrote the material."""
    name = f"{engine.provider} / {engine.model}"
    if engine.provider == "extractive":
        return (
            "Drawn from the transcript's own sentences, without a language model "
            f"({name})."
        )
    return f"Written by {name} from the transcript; check it against the source."


def coverage_note(pack: StudyPack) -> str | None:
    """Return one sentence on what could not be heard; None if all of it was."""
    if pack.heard_ms >= pack.total_ms:
        return None
    percent = 100 * pack.heard_ms // pack.total_ms
    return (
        f"Based on {clock(pack.heard_ms)} of {clock(pack.total_ms)} ({percent} %): "
        "the rest of the recording could not be transcribed."
    )


def preset_name(pack: StudyPack) -> str:
    """Return the preset's name for people, or its id if it is no longer known."""
    preset = presets.find(pack.summary.presetId)
    return preset.name if preset else pack.summary.presetId


def generated_at(pack: StudyPack) -> datetime:
    """Return when the newest of the five documents was made, in UTC."""
    documents = (
        pack.summary,
        pack.outline,
        pack.key_terms,
        pack.flashcards,
        pack.exam_questions,
    )
    return max(_moment(document.generatedAt) for document in documents)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
