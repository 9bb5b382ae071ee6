"""A lecture, an answer about it, and a memory for paid answers, for tests of models."""

from common.presets import presets
from common.study import StudyMaterial
from common.transcript import Segment

QUOTE = "the mitochondrion is the powerhouse"


def draft(**changes):
    """Return an answer as a strict model gives it: every key, null where it may."""
    cited = {"citations": [{"quote": QUOTE}]}
    return {
        "summary": {
            "overview": "About cells.",
            "sections": [{"title": "Cells", "bullets": ["They live."]} | cited],
        },
        "outline": [{"title": "Cells", "points": None, "children": None} | cited],
        "key_terms": [
            {"term": "Cell", "definition": "It lives.", "example": None} | cited
        ],
        "flashcards": [{"front": "Cell?", "back": "Alive.", "tags": None} | cited],
        "exam_questions": [
            {"prompt": "Alive?", "type": "short-answer", "answer": "Yes."} | cited
        ],
        "concepts": [],
        "concept_updates": [],
    } | changes


def material_of(segments, **values):
    return StudyMaterial(
        title="Cells",
        language="en",
        segments=segments,
        preset=presets()["exam-mode"],
        **values,
    )


def lecture(hours: float):
    """Return a lecture with a segment of 95 letters every six seconds."""
    return [
        Segment(
            number * 6000,
            number * 6000 + 5500,
            f"sentence number {number:05} says that {QUOTE} of the cell and goes on"
            " for some more words",
        )
        for number in range(round(hours * 600))
    ]


SHORT = material_of(lecture(0.01))


class Memory:
    """Remembers as a job does."""

    def __init__(self):
        self.documents = {}
        self.usages = []
        self.estimates = []

    def __call__(self, step, call, most):
        if step not in self.documents:
            self.estimates.append(most)
            reply = call()
            self.documents[step] = reply.document
            self.usages.append(reply.usage)
        return self.documents[step]
