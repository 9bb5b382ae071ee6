"""What language models are told: one Markdown file per prompt and version.

A change of meaning is a new file with a new version, so that an old result can
still be explained.
"""

from functools import cache
from importlib.resources import files
from string import Template


@cache
def _template(name: str) -> Template:
    return Template((files(__name__) / f"{name}.md").read_text("utf-8").strip())


def prompt(name: str, /, **values: str) -> str:
    """Return the prompt ``name`` with every ``$value`` filled in.

    Dollar signs inside the values stay as they are.

    Raises:
        KeyError: the prompt has a value that is not given.
    """
    return _template(name).substitute(values)
