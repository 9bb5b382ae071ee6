"""A program as a person starts it: a process of its own, watched from outside."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self

import psutil

from tests.e2e.machine import clean_environment, descendants, survivors, wait_for

ROOT = Path(__file__).parents[2]
_LOOK_SECONDS = 0.1
_GONE_SECONDS = 12  # gunicorn's graceful 8, then the database


class Program:
    """``python -m MODULE`` with these arguments; ended in any case on leaving."""

    def __init__(self, module: str, *arguments: str, home: Path, **settings: str):
        self.home = home
        self._settings = {"PEGASUS_HOME": str(home), **settings}
        self._command = [sys.executable, "-m", module, *arguments]
        self._below: set[psutil.Process] = set()
        self._ended = threading.Event()
        # Files and not pipes: a full pipe would stop it.
        self._out = TemporaryFile()  # noqa: SIM115 - closed on leaving
        self._err = TemporaryFile()  # noqa: SIM115

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            cwd=ROOT,
            env=clean_environment() | self._settings,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
        )
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._ended.set()
        self._watch.join()
        for one in self._below:
            if one.is_running():
                one.kill()
        self._out.close()
        self._err.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def out(self) -> str:
        return self._read(self._out)

    @property
    def errors(self) -> str:
        return self._read(self._err)

    def below(self, part_of_command: str) -> list[psutil.Process]:
        """Return its children and theirs that have this in their command."""
        return [
            one
            for one in descendants(self.pid)
            if any(part_of_command in word for word in one.cmdline())
        ]

    def children(self, part_of_command: str) -> list[psutil.Process]:
        """Return those that it started itself."""
        return [one for one in self.below(part_of_command) if one.ppid() == self.pid]

    def shows(self, text: str) -> None:
        """Wait until it has written this on its output."""
        wait_for(lambda: text in self.out or self._process.poll() is not None)
        assert text in self.out, self.errors

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def exit_status(self, seconds: float = 60) -> int:
        return self._process.wait(seconds)

    def leaves_nothing(self) -> None:
        """Wait until all that it ever started is gone."""
        self._ended.set()
        self._watch.join()
        assert len(self._below) >= 5, "there was nothing to look at"
        wait_for(lambda: not survivors(self._below), seconds=_GONE_SECONDS)

    def _look(self) -> None:
        while not self._ended.is_set():
            self._below |= descendants(self.pid)
            self._ended.wait(_LOOK_SECONDS)

    @staticmethod
    def _read(file) -> str:
        size = os.fstat(file.fileno()).st_size
        return os.pread(file.fileno(), size, 0).decode()
