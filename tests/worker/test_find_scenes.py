"""Scenes of a project's film, by a language model we control."""

import pytest
from sqlalchemy import delete, func, select

from common.errors import ProviderAuthError, ProviderBusy, ProviderUnavailable
from common.models import Asset, UsageEntry
from common.providers.llm import Reply
from common.scenes import Proposals, checked
from common.usage import Estimate, Usage
from tests import invariants
from tests.worker.films import Client, film, lines

USED = Usage("fake", "fake-llm", input_tokens=700, output_tokens=245)
PROPOSED = {
    "scenes": [
        {"title": "Good", "start": 0.5, "end": 9, "confidence": 87, "priority": 1},
        {"title": "Beyond", "start": 900, "end": 999, "priority": 2},
        {"title": "Late", "start": 12, "end": 99, "priority": 3},
    ],
    "notes": "n",
}


@pytest.fixture
def client(api, worker, queue, db):
    return Client(api, worker, queue, db)


@pytest.fixture
def asset(db, deps, client):
    """A film of 15.5 s with a transcript."""
    found = film(db, deps.storage)
    client.done("transcription", found)
    return found


@pytest.fixture
def paid(llm, monkeypatch):
    """A model whose answers cost; returns what it was asked."""
    asked = []

    def scenes(material, remember):
        def call():
            llm.calls += 1
            if llm.errors:
                raise llm.errors.pop(0)
            return Reply(PROPOSED, USED)

        asked.append(material)
        told = remember(f"scenes:{material.wishes}", call, Estimate("fake", "f", 10))
        return checked(Proposals.model_validate(told).scenes, material, told["notes"])

    monkeypatch.setattr(llm, "scenes", scenes)
    return asked


def calls_paid(db):
    with db.begin() as session:
        by_model = UsageEntry.model == USED.model
        return session.scalar(select(func.count(UsageEntry.id)).where(by_model))


def test_a_film_gets_its_scenes(client, asset, paid, db):
    job = client.done("scene_detection", asset, tone="inspirational", max_scenes=3)

    assert job["status"] == "completed"
    [run] = client.runs()
    result = job["result"]
    assert result["analysis_id"] == str(run.id)
    assert (result["asset_id"], result["scenes"]) == (str(asset.id), 2)
    assert result["cached"] is False
    assert result["usage"]["total_tokens"] == 945
    assert result["usage"]["requests"] == 1
    invariants.check(db, at_rest=True)


def test_scenes_lie_within_the_film_and_bad_ones_are_counted(client, asset, paid):
    client.done("scene_detection", asset)
    [run] = client.runs()
    told = [(s["title"], s["start"], s["end"], s["confidence"]) for s in run.scenes]
    assert told == [("Good", 0.5, 9.0, 0.87), ("Late", 12.0, 15.5, None)]
    assert run.about["dropped"] == {"bad": 1, "surplus": 0}


def test_its_log_is_what_people_know(client, asset, paid):
    job = client.done("scene_detection", asset, tone="calm", criteria="jokes")
    assert lines(job) == [
        "Job queued",
        "Job started",
        "Starting scene analysis",
        "Preparing scene analysis",
        "Persisting scene recommendations",
        "Scene detection completed",
        "Job completed successfully",
    ]
    begun = next(one for one in job["logs"] if one["message"].startswith("Starting"))
    assert begun["details"] == {
        "asset_id": str(asset.id),
        "tone": "calm",
        "criteria": "jokes",
        "max_scenes": 5,
        "force": False,
    }


def test_all_wishes_reach_the_model(client, asset, paid):
    wishes = {"tone": "calm", "criteria": "jokes", "instructions": "No faces."}
    client.done("scene_detection", asset, **wishes, max_scenes="7")
    [material] = paid
    assert material.wishes.max_scenes == 7
    assert (material.wishes.tone, material.wishes.criteria) == ("calm", "jokes")
    assert material.wishes.instructions == "No faces."
    assert material.total_ms == 15_500


def test_older_names_of_wishes_are_understood(client, asset, paid):
    client.done("scene_detection", asset, style="calm", highlight_criteria="jokes")
    assert (paid[0].wishes.tone, paid[0].wishes.criteria) == ("calm", "jokes")


def test_a_number_that_is_none_means_the_usual(client, asset, paid):
    client.done("scene_detection", asset, max_scenes="many")
    assert paid[0].wishes.max_scenes == 5


def test_a_then_b_then_a_is_paid_for_twice(client, asset, paid, llm, db):
    first = client.done("scene_detection", asset, tone="a")
    client.done("scene_detection", asset, tone="b")
    again = client.done("scene_detection", asset, tone="a")

    assert llm.calls == calls_paid(db) == 2
    assert again["result"] == first["result"] | {"cached": True}
    assert len(client.runs()) == 2


@pytest.mark.parametrize(
    "other",
    [{"tone": "b"}, {"criteria": "b"}, {"instructions": "b"}, {"max_scenes": 2}],
)
def test_each_wish_is_another_question(client, asset, paid, llm, other):
    client.done("scene_detection", asset)
    client.done("scene_detection", asset, **other)
    assert (llm.calls, len(client.runs())) == (2, 2)


def test_force_asks_again_and_replaces(client, asset, paid, llm):
    first = client.done("scene_detection", asset)
    forced = client.done("scene_detection", asset, force=True)
    assert (llm.calls, forced["result"]["cached"]) == (2, False)
    [run] = client.runs()
    assert str(run.id) == forced["result"]["analysis_id"]
    assert str(run.id) != first["result"]["analysis_id"]


def test_another_transcript_is_another_question(client, asset, paid, llm, speech):
    client.done("scene_detection", asset)
    client.done("transcription", asset, language="de")
    client.done("scene_detection", asset)
    assert llm.calls == 2


def test_three_that_ask_at_once_pay_once(client, asset, paid, llm, db):
    told = [client.ask("scene_detection", asset).json for _ in range(3)]
    client.worker.run_all(client.queue)
    assert llm.calls == calls_paid(db) == 1
    assert len({one["id"] for one in told}) == 1  # they wait for the same job
    assert client.job(told[0])["status"] == "completed"


def test_what_fails_for_now_is_tried_again(client, asset, paid, llm):
    llm.errors = [ProviderUnavailable(), ProviderBusy(retry_after_seconds=1)]
    told = client.ask("scene_detection", asset).json
    for _ in range(3):
        client.worker.run_all(client.queue)
    assert client.job(told)["status"] == "completed"
    assert llm.calls == 3


def test_a_wrong_key_is_called_once_and_fails_at_once(client, asset, paid, llm):
    llm.errors = [ProviderAuthError("The key is wrong.")] * 9
    job = client.done("scene_detection", asset)
    assert (job["status"], job["attempts"], llm.calls) == ("failed", 1, 1)
    assert client.runs() == []


def test_without_a_transcript_it_is_refused_at_the_door(client, db, deps, queue):
    reply = client.ask("scene_detection", film(db, deps.storage))
    assert reply.status_code == 409
    text = "Transcript is required before running scene detection"
    assert reply.json["detail"] == text
    assert queue.take() == []


def test_a_film_that_is_gone_leaves_nothing(client, asset, paid, llm, db, monkeypatch):
    told = client.ask("scene_detection", asset).json
    with db.begin() as session:
        session.execute(delete(Asset).where(Asset.id == asset.id))
    client.worker.run_all(client.queue)
    assert client.state(told).error_code == "not_found"
    assert (client.runs(), llm.calls) == ([], 0)


@pytest.mark.parametrize(
    "payload",
    [{"max_scenes": 0}, {"max_scenes": 51}, {"tone": "x" * 1001}, {"tone": ["a"]}],
)
def test_a_wrong_wish_is_refused_at_the_door(client, asset, payload, queue):
    assert client.ask("scene_detection", asset, **payload).status_code == 422
    assert queue.take() == []


def test_without_a_model_scenes_are_found_as_well(client, asset):
    job = client.done("scene_detection", asset)
    assert job["status"] == "completed"
    [run] = client.runs()
    assert "without a language model" in run.about["raw_metadata"]["notes"]
    assert run.usage["requests"] == 0
