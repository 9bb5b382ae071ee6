"""How a preset's tone words the prompts and the overview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.presets import Tone


@dataclass(frozen=True, slots=True)
class Voice:
    """Templates of one tone; each is complete English for any term or sentence."""

    lead: str
    define: str
    fill_gap: str
    why: str
    explain: str
    discuss: str
    answer_covers: str


_VOICES: Mapping[Tone, Voice] = {
    "formal_academic": Voice(
        lead="{name}: the lecture “{title}”. Central terms: {terms}.",
        define="Define the term “{term}”.",
        fill_gap="Supply the missing term: {sentence}",
        why="For what reason is it the case that {clause}?",
        explain="Explain the following statement: “{sentence}”",
        discuss="Discuss the following statement in a short essay: “{sentence}”",
        answer_covers="A complete answer covers these points:",
    ),
    "analytical_precise": Voice(
        lead="{name}: analysis of “{title}”. Central concepts: {terms}.",
        define="State precisely what “{term}” denotes.",
        fill_gap="Which term completes this statement? {sentence}",
        why="What is the reason that {clause}?",
        explain="Analyse what this statement asserts and rests on: “{sentence}”",
        discuss="Assess this statement and the support it has: “{sentence}”",
        answer_covers="The analysis should establish:",
    ),
    "conversational": Voice(
        lead="Here is “{title}” in {name}. Words to know: {terms}.",
        define="In your own words, what does “{term}” mean?",
        fill_gap="Which word is missing here? {sentence}",
        why="Why is it that {clause}?",
        explain="How would you explain this to a friend? “{sentence}”",
        discuss="What do you make of this? “{sentence}”",
        answer_covers="You could say:",
    ),
    "direct_predictable": Voice(
        lead="{name}. Lecture: “{title}”. Topics: {terms}.",
        define="What is meant by “{term}”?",
        fill_gap="Fill the gap. {sentence}",
        why="Give the reason: why is it that {clause}?",
        explain="Explain this sentence: “{sentence}”",
        discuss="Say what this sentence means and give one reason: “{sentence}”",
        answer_covers="Points:",
    ),
    "dialectical": Voice(
        lead="{name}: what can be argued about “{title}”. At stake: {terms}.",
        define="How does the lecture understand “{term}”, and could one differ?",
        fill_gap="Which concept does this position rest on? {sentence}",
        why="On what grounds could one hold that {clause}?",
        explain="What speaks for this statement, and what against it? “{sentence}”",
        discuss="Argue for and against: “{sentence}”",
        answer_covers="The discussion can draw on:",
    ),
}


def voice(tone: Tone) -> Voice:
    """Return the wording of a tone."""
    return _VOICES[tone]


def listed(items: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def heading(text: str) -> str:
    """Return a phrase as a heading: capitals for all but the small words."""
    small = {"of", "and", "the", "in", "on", "for", "to", "a", "an", "or", "by", "with"}
    words = text.split()
    return " ".join(
        word if (i and word in small) else word[:1].upper() + word[1:]
        for i, word in enumerate(words)
    )


def sentence_case(text: str) -> str:
    """Return the text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def quoted(text: str) -> str:
    """Return a sentence fit to stand between quotation marks that we add."""
    return text.replace("“", "‘").replace("”", "’").replace('"', "’")  # noqa: RUF001
