"""The doctor's probe of a bucket, through the vendors' own clients."""

from dataclasses import replace
from datetime import date

import pytest

from common import doctor
from common.doctor import storage
from tests.buckets import settings_for
from tests.loopback.gcs_faults import Fault
from tests.loopback.gcs_server import BUCKET


@pytest.fixture
def examine(deps):
    """Have a bucket examined; return its findings as (level, text)."""

    def report(mode, bucket):
        given = settings_for(mode, **{f"{mode.upper()}_BUCKET": BUCKET})
        examined = replace(deps, settings=given, storage=bucket)
        found = doctor.examine(
            examined, date(2026, 11, 21), {"storage": storage.usable}
        )
        return [(finding.level, finding.text) for _, finding in found]

    return report


@pytest.mark.parametrize("mode", ["gcs", "s3"])
def test_a_bucket_that_works_has_no_problem(examine, request, mode):
    bucket = request.getfixturevalue(mode)
    [signed, used] = examine(mode, bucket)
    assert signed == ("ok", "Downloads can be signed.")
    assert used[0] == "ok"
    assert used[1].startswith({"gcs": "gs://", "s3": "s3://"}[mode])
    assert "objects can be written, read and removed" in used[1]


@pytest.fixture
def faults(gcs_server):
    yield gcs_server.faults
    gcs_server.faults.clear()


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("POST", "an object cannot be written. Storage does not answer: HTTP 403."),
        ("DELETE", "an object cannot be removed. Storage does not answer: HTTP 403."),
    ],
)
def test_a_right_that_our_account_lacks(examine, gcs, faults, method, said):
    faults.add(Fault(status=403, method=method, times=None))
    problems = [text for level, text in examine("gcs", gcs) if level == "problem"]
    assert len(problems) == 1
    assert said in problems[0]
    assert "Check GCS_BUCKET, and what our account may do there" in problems[0]


def test_a_probe_of_a_bucket_leaves_nothing(examine, gcs, gcs_server):
    examine("gcs", gcs)
    assert gcs_server.store.names(BUCKET) == []
