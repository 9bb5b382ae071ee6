"""A client that sends a file to where the API says, in pieces if it likes."""

from urllib.parse import urlsplit

LECTURE = {
    "course_id": "c1",
    "lecture_id": "l1",
    "preset_id": "exam-mode",
    "title": "First lecture",
}


class Sender:
    """One file on its way through the API; ``api`` is a Flask test client."""

    def __init__(self, api, content, opened):
        self.api, self.content = api, content
        self.id = opened["uploadId"]
        self.url = opened["uploadUrl"]
        self.path = opened["storagePath"]

    def put(self, body=b"", place=None, **headers):
        """Send bytes as they are; ``place`` is the Content-Range."""
        if place:
            headers["Content-Range"] = place
        parts = urlsplit(self.url)
        address = f"{parts.path}?{parts.query}"
        return self.api.put(address, data=body, headers=headers)

    def send(self, start=0, stop=None):
        """Send a piece of the file with its place."""
        stop = len(self.content) if stop is None else stop
        place = f"bytes {start}-{stop - 1}/{len(self.content)}"
        return self.put(self.content[start:stop], place)

    def ask(self):
        """Return how many bytes are safe."""
        return self.put(place="bytes */*").json["offset"]

    def show(self):
        return self.api.get(f"/uploads/{self.id}").json

    def complete(self):
        return self.api.post(f"/uploads/{self.id}/complete")

    def abort(self):
        return self.api.delete(f"/uploads/{self.id}")


def announce(api, content, *, lecture=LECTURE, **fields):
    """Announce a file to the API; return its answer."""
    told = {
        "filename": "talk.wav",
        "contentType": "audio/wav",
        "sizeBytes": len(content),
        **fields,
    }
    return api.post("/uploads", json=told | ({"lecture": lecture} if lecture else {}))


def sender(api, content, **fields):
    """Announce a file; return who sends it."""
    reply = announce(api, content, **fields)
    assert reply.status_code == 201, reply.text
    return Sender(api, content, reply.json)


def sent(api, content, **fields):
    """Return a sender that has sent all."""
    found = sender(api, content, **fields)
    reply = found.put(content)
    assert reply.status_code == 200, reply.text
    return found
