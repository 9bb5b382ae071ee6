"""The Dockerfile, read: its stages, and what a target of it consists of."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()


@dataclass
class Stage:
    """One FROM and what follows: instructions in order, as (word, rest of the line)."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


def stages() -> dict[str, Stage]:
    """Return all stages in their order."""
    found: dict[str, Stage] = {}
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = Stage(name, base)
        elif found:
            list(found.values())[-1].instructions.append((word, rest.strip()))
    return found


@dataclass(frozen=True)
class Target:
    """What ``docker build --target`` would make."""

    name: str

    def lines(self, word: str) -> Iterator[str]:
        """Yield the instructions of this word, those of the bases first."""
        all_stages, chain = stages(), [self.name]
        while (base := all_stages[chain[0]].base) in all_stages:
            chain.insert(0, base)
        for name in chain:
            yield from (r for w, r in all_stages[name].instructions if w == word)

    @property
    def folders(self) -> list[str]:
        """Our folders in it."""
        copied = [line.split() for line in self.lines("COPY") if "--from" not in line]
        assert all(len(words) == 2 and words[0] == words[1] for words in copied), copied
        return [words[0] for words in copied]

    @property
    def requirements(self) -> str:
        """Which packages it gets, as scripts/image_install calls them."""
        [line] = [line for line in self.lines("COPY") if "--from" in line]
        [(stage, source, target)] = re.findall(r"^--from=(\S+) (\S+) (\S+)$", line)
        assert source == target == "/venv"
        [run] = [r for w, r in stages()[stage].instructions if w == "RUN"]
        [(name, folder)] = re.findall(r"^scripts/image_install (\w+) (\S+)$", run)
        assert folder == "/venv"
        return str(name)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that are set in it."""
        pairs = [pair for line in self.lines("ENV") for pair in line.split()]
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def user(self) -> tuple[int, int]:
        """Who its processes are: user and group."""
        user, group = list(self.lines("USER"))[-1].split(":")
        return int(user), int(group)

    @property
    def command(self) -> list[str]:
        """What it runs."""
        words: list[str] = json.loads(list(self.lines("CMD"))[-1])
        return words
