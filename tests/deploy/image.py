"""An image without Docker: the same steps, into folders, run by a stranger.

The packages are installed by the script that the Dockerfile runs; our code is copied as
the Dockerfile copies it, and neither can be written to by who runs it: the user of the
image, or where that user cannot reach our Python, root without any of its powers.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.dockerfile import ROOT, Target

_SCRIPT = ROOT / "scripts" / "image_install"


def packages(name: str) -> Path:
    """Return the virtual environment of an image; it is kept between runs."""
    wanted = ROOT / "requirements" / f"{name}.txt"
    sum_ = hashlib.sha256(wanted.read_bytes() + _SCRIPT.read_bytes())
    sum_.update(f"{sys.version} {sys.base_prefix}".encode())
    shelf = Path(tempfile.gettempdir()) / f"pegasus-images-{os.getuid()}"
    shelf.mkdir(exist_ok=True, mode=0o755)
    assert shelf.stat().st_uid == os.getuid(), "somebody else's"
    made = shelf / f"{name}-{sum_.hexdigest()[:16]}"
    if not (made / "whole").exists():
        for old in shelf.glob(f"{name}-*"):
            shutil.rmtree(old)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        subprocess.run(  # noqa: S603 - our own script
            [_SCRIPT, name, made], env={**os.environ, "PATH": path}, check=True
        )
        (made / "whole").touch()
    return made


@dataclass(frozen=True)
class Image:
    """A target's packages and our code, and how to run a command in it."""

    target: Target
    venv: Path
    app: Path
    scratch: Path

    def start(self, command: list[str], **environment: str) -> subprocess.Popen[str]:
        """Start a command as a container would, but for its walls."""
        given = {
            **self.target.environment,
            "PATH": f"{self.venv}/bin:/usr/bin:/bin",
            "TMPDIR": str(self.scratch),
            **environment,
        }
        return subprocess.Popen(  # noqa: S603 - our own commands
            [*self._as_stranger(), *command],
            cwd=self.app,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: list[str], **environment: str) -> str:
        """Run a command to its end; it must succeed. Return what it wrote."""
        process = self.start(command, **environment)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    def _as_stranger(self) -> list[str]:
        if os.getuid() != 0:  # then it is nobody's business who we are
            return []
        if not _is_open(Path(sys.base_prefix)):  # nobody but us could run this Python
            return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        user, group = self.target.user
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


def _is_open(folder: Path) -> bool:
    """Return whether everybody may walk into a folder."""
    return all(one.stat().st_mode & stat.S_IXOTH for one in (folder, *folder.parents))


@contextmanager
def image(name: str) -> Iterator[Image]:
    """Yield an image; all but its packages is gone afterwards."""
    target = Target(name)
    venv = packages(target.requirements)
    home = Path(tempfile.mkdtemp(prefix="pegasus-image-"))
    try:
        home.chmod(0o755)
        app, scratch = home / "app", home / "tmp"
        scratch.mkdir()
        for folder in target.folders:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / folder, app / folder, ignore=ignored)
        if os.getuid() == 0 and _is_open(Path(sys.base_prefix)):
            os.chown(scratch, *target.user)
        for path in (app, *app.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield Image(target, venv, app, scratch)
    finally:
        for path in (home, *home.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(home)
