"""How far a transcription has come that waits for its pieces."""

from tests.conftest import spoken_wav


def percent(api):
    stage = api.get("/lectures/l1/progress").json["stages"]["transcription"]
    return stage["progressPercent"]


def run(worker, task):
    reply = worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
    assert reply.status_code == 200


def test_progress_moves_with_every_piece(api, worker, queue, speech, ingest):
    speech.max_chunk_ms = 2000
    ingest(spoken_wav(6))
    [plan] = queue.take()
    run(worker, plan)
    seen = [percent(api)]
    pieces = queue.take()
    for piece in pieces:
        run(worker, piece)
        seen.append(percent(api))
    worker.run_all(queue)

    assert len(pieces) > 1
    assert seen == sorted(set(seen))
    assert (seen[0], seen[-1]) == (10, 99)
    assert percent(api) == 100
