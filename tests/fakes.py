"""Stand-ins for what a test must control. They are in no package that is shipped."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from common.briefs import Brief, BriefMaterial
from common.errors import ProviderUnavailable
from common.jobs import Task
from common.providers.llm import Remember
from common.providers.llm.extractive import ExtractiveModel
from common.providers.speech import BatchSpeech, Heard, Limits
from common.scenes import SceneMaterial, Scenes
from common.study import StudyDraft, StudyMaterial
from common.talk import Talk
from common.transcript import Engine, Segment
from common.usage import Usage

FAKE_SPEECH = Engine("fake", "fake-1")
FAKE_LLM = Engine("fake", "fake-llm")


@dataclass
class FakeQueue:
    """Keeps the tasks that it is given, once per name, until a test takes them."""

    down: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)

    def send(self, task: Task) -> None:
        self.check()
        self.tasks.setdefault(task.name, task)

    def check(self) -> None:
        if self.down:
            raise ProviderUnavailable("The task queue cannot be reached.")

    def take(self) -> list[Task]:
        """Return the waiting tasks, in the order in which they were sent."""
        waiting = list(self.tasks.values())
        self.tasks.clear()
        return waiting


@dataclass
class FakeSpeech:
    """Hears one sentence in each piece, and counts how often it was asked."""

    max_chunk_ms: int = 30_000
    calls: int = 0
    answer: Callable[[bytes], tuple[Segment, ...]] | None = None
    errors: list[Exception] = field(default_factory=list)
    engine: Engine = FAKE_SPEECH
    batch: BatchSpeech | None = None
    prompts: list[str | None] = field(default_factory=list)
    when_planned: Callable[[], object] | None = None  # called once

    @property
    def limits(self) -> Limits:
        if call := self.when_planned:
            self.when_planned = None
            call()
        return Limits(self.max_chunk_ms, 24_000_000)

    def recognize(
        self, flac: bytes, *, language: str, prompt: str | None = None
    ) -> Heard:
        self.calls += 1
        self.prompts.append(prompt)
        if self.errors:
            raise self.errors.pop(0)
        said = f"A piece of sound is a fact of physics, number {self.calls}."
        segments = self.answer(flac) if self.answer else (Segment(100, 900, said),)
        return Heard(segments, language, Usage("fake", "fake-1", audio_ms=1000))


@dataclass
class FakeLanguageModel:
    """The real extractive engine under another name, which can be told to fail.

    ``speak`` answers in a talk instead of it.
    """

    errors: list[Exception] = field(default_factory=list)
    calls: int = 0
    engine: Engine = FAKE_LLM
    speak: Callable[[Talk], Iterable[str | Usage]] | None = None

    def study(self, material: StudyMaterial, remember: Remember) -> StudyDraft:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return ExtractiveModel().study(material, remember)

    def chat(self, talk: Talk) -> Iterator[str | Usage]:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        yield from self.speak(talk) if self.speak else ExtractiveModel().chat(talk)

    def scenes(self, material: SceneMaterial, remember: Remember) -> Scenes:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return ExtractiveModel().scenes(material, remember)

    def brief(self, material: BriefMaterial, remember: Remember) -> Brief:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return ExtractiveModel().brief(material, remember)
