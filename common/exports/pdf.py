"""The study pack as a handout to print (A4)."""

from common.study import StudyPack


def render(pack: StudyPack) -> bytes:
    """Return a PDF with bookmarks, page numbers and links into the recording.

    Text in Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Chinese, Japanese and
    Korean is set in fonts of our own; a sign that none of them has is printed as a box.
    """
    from common.exports.handout import compose  # loads fpdf2: 0.3 s

    return compose(pack)
