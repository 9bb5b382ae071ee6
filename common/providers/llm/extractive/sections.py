"""What belongs in each section of a summary, by the wording of the lines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Source = Literal[
    "lines", "chapters", "terms", "concepts", "questions", "prompts", "steps"
]


@dataclass(frozen=True, slots=True)
class Role:
    """How a section is filled.

    ``source`` says from what. For ``lines``: only those with the ``cue`` fit (None: the
    best of all). ``or_best``: without any that fits, the best unused lines stand in;
    else the section is left out, as a made-up one would be worse. ``beliefs``: what
    people wrongly believe belongs here, with the sentence that corrects it.
    """

    source: Source = "lines"
    cue: re.Pattern[str] | None = None
    or_best: bool = False
    most: int | None = None
    beliefs: bool = False


def _cue(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


_REASON = _cue(
    r"because|since|therefore|thus|hence|so that|that is why|as a result|leads? to"
    r"|causes?|reason|explains|if .+ then|due to|follows"
)
_AGAINST = _cue(
    r"but|however|although|whereas|while|others|critics?|not|cannot|instead|mistake"
    r"|unlike|rather than|nevertheless|despite"
)
_OPEN = _cue(
    r"whether|open question|not known|unknown|unclear|remains? (?:open|unclear|to be)"
    r"|nobody knows|not yet|debated?|disputed|still (?:not|an|open)|unsolved|disagree"
)

ROLES: Mapping[str, Role] = {
    "overview": Role("chapters"),
    "examinable_points": Role(
        cue=_cue(
            r"must|important|key|always|never|only|because|therefore|depends|kinds? of"
            r"|types? of|if|when|percent|equals?|rule|law|theory|formula|cannot|every"
        ),
        or_best=True,
    ),
    "definitions": Role("terms"),
    "key_terms": Role("terms"),
    "likely_questions": Role("questions"),
    "recall_prompts": Role("prompts"),
    "core_concepts": Role("concepts"),
    "relationships": Role(
        cue=_cue(
            r"both|whereas|between|leads? to|causes?|when|relat\w+|connect\w*|compared"
            r"|activates?|raises?|lowers?|increases?|becomes?|through|carry|carries"
            r"|part of|belongs? to|binds? to|equals|together"
        ),
        or_best=True,
    ),
    "dependencies": Role(
        cue=_cue(
            r"depends?|requires?|needs?|only if|if|unless|without|before|must|because"
            r"|possible|relies|rely|based on|at which|so that|cannot"
        ),
        or_best=True,
    ),
    "misconceptions": Role(
        cue=_cue(
            r"mistake|mistaken|(?:many|most|some) people (?:think|believe)|not true"
            r"|confus\w+|wrong(?:ly)?|misunderst\w+|is not|are not|does not|do not"
            r"|instead|myth|rather than|contrary|never mix"
        ),
        beliefs=True,
    ),
    "key_ideas": Role(or_best=True),
    "examples": Role(
        cue=_cue(
            r"for example|for instance|such as|imagine|suppose|percent|in \d{4}|e\.g"
            r"|an example|consider|case of|say|price of"
        )
    ),
    "analogy_bank": Role(
        cue=_cue(
            r"(?:work|works|looks?|acts?|behaves?|is|are|just|much|something) like"
            r"|as if|imagine|much as|similar to|think of|in the same way|the same way"
            r"|analog\w+|resembles?|comparable|picture"
        )
    ),
    "micro_chunks": Role("steps", or_best=True),
    "claims": Role(
        cue=_cue(
            r"argues?|argued|claims?|believe|should|must|shows? that|says? that|is the"
            r"|means|are the|cannot|always|never|matters?|said that|tends? to"
        ),
        or_best=True,
    ),
    "arguments": Role(cue=_REASON, or_best=True),
    "supporting_argument": Role(cue=_REASON, or_best=True),
    "evidence": Role(
        cue=_cue(
            r"percent|\d+|stud(?:y|ies)|experiments?|measured?|measurement|observed|showed"
            r"|shown|results?|found|for example|evidence|survey|nineteen|years?|months?"
        )
    ),
    "open_questions": Role(cue=_OPEN),
    "open_question": Role(cue=_OPEN, most=3),
    "main_claim": Role(or_best=True, most=2),
    "counterargument": Role(cue=_AGAINST),
    "critique": Role(
        cue=_cue(
            r"cannot|limit\w*|fails?|problem|weak\w*|bias|tends? to|overstates?|costly"
            r"|lags?|depends|mistakes?|dangerous|does not|do not|only|hardly|danger"
            r"|question|risk"
        )
    ),
}


def role(name: str) -> Role:
    """Return how a section of this name is filled.

    An unknown name is taken at its word: lines that say one of its words fit.
    """
    known = ROLES.get(name)
    if known:
        return known
    said = [re.escape(word) for word in re.split(r"[\W_]+", name.lower()) if word]
    return Role(cue=_cue("|".join(f"{word}s?" for word in said)), or_best=True)
