import subprocess
import sys

import pytest

from common.errors import Conflict
from common.exports import FORMATS
from common.exports.quality import check_exportable
from common.study import ARTIFACT_TYPES
from tests.common import pack as packs


def test_the_formats_are_known_by_these_names():
    assert list(FORMATS) == ["markdown", "anki", "pdf", "apkg", "srt", "vtt"]


@pytest.mark.parametrize("name", FORMATS)
def test_equal_packs_give_equal_files(name):
    render = FORMATS[name].render
    assert render(packs.study_pack()) == render(packs.study_pack())


def test_reading_the_registry_loads_no_library_that_writes_files():
    code = (
        "import sys, common.exports; "
        "print([m for m in ('fpdf', 'genanki', 'fontTools') if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


MISSING = "Cannot export lecture before all required artifacts are generated"


def documents(**changes):
    summary = {"overview": "What it is about.", "sections": [{}, {}]}
    complete = {key: {"id": "1"} for key in ARTIFACT_TYPES} | {"summary": summary}
    return complete | changes


def test_a_complete_lecture_may_be_exported():
    check_exportable(documents(), min_summary_sections=2)


@pytest.mark.parametrize(
    ("changes", "sections", "message"),
    [
        (
            {"key-terms": None, "flashcards": None},
            1,
            f"{MISSING}: flashcards, key-terms",
        ),
        (
            {},
            3,
            "Summary quality threshold not met: requires >= 3 sections.",
        ),
        (
            {"summary": {"overview": " ", "sections": []}},
            0,
            "Summary quality threshold not met: overview is empty.",
        ),
    ],
)
def test_a_half_made_lecture_is_refused_with_the_reason(changes, sections, message):
    with pytest.raises(Conflict) as refusal:
        check_exportable(documents(**changes), sections)
    assert (str(refusal.value), refusal.value.code) == (message, "export_quality")
