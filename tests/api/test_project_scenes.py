"""Scenes of a project's film: those asked for last, and which of them."""

from datetime import timedelta
from uuid import uuid4

import pytest

from common.ids import new_id
from common.models import SceneRun
from tests import factories


def scene(title, start, *, confidence=0.5, tags=(), priority=1):
    return {
        "id": str(new_id()),
        "title": title,
        "description": "D",
        "start": start,
        "end": start + 2.5,
        "duration": 2.5,
        "confidence": confidence,
        "priority": priority,
        "tags": list(tags),
        "metadata": {},
    }


SCENES = [
    scene("a", 0.0, confidence=0.87, tags=["hook", "challenge"]),
    scene("b", 5.0, confidence=0.4, tags=["joke"], priority=2),
    scene("c", 9.0, confidence=None, tags=["hook"], priority=3),
]


def run(db, asset, minute=0, scenes=SCENES, name="h"):
    values = {
        "id": new_id(),
        "asset_id": asset.id,
        "parameters_hash": f"{name}{minute}",
        "parameters": {"tone": "calm", "criteria": None, "max_scenes": 3},
        "usage": {"requests": 1, "total_tokens": 945},
        "scenes": scenes,
        "about": {"request_hash": "eb43", "raw_metadata": {"notes": "n"}},
        "asked_at": factories.START + timedelta(minutes=minute),
        "created_at": factories.START,
    }
    return factories.save(db, SceneRun(**values))


@pytest.fixture
def asset(db):
    return factories.asset(db)


def get(api, asset, **query):
    path = f"/projects/{asset.project_id}/videos/{asset.id}/ai/scenes"
    return api.get(path, query_string=query)


def titles(reply):
    return [one["title"] for one in reply.json["scenes"]]


def test_an_analysis_is_shown_as_its_clients_know_it(api, db, asset):
    found = run(db, asset)
    assert get(api, asset).json == {
        "asset_id": str(asset.id),
        "project_id": "demo",
        "request_id": str(found.id),
        "generated_at": "2026-11-20T20:00:00.000000Z",
        "parameters": found.parameters,
        "usage": found.usage,
        "metadata": found.about,
        "scenes": SCENES,
    }


def test_the_one_asked_for_last_is_shown_and_others_by_name(api, db, asset):
    older = run(db, asset, minute=1, scenes=SCENES[:1])
    run(db, asset, minute=3, scenes=SCENES[1:2])
    run(db, asset, minute=2)
    assert titles(get(api, asset)) == ["b"]
    assert titles(get(api, asset, analysis_id=older.id)) == ["a"]


def test_it_costs_one_statement(api, db, asset, statements):
    run(db, asset)
    statements.clear()
    get(api, asset)
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["a", "b", "c"]),
        ({"min_confidence": 0.5}, ["a"]),
        ({"min_confidence": 0}, ["a", "b"]),
        ({"tag": "Hook"}, ["a", "c"]),
        ({"tag": ["joke", "challenge"]}, ["a", "b"]),
        ({"tag": ""}, ["a", "b", "c"]),
        ({"tag": "none"}, []),
        ({"tag": "hook", "min_confidence": 0.1}, ["a"]),
        ({"limit": 2}, ["a", "b"]),
    ],
)
def test_scenes_can_be_filtered(api, db, asset, query, expected):
    run(db, asset)
    assert titles(get(api, asset, **query)) == expected


@pytest.mark.parametrize(
    "query", [{"min_confidence": 2}, {"analysis_id": "x"}, {"limit": -1}]
)
def test_a_wrong_filter_is_refused(api, db, asset, query):
    run(db, asset)
    assert get(api, asset, **query).status_code == 422


def test_what_is_not_there_is_not_found(api, db, asset):
    assert get(api, asset).json["detail"] == "Scene analysis not available"
    theirs = factories.asset(db, "theirs")
    foreign = run(db, theirs)
    run(db, asset)
    assert get(api, asset, analysis_id=foreign.id).status_code == 404
    for project, id_ in (("demo", theirs.id), ("demo", uuid4()), ("demo", "no-id")):
        reply = api.get(f"/projects/{project}/videos/{id_}/ai/scenes")
        assert reply.status_code == 404
