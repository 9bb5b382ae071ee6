"""What cloudbuild.yaml has built, read once."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BUILD: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
STEPS = [
    step["args"][1] for step in BUILD["steps"] if step["args"][0] == "scripts/deploy"
]


def environment() -> dict[str, str]:
    """Return the variables of all steps."""
    return dict(line.split("=", 1) for line in BUILD["options"]["env"])
