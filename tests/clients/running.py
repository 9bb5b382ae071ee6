"""Clients of ours in JavaScript: they read streams as the web frontends do."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_PATIENCE_SECONDS = 60


def run(script: str, **given: Any) -> Any:
    """Run a script of this folder with Node; return the JSON that it prints.

    ``given`` is what it reads as JSON from its standard input.
    """
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI") == "true":
            pytest.fail("node is not installed")
        pytest.skip("node is not installed")
    done = subprocess.run(  # noqa: S603 - one of our own scripts
        [node, Path(__file__).with_name(script)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
