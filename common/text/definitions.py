"""Definitions in running text: which sentence says what a term means.

Only sentences that can be read alone count, and a definition runs to the end of its
sentence: half a definition is worse than none.
"""

import re
from dataclasses import dataclass

from common.text.cues import is_question, is_talk, readable, stands_alone
from common.text.stop_words import LECTURE_TALK, WEAK_ADJECTIVES, WEAK_NOUNS, word_set
from common.text.words import words

_HEAD = (
    r"(?:(?P<article>an?|the)\s+)?"
    r"(?P<term>(?!(?:an?|the|this|that|it|we|you|there)\b)"
    r"[^\W\d_][\w'\u2019+#-]*(?:\s+[\w'\u2019+#-]+){0,3}?)"
)
_RULE = (
    r"(?:(?P<article>the)\s+)?(?P<term>(?:[\w'\u2019-]+\s+){0,3}?"
    r"(?:theory|law|principle|theorem|hypothesis|rule|thesis|lemma)(?:\s+of\s+[\w'\u2019-]+)?)"
)
_HEDGE = r"(?:(?:basically|simply|just|essentially|really|actually|always|usually)\s+)?"
_BODY = r"(?P<body>.+)"
_FORWARD = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^(?:by|with)\s+{_HEAD},?\s+(?:we|i)\s+mean\s+{_BODY}$",
        rf"^(?:we|you)\s+(?:can\s+)?define\s+{_HEAD}\s+as\s+{_BODY}$",
        rf"^{_HEAD}\s+(?:is|are)\s+(?:defined|understood)\s+(?:as|to be)\s+{_BODY}$",
        rf"^{_HEAD}\s+(?:means|refers?\s+to|denotes?|stands?\s+for)\s+(?!that\b){_BODY}$",
        rf"^{_HEAD}\s+(?:is|are)\s+{_HEDGE}(?P<body>(?:an?|the|any)\s+.+)$",
        rf"^{_HEAD}\s+(?:is|are)\s+{_HEDGE}(?P<body>(?:how|what|when|where)\s+.+)$",
        rf"^{_HEAD}\s+(?P<body>(?:happens|occurs|arises)\s+(?:when|if|because)\s+.+)$",
        rf"^{_RULE}\s+(?P<body>(?:says|states)\s+that\s+.+)$",
        rf"^{_HEAD}\s+are\s+{_HEDGE}(?P<body>(?:[\w-]+\s+){{1,4}}(?:that|which|who|used)\s+.+)$",
    )
)
_BACKWARD = re.compile(
    rf"^(?P<body>.+?),?\s+(?:is|are)\s+(?:then\s+|also\s+|usually\s+)?"
    rf"(?:called|known\s+as|termed|named|referred\s+to\s+as)\s+{_HEAD}(?:[,;:]\s.*)?$",
    re.IGNORECASE,
)
_NAMES_WHAT_WAS_SAID = re.compile(
    rf"^(?:(?:this|that|it|these|they)(?:\s+[\w-]+){{0,3}}?\s+(?:is|are)\s+(?:what\s+"
    rf"(?:is|we)\s+)?(?:called|call|known\s+as|termed)|[\w-]+\s+call\s+(?:this|that|it))"
    rf"\s+{_HEAD}(?:[,;:]\s.*)?$",
    re.IGNORECASE,
)
_NO_DEFINITION = re.compile(
    r"^(?:(?:an?|the)\s+)?(?:same|reason|case|question|problem|first|second|third|next"
    r"|most|more|only|best|good|bad|great|example|lot|bit|little|few|little|main|kind\s+of"
    r"\s+thing|one|ones|other|answer|result|important|following|big|real|matter|heart"
    r"|core|end|beginning|subject|topic|new|nice|very|public\s+good)\b",
    re.IGNORECASE,
)
_IS_CLAUSE = re.compile(
    r"(?:how|what|when|where|happens|occurs|arises|says|states)\b", re.IGNORECASE
)
_SHORTEST_BODY = 3  # words; less says nothing
_LONGEST_BODY = 45  # words; more is a paragraph
_NO_TERM = word_set(
    """
    is are was were be been has have had not what which who whose when where why how to
    and or but if so as that this it its they these those we you i he she there here my
    our your their all some any every each no one two three first second third other
    another same for with from by on at into than do does can will would should could
    must may might only just then now called
    """
)


@dataclass(frozen=True, slots=True)
class Definition:
    """A term and what it means; ``body`` is a noun phrase, or a whole sentence.

    ``subject`` is the term as the sentence has it, with its article. ``needs_before``:
    the sentence names what the sentence before it says.
    """

    term: str
    subject: str
    body: str
    needs_before: bool = False

    @property
    def is_phrase(self) -> bool:
        """Whether the body can stand for the term, as "a fall of prices" can."""
        return not _IS_CLAUSE.match(self.body)


def definition(text: str) -> Definition | None:
    """Return what this statement defines, or None."""
    sentence = readable(text).rstrip(".!")
    if is_question(sentence) or is_talk(sentence):
        return None
    naming = _NAMES_WHAT_WAS_SAID.match(sentence)
    if naming:
        return _checked(naming, "", needs_before=True)
    if not stands_alone(sentence):
        return None
    for pattern in _FORWARD:
        if match := pattern.match(sentence):
            return _checked(match, match["body"])
    backward = _BACKWARD.match(sentence)
    return _checked(backward, backward["body"]) if backward else None


def _checked(
    match: re.Match[str], body: str, *, needs_before: bool = False
) -> Definition | None:
    if not _is_term(match["term"]):
        return None
    length = len(body.split())
    good_length = _SHORTEST_BODY <= length <= _LONGEST_BODY
    if not needs_before and (not good_length or _NO_DEFINITION.match(body)):
        return None
    term = match["term"].strip()
    subject = f"{match['article'] or ''} {term}".strip()
    return Definition(term, subject, body, needs_before)


def _is_term(term: str) -> bool:
    found = words(term)
    if not found or any(word.lower in _NO_TERM for word in found):
        return False
    last = found[-1]
    if last.stem in WEAK_ADJECTIVES | LECTURE_TALK or last.lower.endswith("ly"):
        return False
    if any(word.lower == "of" for word in (found[0], last)):
        return False
    return len(found) > 1 or (last.stem not in WEAK_NOUNS and len(last.stem) > 1)
