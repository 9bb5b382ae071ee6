"""Programs that only note how they are called, and answer what a test tells them."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

# One line per call. The answers are branches of a shell's "case", first match first.
_PROGRAM = """#!/bin/bash
call="${0##*/} $*"
printf '%s\\n' "${call//$'\\n'/ }" >> "$FAKES/calls"
case $call in
BRANCHES
esac
"""


@dataclass
class Machine:
    """A copy of some scripts on a machine where nothing real can be called."""

    folder: Path
    programs: tuple[str, ...] = ("gcloud", "docker", "curl")
    answers: list[tuple[str, str]] = field(default_factory=list)

    def bring(self, script: str) -> None:
        """Copy a script of ours to where it will be run."""
        target = self.folder / "scripts" / script
        target.parent.mkdir(exist_ok=True)
        target.write_text((ROOT / "scripts" / script).read_text())
        target.chmod(0o755)

    def answer(self, pattern: str, command: str) -> None:
        """Have calls that match run a command of the shell; later ones go first."""
        self.answers.insert(0, (pattern, command))

    def run(self, script: str, *arguments: str, **environment: str):
        """Run a script with only our programs beside the usual small ones."""
        fakes = self.folder / "fakes"
        fakes.mkdir(exist_ok=True)
        branches = "\n".join(f"  {p}) {c} ;;" for p, c in self.answers)
        for name in self.programs:
            (fakes / name).write_text(_PROGRAM.replace("BRANCHES", branches))
            (fakes / name).chmod(0o755)
        (fakes / "calls").touch()
        given = {"PATH": f"{fakes}:/usr/bin:/bin", "FAKES": str(fakes), **environment}
        return subprocess.run(  # noqa: S603 - our own scripts
            [self.folder / "scripts" / script, *arguments],
            cwd=self.folder,
            env={"HOME": os.environ.get("HOME", "/"), **given},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def calls(self) -> list[str]:
        """How the programs were called, in order."""
        return (self.folder / "fakes" / "calls").read_text().splitlines()

    def called(self, *words: str) -> list[str]:
        """Return the calls that contain all of these words."""
        return [call for call in self.calls if all(word in call for word in words)]

    def forget(self) -> None:
        """Forget all calls so far."""
        (self.folder / "fakes" / "calls").write_text("")
