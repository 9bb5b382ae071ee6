"""What a video is about, as soon as transcript and metadata are both there."""

import pytest
from sqlalchemy import update

from common import jobs
from common.errors import ProviderUnavailable
from common.jobs import VideoSummary
from common.models import Job, Video
from common.providers.llm.extractive import ExtractiveModel
from tests import video_steps
from tests.video_steps import ABOUT, ID


@pytest.fixture
def summarise(db, deps, worker, queue):
    """Have the video summarised; return it and its job."""

    def run(found):
        with db.begin() as session:
            id_, _ = jobs.enqueue(session, VideoSummary(video_id=ID, provider="fake"))
        jobs.drain(deps.db, deps.queue.send)
        worker.run_all(queue)
        with db.begin() as session:
            return session.get(Video, found.id), session.get_one(Job, id_)

    return run


@pytest.fixture
def heard(db):
    found = video_steps.video(db, title="Cells", about=ABOUT)
    video_steps.heard(db, found)
    return found


def test_a_summary_has_the_length_and_the_questions_that_clients_show(heard, summarise):
    video, job = summarise(heard)
    assert job.state == "succeeded"
    assert 200 <= len(video.summary) <= 800
    assert len(set(video.suggested_questions)) == 3
    assert all(20 <= len(q) <= 120 for q in video.suggested_questions)


def test_one_that_somebody_sent_meanwhile_stays(db, heard, summarise, llm):
    def slow(material, remember):
        with db.begin() as session:
            session.execute(update(Video).values(summary="Theirs"))
        return ExtractiveModel().brief(material, remember)

    llm.brief = slow
    video, _ = summarise(heard)
    assert (video.summary, video.suggested_questions) == ("Theirs", None)


def test_without_a_transcript_there_is_nothing_to_sum_up(db, summarise, llm):
    video, job = summarise(video_steps.video(db))
    assert (video.summary, llm.calls) == (None, 0)
    assert (job.state, job.error_code) == ("failed", "transcript_missing")


def test_a_model_that_is_away_is_asked_again(heard, summarise, llm):
    llm.errors = [ProviderUnavailable()]
    video, job = summarise(heard)
    assert video.summary
    assert job.attempt == 2
