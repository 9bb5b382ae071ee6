"""The wording by which a line is known to suit a type of question."""

import re

CONTRAST = re.compile(
    r"\b(?:but|however|although|whereas|while|rather than|instead|others"
    r"|unlike)\b",
    re.IGNORECASE,
)
CLAIM = re.compile(
    r"\b(?:should|must|argues?|argued|believe|claims?|cannot|matters?"
    r"|because|therefore|leads? to|dangerous|important|costly)\b",
    re.IGNORECASE,
)
NORM = re.compile(
    r"\b(?:should|ought|must|good|bad|better|worse|dangerous|harmful|costly|fair|right"
    r"|wrong|duty|justif\w+|risk|refuse|target|danger)\b",
    re.IGNORECASE,
)
SEQUENCE = re.compile(r"^(?:(?:and )?then|next|after that|second)\b", re.IGNORECASE)
RULE = re.compile(
    r"^(?!.*\b(?:not known|unknown|open question|whether)\b).*\b(?:if|when|because|must"
    r"|by \w+ing|leads? to|so that|tends? to|lowers?|raises?)\b",
    re.IGNORECASE,
)
NEEDS = re.compile(
    r"\b(?:depends? on|requires?|needs?|without|only if|unless|must)\b", re.IGNORECASE
)
