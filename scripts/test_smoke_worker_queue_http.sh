#!/usr/bin/env bash
# Run all of smoke_worker_queue.sh, with the real curl, against a small API that only
# pretends. Proves nothing about any deployment. Exit status 0: all as expected.
set -euo pipefail
smoke=$(cd "$(dirname "$0")" && pwd)/smoke_worker_queue.sh
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

# The token that a request carries says how this API behaves; none: as it should.
cat >"$work/api.py" <<'API'
import json
import sys
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs, urlsplit

FIELDS = {"course_id", "lecture_id", "preset_id", "title", "auto_transcribe", "audio"}
looks = {}


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    @property
    def manner(self):
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def answer(self, document, status=200):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/health":
            return self.answer({"status": "ok"}, 503 if self.manner == "ill" else 200)
        if path == "/health/ready":
            return self.answer({"checks": {"queue": {"status": "skipped"}}})
        if not path.startswith("/jobs/"):
            return self.answer({"detail": "Not Found"}, 404)
        return self.answer(self.job())

    def job(self):
        states = {
            "": ["queued", "running", "completed"],
            "old": ["queued", "running", "succeeded"],
            "failing": ["running", "failed"],
            "stuck": ["queued"],
            "fallback": ["completed"],
            "inline": ["completed"],
            "inline-failing": ["failed"],
        }[self.manner]
        look = next(looks.setdefault(self.manner, count()))
        result = {"queueFallback": "inline"} if self.manner == "fallback" else None
        status = states[min(look, len(states) - 1)]
        return {"id": "j", "status": status, "result": result, "error": None}

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        if url.path == "/lectures/ingest":
            return self.ingest(body)
        if url.path != "/lectures/smoke%20lecture/transcribe":
            return self.answer({"detail": "Not Found"}, 404)
        if parse_qs(url.query) != {"model": ["base"]}:
            return self.answer({"detail": "another model"}, 400)
        status = {"inline": "completed", "inline-failing": "failed"}
        job = {"jobId": "j", "status": status.get(self.manner, "queued")}
        return self.answer({} if self.manner == "nameless" else job)

    def ingest(self, body):
        kind = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser(policy=HTTP).parsebytes(kind + body)
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in form.iter_parts()
        }
        audio = parts.get("audio")
        sound = audio.get_payload(decode=True) if audio else b""
        good = parts.keys() == FIELDS and sound[:4] == b"RIFF" and len(sound) == 32044
        good = good and audio.get_content_type() == "audio/wav"
        if self.manner == "refusing" or not good:
            return self.answer({"detail": sorted(parts)}, 400)
        return self.answer({"lectureId": "smoke lecture"})


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
print(server.server_port, flush=True)
server.serve_forever()
API

python3 "$work/api.py" >"$work/port" 2>"$work/api.log" &
server=$!
for _ in $(seq 100); do
  [ -s "$work/port" ] && break
  sleep 0.1
done
API_BASE_URL=http://127.0.0.1:$(cat "$work/port")

failures=0
# check EXPECTED MANNER NAME=VALUE... : settings of the smoke script
check() {
  local expected=$1 manner=$2 got=0
  shift 2
  env -u http_proxy -u HTTP_PROXY API_BASE_URL="$API_BASE_URL/" SMOKE_POLL_INTERVAL_SEC=0 \
    SMOKE_LECTURE_ID="smoke lecture" SMOKE_BEARER_TOKEN="$manner" SMOKE_TIMEOUT_SEC=20 \
    "$@" "$smoke" 2>"$work/log" || got=$?
  if [ "$got" = "$expected" ]; then
    echo "ok   ${manner:-as it should} $* (exit $got)"
  else
    echo "FAIL ${manner:-as it should} $*: exit $got, expected $expected"
    sed 's/^/     /' "$work/log" "$work/api.log"
    failures=$((failures + 1))
  fi
}

check 0 ""
check 0 old
check 0 failing
check 4 failing SMOKE_ACCEPT_FAILED_TERMINAL=0
check 5 stuck SMOKE_TIMEOUT_SEC=0
check 6 fallback
check 0 fallback SMOKE_ALLOW_QUEUE_FALLBACK=1
check 7 inline
check 0 inline SMOKE_REQUIRE_QUEUE_PATH=0
check 0 inline SMOKE_REQUIRE_QUEUED_TRANSITION=0
check 8 inline-failing
check 3 nameless
check 22 refusing
check 22 ill
check 22 "" SMOKE_MODEL=another
check 22 "" API_BASE_URL=http://127.0.0.1:1

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
