"""The summary: an overview, and the sections that the preset names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from common.providers.llm.extractive.glossary import meaning, sources
from common.providers.llm.extractive.notes import Notes
from common.providers.llm.extractive.reading import Line
from common.providers.llm.extractive.sections import Role, role
from common.providers.llm.extractive.styles import Style, style
from common.providers.llm.extractive.voice import heading, listed, sentence_case
from common.study import Card, Citation, Question, Section, SummaryBody
from common.text.cues import first_clause, is_belief
from common.text.ranking import diverse

_OVERVIEW_SHARE = 0.3  # of all words; the sections say the rest
_FOCUSED, _UNFOCUSED = 6, 2  # questions in the summary, with question focus and without
_TERMS_IN_LEAD = 3
_LEAST_WORDS = 60  # a summary of a short talk may be as long as this


@dataclass(frozen=True, slots=True)
class _Bullet:
    text: str
    citations: Sequence[Citation]
    lines: tuple[Line, ...] = ()


@dataclass(slots=True)
class _Draft:
    """The summary while it grows: what may still be said, and what has been."""

    notes: Notes
    cards: Sequence[Card]
    questions: Sequence[Question]
    style: Style
    words_left: int
    used: set[int] = field(default_factory=set)

    def fresh(self) -> list[Line]:
        return [line for line in self.notes.sound if line.index not in self.used]


def summary(
    notes: Notes, cards: Sequence[Card], questions: Sequence[Question]
) -> SummaryBody:
    """Return the summary, within the preset's number of words."""
    preset = notes.reading.preset
    draft = _Draft(notes, cards, questions, style(preset.outputProfile), _limit(notes))
    overview = _overview(draft)
    if len(notes.reading.lines) == 1:
        return SummaryBody(overview=overview, sections=[_only_section(draft)])
    sections = list(_sections(draft, _names(preset.outputProfile.sections, draft)))
    return SummaryBody(overview=overview, sections=sections or [_only_section(draft)])


def _limit(notes: Notes) -> int:
    """Return how many words the summary may have: never more than half the lecture."""
    spoken = sum(line.length for line in notes.reading.lines)
    most = notes.reading.preset.generation_config.summary_max_words
    return min(most, max(_LEAST_WORDS, spoken // 2))


def _overview(draft: _Draft) -> str:
    reading = draft.notes.reading
    terms = [entry.label for entry in draft.notes.entries[:_TERMS_IN_LEAD]]
    lead = draft.notes.voice.lead.format(
        name=reading.preset.name,
        title=reading.material.title,
        terms=listed(terms or ["what was said"]),
    )
    room = int(draft.words_left * _OVERVIEW_SHARE) - len(lead.split())
    fresh = draft.fresh() or reading.best(reading.lines, 1)
    candidates = [line.index for line in fresh[:40]]
    ranked = diverse(
        candidates,
        lambda i: _for_overview(reading.lines[i], draft),
        reading.rows,
        draft.style.overview_sentences,
    )
    chosen: list[int] = []
    for index in ranked:
        length = reading.lines[index].length
        if length <= room or not chosen:
            chosen.append(index)
            room -= length
    draft.used.update(chosen)
    text = " ".join([lead, *(reading.lines[i].said for i in sorted(chosen))])
    draft.words_left -= len(text.split())
    return text


def _for_overview(line: Line, draft: _Draft) -> float:
    """Return a line's worth; more for what is said first, less for mere definitions."""
    early = 1 - line.index / len(draft.notes.reading.lines)
    return draft.style.value(line) + 0.3 * early**2 - 0.25 * line.defines


def _names(names: Sequence[str], draft: _Draft) -> list[str]:
    """Return the preset's sections, with one of questions if they are its focus."""
    asks = any(role(name).source in {"questions", "prompts"} for name in names)
    focus = draft.notes.reading.preset.outputProfile.question_focus
    return [*names, "check_yourself"] if focus and not asks else list(names)


def _sections(draft: _Draft, names: Sequence[str]) -> Iterator[Section]:
    """Yield the sections in the preset's order.

    The choosy ones take their lines first, so that the others do not take them away.
    """
    roles = {n: Role("questions") if n == "check_yourself" else role(n) for n in names}
    share = draft.words_left // len(names)
    filled: dict[str, list[_Bullet]] = {}
    for name in sorted(names, key=lambda name: _openness(roles[name])):
        room = min(draft.words_left, max(share, draft.words_left // len(names)))
        filled[name] = _within(
            _bullets(roles[name], draft), room - len(name.split("_")), draft
        )
    for name in names:
        if filled[name]:
            yield Section(
                title=heading(name.replace("_", " ")),
                bullets=[bullet.text for bullet in filled[name]],
                citations=_citations(filled[name]),
            )


def _openness(role: Role) -> int:
    return 2 * (role.source == "lines" and role.cue is None) + role.or_best


def _citations(bullets: Sequence[_Bullet]) -> list[Citation] | None:
    cited = [citation for bullet in bullets for citation in bullet.citations]
    return list({citation.quote: citation for citation in cited}.values()) or None


def _within(bullets: Iterator[_Bullet], room: int, draft: _Draft) -> list[_Bullet]:
    chosen: list[_Bullet] = []
    for bullet in bullets:
        length = len(bullet.text.split())
        if length <= room:
            chosen.append(bullet)
            room -= length
            draft.words_left -= length
            draft.used.update(line.index for line in bullet.lines)
    return _in_order(chosen)


def _in_order(bullets: list[_Bullet]) -> list[_Bullet]:
    """Return bullets that are lines of the lecture in its order, others as they are."""
    if all(bullet.lines for bullet in bullets):
        bullets.sort(key=lambda bullet: bullet.lines[0].index)
    return bullets


def _bullets(role: Role, draft: _Draft) -> Iterator[_Bullet]:
    most = role.most or draft.style.bullets
    match role.source:
        case "chapters":
            return _of_chapters(draft)
        case "terms" | "concepts":
            return _of_terms(draft, most, defined_first=role.source == "terms")
        case "questions" | "prompts":
            return _of_questions(draft, cards=role.source == "prompts")
        case "steps":
            return _of_lines(_steps(draft), most * 2, draft)
        case _:
            return _of_lines(_fitting(role, draft), most, draft)


def _of_chapters(draft: _Draft) -> Iterator[_Bullet]:
    for part in draft.notes.parts:
        free = [x for x in draft.fresh() if x in part.lines]
        for bullet in _of_lines(free, 1, draft):
            text = f"{part.title}: {bullet.text}"
            yield _Bullet(text, bullet.citations, bullet.lines)


def _of_terms(draft: _Draft, most: int, *, defined_first: bool) -> Iterator[_Bullet]:
    entries = [e for e in draft.notes.entries if e.defined or not defined_first]
    if not defined_first:
        entries.sort(key=lambda entry: -entry.phrase.score)
    for entry in (entries or list(draft.notes.entries))[: most + 2]:
        text = meaning(entry, draft.notes.reading) if entry.defined else entry.line.said
        cited = sources(entry, draft.notes.reading)
        yield _Bullet(f"{sentence_case(entry.label)}: {text}", cited, (entry.line,))


def _of_questions(draft: _Draft, *, cards: bool) -> Iterator[_Bullet]:
    focus = draft.notes.reading.preset.outputProfile.question_focus
    asked: Sequence[tuple[str, Sequence[Citation] | None]] = (
        [(card.front, card.citations) for card in draft.cards]
        if cards
        else [(question.prompt, question.citations) for question in draft.questions]
    )
    short = sorted(asked, key=lambda pair: len(pair[0].split()) > draft.style.longest)
    for text, citations in short[: _FOCUSED if focus else _UNFOCUSED]:
        yield _Bullet(text, citations or ())


def _steps(draft: _Draft) -> list[Line]:
    """Return short lines from all over the lecture."""
    fresh = draft.fresh()
    return sorted(fresh, key=lambda line: -line.worth + 0.04 * line.length)


def _fitting(role: Role, draft: _Draft) -> list[Line]:
    fresh = draft.fresh()
    if draft.style.prefers:  # a definition is no argument
        fresh = [line for line in fresh if not line.defines] or fresh
    if role.beliefs:
        fresh += [x for x in draft.notes.reading.lines if is_belief(x.said)]
    if role.cue is None:
        return fresh
    fit = [line for line in fresh if role.cue.search(line.statement.clean)]
    fit.sort(key=lambda line: -draft.style.value(line))
    return fit or (fresh if role.or_best else [])


def _of_lines(lines: Sequence[Line], most: int, draft: _Draft) -> Iterator[_Bullet]:
    """Yield a bullet for each of the best lines that do not repeat each other."""
    reading = draft.notes.reading
    short = [x for x in lines if first_clause(x.said, draft.style.longest)] or list(
        lines
    )
    order = {line.index: -place for place, line in enumerate(short)}
    chosen = diverse(
        [line.index for line in short[:80]],
        lambda i: 0.05 * order[i],
        reading.rows,
        most,
    )
    for index in chosen:
        line = reading.lines[index]
        text = first_clause(line.said, draft.style.longest) or line.said
        yield _with_reason(line, text, draft)


def _with_reason(line: Line, text: str, draft: _Draft) -> _Bullet:
    """Return a bullet; arguments keep what the lecturer adds to them at once."""
    reading = draft.notes.reading
    following = (
        reading.lines[line.index + 1] if line.index + 1 < len(reading.lines) else None
    )
    corrects = is_belief(line.said)
    adds = draft.style.keeps_reasons and following and draft.style.adds(following)
    if following and (corrects or adds):
        both = f"{text} {sentence_case(following.statement.clean)}"
        return _Bullet(
            both if both[-1:] in ".!?" else f"{both}.",
            reading.cite(line, following),
            (line, following),
        )
    label = draft.style.label(line)
    return _Bullet(f"{label}{text}", reading.cite(line), (line,))


def _only_section(draft: _Draft) -> Section:
    """Return what a very short talk has to say, even if the overview said it too."""
    reading = draft.notes.reading
    best = reading.best(reading.lines, 1)
    return Section(
        title="Key Points",
        bullets=[x.said for x in best],
        citations=reading.cite(*best),
    )
