"""What the wording of a statement gives away: whether it can be read alone, what it is.

The cues are English; a statement in another language simply has none of them.
"""

import re
from collections.abc import Mapping

_LEAD_IN = re.compile(
    r"""^(?:
        (?:and|but|now|then|so(?!\s+(?:that|far|many|much|long|few|called)\b)|um+|uh+|er+
            |you\ know|i\ mean|okay|ok|alright|basically|remember|recall|note|notice
            |in\ other\ words|of\ course|in\ fact|as\ i\ said|you\ see)\b(?:,\s*|\s+)
        |(?:well|right|again|actually|therefore|thus|hence|also|moreover|furthermore|yes
            |however|finally|still|yet|indeed|first|second|third|secondly|next|then|here
            |clearly|similarly|likewise|unfortunately|fortunately|interestingly
            |of\ all|most\ importantly|in\ short|in\ particular|on\ the\ other\ hand
            |as\ a\ result|for\ this\ reason|for\ that\ reason|in\ practice|in\ general
            |strictly\ speaking|at\ the\ same\ time|to\ be\ precise|in\ this\ case),\s*
    )+(?:that\s+)?""",
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = ".!?。！？؟।…"  # noqa: RUF001
_CLAUSE_END = re.compile(
    r"(?:[;:—]|,? (?:but|because|whereas|although|which means|so that)"
    r"|, (?:and|so|which))\s"
)
_OPENS_CLAUSE = re.compile(
    r"(?:if|when|because|although|while|since|after|before|whether|as)\b", re.IGNORECASE
)
_FEWEST_IN_CLAUSE = 5  # words
_EXAMPLE_LEAD = re.compile(
    r"^(?:for (?:example|instance)|suppose|imagine|consider|say),?\s+", re.IGNORECASE
)
_BELIEF = re.compile(
    r"^(?:many|some|most|a lot of) (?:people|students|of us|of you) (?:often |still )?"
    r"(?:believe|think|assume|imagine|say)\b(?!.*\b(?:but|wrong|mistaken?|not true)\b)"
    r"|\b(?:myth|misconception) (?:is )?that\b",
    re.IGNORECASE,
)
_HESITATION = re.compile(r"\b(?:um+|uh+m*|er+m)\b,?\s*", re.IGNORECASE)
_TAG = re.compile(r",?\s+(?:right|okay|ok|you know|yeah)\s*[.?]?$", re.IGNORECASE)
_DANGLING_START = re.compile(
    r"""^(?:it|it's|its|this|that|that's|these|those|they|they're|their|them|he|she|his
    |her|him|such|which|who|whose|another|both|either|neither|otherwise|instead|than|or
    |of|is|are|was|were|has|been|be|does|to\ do|not|the\ (?:same|other|former|latter
    |rest|first|second|third|fourth|fifth|last|next|only|more|two|three)
    |the\ (?:[\w-]+\ )?(?:result|answer|reason|problem|question|difference|idea|point
        |trick|solution)|one\ (?:of|is|reason)
    |here|others?|what\ happens\ next|there\ (?:it|they|he|she)|one|two|three|four
    |with\ (?:this|that|these|it)
    |in\ (?:this|that|these|those|both)\b|for\ (?:this|that|these)|from\ (?:this|that)
    |at\ (?:this|that)|after\ (?:this|that)|some\ of\ (?:these|them)|each\ of\ (?:these
    |them)|most\ of\ (?:these|them)|all\ of\ (?:these|them|this)|by\ (?:this|that|then)
    |like\ (?:this|that)|into|onto|as\ (?:well|such)|so\ that|and|but|same)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_POINTS_BACK = re.compile(
    r"^(?:the|a|an|in|on|for|with)?\s*(?:[\w-]+\s+){0,2}"
    r"(?:this|these|those|them|such an?)\b"
    r"|^(?:because|whereas|although|though|since)\b[^,]*$"
    r"|\b(?:this|that|these|those) (?:questions?|reasons?|problems?|cases?|way|process"
    r"|points?|results?|ideas?|kinds?|effects?|selection|list|number)\b"
    r"|^(?:[\w-]+ ){1,5}(?:to|of|in|with|by|on|for|from) (?:it|them)\b"
    r"|\b(?:these|those)\b(?! (?:who|which|that|are|were)\b)"
    r"|\bthis (?!(?:is|was|means?|leads?|causes?|makes?|explains|gives|can|will|has)\b)"
    r"|^a (?:small|large|great|tiny) (?:number|part|share)\b(?! of)"
    r"|\b(?:as (?:above|before|shown|we (?:saw|said))"
    r"|just (?:saw|described|mentioned))\b",
    re.IGNORECASE,
)
_EMPTY_IT = re.compile(
    r"^it (?:is|was|remains) (?:[\w-]+ ){0,2}"
    r"(?:known|unknown|unclear|clear|possible|impossible|true|likely|unlikely|important"
    r"|necessary|easy|hard|difficult|useful|open|common|wrong)"
    r" (?:that|why|how|whether|to|what|if)\b",
    re.IGNORECASE,
)
_DANGLING_END = re.compile(
    r"\b(?:the|a|an|of|to|and|or|but|is|are|was|were|that|because|in|on|at|with|for|from"
    r"|by|which|who|if|when|than|as|so|we|you|i|they|its|their|our|can|will|not|be|very"
    r"|this|these|into|has|have|then|about|like|really|called)[.,]?$",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"""\b(?:let\ me|let\ us|let's|good\ (?:morning|afternoon|evening)|welcome
    |thank\ you|thanks|^today|today\ (?:we|i)\b|for\ today|yesterday|tomorrow
    |last\ (?:time|week|lecture|monday|tuesday|thursday)
    |next\ (?:time|week|lecture|slide|chapter)|see\ you|any\ questions|homework|on\ the
    \ (?:exam|slide|board|screen)|the\ exam|this\ (?:lecture|course|week|slide|morning)
    |i\ (?:will|want|am|think|hope|was|said|mean|would|have|don't|know|should|could
        |like)
    |i'm|i'll|i've|we\ (?:will|are\ going|shall\ see)|we'll|you'll|come\ (?:back|to)
    |turn\ to|look\ at|talk(?:ed|ing)?\ about|as\ you\ can\ see|can\ (?:you|everyone)
    |does\ that\ make\ sense|your\ (?:notes|textbook|book)|the\ (?:textbook|syllabus
    |handout|reading)|please|coffee|sorry|write\ (?:this|that|it)\ down|ask\ me
    |office\ hours|in\ mind|make\ sure|that'?s\ (?:it|all)|go\ on
    |we\ (?:can\ (?:now\ )?(?:explain|see|say|answer|define|ask)|see|saw|ask|have\ seen)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ASKS = re.compile(
    r"(?:what|why|how|who|where|when|which|is|are|do|does|can|could|should)"
    r" (?:is|are|do|does|did|can|could|should|would|will|we|you|the|it|this)\b",
    re.IGNORECASE,
)
_ASKS_NOT = re.compile(
    r"(?:when|where|what|how|who) (?:the|we|you|it|this)\b", re.IGNORECASE
)
_ASKS_WHAT_HAPPENS = re.compile(
    r"what happen(?:s|ed) (?:when|if|to|in|after)\b(?!.* is that\b)", re.IGNORECASE
)
_FACETS: Mapping[str, re.Pattern[str]] = {
    "what": re.compile(
        r"\b(?:(?:is|are) (?:an?|the|any|called|known as|defined)|means|refers to"
        r"|consists? of|kinds? of|types? of|stands for|by .{3,40} we mean)\b",
        re.IGNORECASE,
    ),
    "how": re.compile(
        r"\b(?:by \w+ing|in order to|steps?|works? (?:by|like)|using|procedure"
        r"|method|algorithm|process|mechanism|how|converts?|transforms?|first\b.*\bthen"
        r"|becomes?|begins? to|releases?|divides?|turns?|changes? into|much as"
        r"|through|turns? .{3,40} into)\b",
        re.IGNORECASE,
    ),
    "when": re.compile(
        r"\b(?:when(?:ever)?|before|after|during|until|while|once|as soon as|later"
        r"|(?:1[0-9]|20)\d\d|century|nineteen|seventies|every time|at night|by day"
        r"|finally|eventually)\b",
        re.IGNORECASE,
    ),
    "where": re.compile(
        r"\b(?:where|inside|outside|within|located|stored in|region|surface"
        r"|takes? place|in the (?:[\w-]+ ){0,2}(?:table|memory|cell|membrane|system"
        r"|world|field|layer|country|countries|north|south|middle|center|centre)|across|between|along)\b",
        re.IGNORECASE,
    ),
    "who": re.compile(
        r"\b(?:scientists?|researchers?|people|engineers?|philosophers?|economists?|who"
        r"|argued|argues|proposed|discovered|invented|according to|citizens?|critics?"
        r"|authors?|government|observers?|programmers?|patients?|students?)\b"
        r"|(?<=[a-z,] )[A-Z][a-z]+ [A-Z][a-z]+",
    ),
    "why": re.compile(
        r"\b(?:because|since|so that|therefore|the reason|leads? to|causes?|caused"
        r"|due to|as a result|consequence|in order to|purpose|thus|hence|otherwise"
        r"|why)\b",
        re.IGNORECASE,
    ),
}


def readable(text: str) -> str:
    """Return a statement as a sentence: no lead-in, a capital, a full stop."""
    text = _HESITATION.sub("", text).strip()
    bare = _TAG.sub("", _LEAD_IN.sub("", text)).strip(" ,;:-–—") or text  # noqa: RUF001
    bare = bare[:1].upper() + bare[1:]
    return bare if bare[-1:] in _CLOSING + '"”' else f"{bare}."


def stands_alone(text: str) -> bool:
    """Return whether a readable sentence is understood without the one before it."""
    bare = text.rstrip(".!")
    if _EMPTY_IT.search(bare):
        return True
    return not (_DANGLING_START.search(bare) or _POINTS_BACK.search(bare))


def is_complete(text: str) -> bool:
    """Return whether a statement, as it was said, is not cut off at its end."""
    return text[-1:] in _CLOSING or not _DANGLING_END.search(text)


def is_example(text: str) -> bool:
    """Return whether a readable sentence begins as an example of another."""
    return bool(_EXAMPLE_LEAD.search(text))


def first_clause(text: str, longest: int) -> str | None:
    """Return the sentence, or its first whole clause if it is longer than ``longest``.

    None if there is no short enough clause that makes sense by itself.
    """
    if len(text.split()) <= longest:
        return text
    for border in _CLAUSE_END.finditer(text):
        clause = text[: border.start()]
        if _FEWEST_IN_CLAUSE <= len(clause.split()) <= longest and not (
            _OPENS_CLAUSE.match(clause)
        ):
            return clause.rstrip(" ,;:") + "."
    return None


def is_talk(text: str) -> bool:
    """Return whether the lecturer speaks of the lecture instead of its subject."""
    return bool(_TALK.search(text))


def is_belief(text: str) -> bool:
    """Return whether this only reports what people believe, which may be wrong."""
    return bool(_BELIEF.search(text))


def is_question(text: str) -> bool:
    """Return whether this is a question, with a question mark or without."""
    if text.endswith(("?", "？", "؟")) or _ASKS_WHAT_HAPPENS.match(text):  # noqa: RUF001
        return True
    return bool(_ASKS.match(text)) and not _ASKS_NOT.match(text)


def facets(text: str) -> frozenset[str]:
    """Return which of what, how, when, where, who and why a sentence speaks to."""
    return frozenset(name for name, cue in _FACETS.items() if cue.search(text))
