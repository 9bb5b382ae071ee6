"""The study pack laid out for print: what stands where."""

from collections.abc import Callable, Iterable, Sequence

from common.exports.exam_sheet import answers, questions
from common.exports.layout import (
    ACCENT,
    ASIDE,
    BODY,
    HEADING,
    LABEL,
    LEFT,
    RIGHT,
    STRONG,
    WIDTH,
    Block,
    Style,
    shown_places,
)
from common.exports.lines import clean
from common.exports.paper import Paper
from common.exports.places import Place, clock
from common.exports.provenance import (
    coverage_note,
    engine_note,
    generated_at,
    preset_name,
)
from common.exports.tables import flashcards, key_terms
from common.study import OutlineNode, Section, StudyPack

_KICKER = Style(9.5, bold=True, colour=ACCENT)
_TITLE = Style(22, bold=True, leading=1.2)
_CHAPTER = Style(15, bold=True, colour=ACCENT, leading=1.3)
_LEAD = Style(10.5, leading=1.55)
_ANSWER_KEY = "Answer key"
_CONTENTS_HEAD_MM = 8.0  # the word and some air
_MAX_INDENT_LEVELS = 6  # deeper headings stay there: the column must not vanish


def compose(pack: StudyPack) -> bytes:
    """Return the handout as a PDF file."""
    paper = Paper(_signs(pack), generated_at(pack))
    _title_block(pack, paper)
    chapters = _chapters(pack)
    paper.need(_CONTENTS_HEAD_MM + len(chapters) * BODY.line_mm)
    page, y = paper.page, paper.y
    paper.y += _CONTENTS_HEAD_MM + len(chapters) * BODY.line_mm
    entries = [_chapter(name, body, paper) for name, body in chapters.items()]
    with paper.revisit(page, y):
        _contents(entries, paper)
    return paper.output()


def _signs(pack: StudyPack) -> set[str]:
    """Every character of the pack; a few too many cost nothing."""
    documents = (
        pack.summary,
        pack.outline,
        pack.key_terms,
        pack.flashcards,
        pack.exam_questions,
    )
    texts = [document.model_dump_json() for document in documents]
    names = (pack.title, pack.lecture_id, pack.course_title, pack.course_id)
    return set(clean(" ".join((*names, *texts))))


def _chapters(pack: StudyPack) -> dict[str, Callable[[Paper], None]]:
    return {
        "Summary": lambda paper: _summary(pack, paper),
        "Outline": lambda paper: _outline(pack.outline.outline, (), pack, paper),
        "Key terms": lambda paper: key_terms(pack, paper),
        "Flashcards": lambda paper: flashcards(pack, paper),
        "Exam questions": lambda paper: questions(pack, paper),
        _ANSWER_KEY: lambda paper: answers(pack, paper),
    }


def _title_block(pack: StudyPack, paper: Paper) -> None:
    title = pack.title or f"Lecture {pack.lecture_id}"
    course = pack.course_title or pack.course_id
    paper.describe(title=title, author=course, running_head=f"{course} · {title}")
    paper.put(Block(course, _KICKER, width=RIGHT - LEFT))
    paper.y += 1.5
    paper.put(Block(title, _TITLE, width=RIGHT - LEFT))
    paper.y += 2.5
    paper.put(Block(_facts(pack), ASIDE, width=RIGHT - LEFT))
    paper.y += 4
    _notes(pack, paper)
    paper.y += 6


def _facts(pack: StudyPack) -> str:
    made_at = generated_at(pack)
    length = [f"{clock(pack.total_ms)} recording"] if pack.total_ms else []
    return " · ".join([f"{made_at.day} {made_at:%B %Y}", *length, preset_name(pack)])


def _notes(pack: StudyPack, paper: Paper) -> None:
    texts = [engine_note(pack.summary.engine), coverage_note(pack)]
    blocks = [Block(t, ASIDE, LEFT + 4, RIGHT - LEFT - 8) for t in texts if t]
    paper.tint(sum(map(paper.height, blocks)) + 5)
    paper.y += 2.5
    for block in blocks:
        paper.put(block)
    paper.y += 2.5


def _contents(entries: Iterable[tuple[str, int, int]], paper: Paper) -> None:
    paper.put(Block("Contents", LABEL))
    paper.y += 1
    for name, page, link in entries:
        paper.entry(name, str(page), link, BODY)


def _chapter(
    name: str, body: Callable[[Paper], None], paper: Paper
) -> tuple[str, int, int]:
    """Print a chapter; return its name, page and link for the contents."""
    if name == _ANSWER_KEY:
        paper.new_page()  # so that the questions can be handed out without it
    paper.gap(9)
    paper.need(38)  # a chapter's title wants some of its text below it
    link, page = paper.target(), paper.page
    paper.bookmark(name)
    paper.put(Block(name, _CHAPTER))
    paper.y += 1
    paper.rule(colour=ACCENT)
    paper.y += 4
    body(paper)
    return name, page, link


def _summary(pack: StudyPack, paper: Paper) -> None:
    paper.put(Block(pack.summary.overview, _LEAD))
    for section in pack.summary.sections:
        _section(section, pack, paper)


def _section(section: Section, pack: StudyPack, paper: Paper) -> None:
    found = shown_places(section, pack)
    heading = Block(section.title, HEADING, places=found[:1])
    paper.gap(4.5)
    paper.need(paper.height(heading) + 14)
    paper.bookmark(section.title, 1)
    paper.put(heading)
    paper.y += 1
    for i, bullet in enumerate(section.bullets):
        _bullet(bullet, LEFT, paper, found[i + 1 : i + 2])


def _bullet(text: str, x: float, paper: Paper, found: Sequence[Place] = ()) -> None:
    width = LEFT + WIDTH - x
    paper.put(Block(text, BODY, x, width, mark="•", indent=4.5, places=found))
    paper.y += 0.8


def _outline(
    nodes: Iterable[OutlineNode], above: tuple[int, ...], pack: StudyPack, paper: Paper
) -> None:
    for number, node in enumerate(nodes, start=1):
        path = (*above, number)
        _node(node, path, pack, paper)
        _outline(node.children or (), path, pack, paper)


def _node(
    node: OutlineNode, path: tuple[int, ...], pack: StudyPack, paper: Paper
) -> None:
    level = len(path) - 1
    x = LEFT + 6.0 * min(level, _MAX_INDENT_LEVELS)
    shown = path if level <= _MAX_INDENT_LEVELS else ("…", path[-1])
    number = ".".join(map(str, shown))
    title = Block(
        node.title,
        STRONG if level else HEADING,
        x,
        LEFT + WIDTH - x,
        mark=number,
        indent=4 + 2.0 * len(number),
        places=shown_places(node, pack),
    )
    paper.gap(1.2 if level else 3.5)
    paper.need(paper.height(title) + (10 if node.points or node.children else 0))
    if level == 0:
        paper.bookmark(node.title, 1)
    paper.put(title)
    paper.y += 0.6
    for point in node.points or ():
        _bullet(point, x + title.indent, paper)
