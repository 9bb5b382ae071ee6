"""One lecture all the way through, by the front doors of both services."""


def test_a_recording_becomes_a_study_pack(api, worker, queue, ingest):
    assert ingest().status_code == 200
    worker.run_all(queue)
    assert api.get("/lectures/l1").json["status"] == "transcribed"

    api.post("/lectures/l1/generate", json={})
    worker.run_all(queue)
    api.post("/lectures/l1/export")
    worker.run_all(queue)

    summary = api.get("/lectures/l1/summary").json
    assert summary["overallStatus"] == "completed"
    assert summary["artifactCount"] == 5
    assert api.get("/exports/l1/pdf").data.startswith(b"%PDF")
