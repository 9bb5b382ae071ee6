"""scripts/drill_backup_restore: what was backed up comes back, and a loss is seen."""

import re

import av
import pytest

from common.local import backup_drill
from common.local.backup_drill import DrillFailed
from tests.e2e.machine import new_home
from tests.e2e.program import ROOT, Program

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def short_lecture(tmp_path_factory):
    """Return the first seconds of the sample."""
    target_path = tmp_path_factory.mktemp("spoken") / "short.mp3"
    sample = ROOT / "examples" / "how_vaccines_work.mp3"
    with av.open(sample) as source, av.open(target_path, "w") as target:
        [heard] = source.streams.audio
        stream = target.add_stream_from_template(heard)
        for packet in source.demux(heard):
            if packet.dts is None or packet.dts * (heard.time_base or 0) > 12:
                break
            packet.stream = stream
            target.mux(packet)
    return target_path


def test_everything_comes_back(short_lecture):
    with new_home() as home:
        module = "common.local.backup_drill"
        with Program(module, str(short_lecture), home=home) as drill:
            assert drill.exit_status(120) == 0, drill.errors
            steps = re.findall(r"^(.+?) +[\d.]+ s$", drill.out, re.MULTILINE)
            assert steps == [
                "back up",
                "make a lecture",
                "lose everything",
                "restore",
                "look",
            ]
            assert re.search(r"ok: \d\d things are as they were\n$", drill.out)
            drill.leaves_nothing()


def test_a_file_that_is_not_restored_is_seen(short_lecture, tmp_path, monkeypatch):
    restore = backup_drill._restore  # noqa: SLF001 - the step that is sabotaged

    def forget(url, backup):
        [lost] = (backup / "storage" / "transcripts").rglob("*.json")
        lost.unlink()
        restore(url, backup)

    monkeypatch.setattr(backup_drill, "_restore", forget)
    with new_home() as home, pytest.raises(DrillFailed, match="missing_file"):
        backup_drill._run(short_lecture, home)  # noqa: SLF001


def test_a_row_that_is_not_restored_is_seen():
    before = {"table lectures": "1 a", "table jobs": "3 b"}
    after = {"table lectures": "1 a", "table jobs": "2 c"}
    with pytest.raises(DrillFailed, match=r"Not as it was: table jobs\."):
        backup_drill._require_same(before, after)  # noqa: SLF001
