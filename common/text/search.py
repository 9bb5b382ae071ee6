"""In which words a text is looked up: PostgreSQL's configuration for its language."""

from collections.abc import Mapping

SIMPLE = "simple"  # every word as it stands

# Those of every PostgreSQL since 14, by ISO 639-1.
CONFIGURATIONS: Mapping[str, str] = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
_NAMES = frozenset(CONFIGURATIONS.values())  # some recognisers answer "english"


def words_of(language: str) -> str:
    """Return the configuration for a language: ``en-US``, ``de`` or ``english``.

    One that PostgreSQL has no stemmer for is searched by its words as they stand.
    """
    name = language.strip().lower().replace("_", "-").partition("-")[0]
    if name in _NAMES:
        return name
    return CONFIGURATIONS.get(name, SIMPLE)
