"""Write ``schema.json`` anew: ``python -m common.events``."""

import json
from pathlib import Path

from common.events.facts import json_schema

SCHEMA = Path(__file__).with_name("schema.json")


def rendered() -> str:
    """Return the text of the file."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(rendered())
