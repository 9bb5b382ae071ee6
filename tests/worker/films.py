"""Films of a project with sound in them, and jobs about them as their clients ask."""

from io import BytesIO

from common.models import Job, Recording, SceneRun
from tests import factories
from tests.worker.talks import recorded


def film(db, storage, project="demo", sound=None):
    """Return a file of a project whose bytes are there."""
    found = factories.asset(db, project)
    with db.begin() as session:
        key = session.get_one(Recording, found.recording_id).object_key
    storage.write(key, BytesIO(recorded() if sound is None else sound))
    return found


class Client:
    """Who asks for jobs over the API and has the worker do them."""

    def __init__(self, api, worker, queue, db):
        self.api, self.worker, self.queue, self.db = api, worker, queue, db

    def ask(self, job_type, asset, **payload):
        """Return the answer to a new job, which nobody has begun."""
        sent = {"job_type": job_type, "payload": {"asset_id": str(asset.id), **payload}}
        return self.api.post(f"/projects/{asset.project_id}/jobs", json=sent)

    def done(self, job_type, asset, **payload):
        """Return a job that has come to its end."""
        reply = self.ask(job_type, asset, **payload)
        assert reply.status_code == 201, reply.text
        self.worker.run_all(self.queue)
        return self.job(reply.json)

    def job(self, told):
        return self.api.get(f"/projects/{told['project_id']}/jobs/{told['id']}").json

    def state(self, told):
        with self.db.begin() as session:
            return session.get_one(Job, told["id"])

    def runs(self):
        with self.db.begin() as session:
            return list(session.query(SceneRun).order_by(SceneRun.asked_at))


def lines(told):
    return [line["message"] for line in told["logs"]]
