#!/usr/bin/env bash
# Does a running Pegasus take a recording in, queue its job, and have a worker do it?
# Needs bash, curl and python3, and nothing of this repository.
#
#   API_BASE_URL=https://api.example.com scripts/smoke_worker_queue.sh
#
# Settings, with their defaults:
#   API_BASE_URL                        the API; required
#   SMOKE_BEARER_TOKEN                  sent with every request, if set
#   SMOKE_COURSE_ID=smoke-course        SMOKE_LECTURE_ID=smoke-lecture-<seconds>
#   SMOKE_TITLE="Smoke lecture"         SMOKE_PRESET_ID=exam     SMOKE_MODEL=base
#   SMOKE_TIMEOUT_SEC=300               SMOKE_POLL_INTERVAL_SEC=5
#   SMOKE_ACCEPT_FAILED_TERMINAL=1      a job that failed went through the queue, too
#   SMOKE_REQUIRE_QUEUE_PATH=1          the job must not have run inside the request
#   SMOKE_REQUIRE_QUEUED_TRANSITION=1   the same; where there is no queue, set one to 0
#   SMOKE_ALLOW_QUEUE_FALLBACK=0        1: an API that fell back to itself is good enough
#
# Exit status: 0 it works · 2 API_BASE_URL is missing or a setting is not valid ·
# 3 no jobId came back · 4 the job failed · 5 the job did not end in time · 6 the API
# fell back to running it inline · 7 it completed without having waited for a worker ·
# 8 it failed without that · 22 a request was refused or not answered.
set -euo pipefail

say() { printf 'smoke: %s\n' "$1" >&2; }
stop() { say "$2"; exit "$1"; }

[ -n "${API_BASE_URL:-}" ] || stop 2 "API_BASE_URL must be set."
api=${API_BASE_URL%/}
course_id=${SMOKE_COURSE_ID:-smoke-course}
lecture_id=${SMOKE_LECTURE_ID:-smoke-lecture-$(date +%s)}
title=${SMOKE_TITLE:-Smoke lecture}
preset_id=${SMOKE_PRESET_ID:-exam}
model=${SMOKE_MODEL:-base}
timeout_sec=${SMOKE_TIMEOUT_SEC:-300}
poll_sec=${SMOKE_POLL_INTERVAL_SEC:-5}
accept_failed=${SMOKE_ACCEPT_FAILED_TERMINAL:-1}
require_path=${SMOKE_REQUIRE_QUEUE_PATH:-1}
require_transition=${SMOKE_REQUIRE_QUEUED_TRANSITION:-1}
allow_fallback=${SMOKE_ALLOW_QUEUE_FALLBACK:-0}

[[ $timeout_sec =~ ^[0-9]+$ ]] || stop 2 "SMOKE_TIMEOUT_SEC must be whole seconds."
[[ $poll_sec =~ ^[0-9]+(\.[0-9]+)?$ ]] || stop 2 "SMOKE_POLL_INTERVAL_SEC must be seconds."
for switch in accept_failed require_path require_transition allow_fallback; do
  [[ ${!switch} =~ ^[01]$ ]] || stop 2 "$switch must be 0 or 1."
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The token goes through a file: arguments are shown to everybody on the machine.
(umask 077; : >"$work/headers")
if [ -n "${SMOKE_BEARER_TOKEN:-}" ]; then
  printf 'Authorization: Bearer %s\n' "$SMOKE_BEARER_TOKEN" >"$work/headers"
fi

# Save the body of an answer in a file; fail unless the request succeeds.
request() {
  local file=$1 code
  shift
  code=$(curl -sS --max-time 60 -H @"$work/headers" -o "$file" -w '%{http_code}' "$@") \
    && [[ $code == 2?? ]]
}

body() { head -c 2000 "$1" 2>/dev/null || echo "no answer"; }

# Print the value at a path of names in the JSON on standard input; nothing if absent.
field() {
  python3 -IS -c '
import json, sys
try:
    value = json.load(sys.stdin)
    for name in sys.argv[1:]:
        value = value[name]
except (ValueError, KeyError, TypeError):
    value = None
print("" if value is None else value)' "$@"
}

quoted() { python3 -IS -c 'import sys, urllib.parse as u; print(u.quote(sys.argv[1], safe=""))' "$1"; }

is_terminal() { [[ $1 =~ ^(completed|succeeded|failed)$ ]]; }

health() {
  request "$work/health" "$api/health" || stop 22 "GET /health: $(body "$work/health")"
  say "health: $(body "$work/health")"
}

ingest() {
  python3 -IS -c '
import sys, wave
with wave.open(sys.argv[1], "wb") as wav:
    wav.setnchannels(1)
    wav.setsampwidth(2)
    wav.setframerate(16000)
    wav.writeframes(bytes(2 * 16000))' "$work/smoke.wav"
  # Its job is asked for below, where its status is seen.
  request "$work/ingest" -X POST "$api/lectures/ingest" \
    --form-string "course_id=$course_id" --form-string "lecture_id=$lecture_id" \
    --form-string "preset_id=$preset_id" --form-string "title=$title" \
    --form-string "auto_transcribe=false" \
    -F "audio=@$work/smoke.wav;type=audio/wav" \
    || stop 22 "The upload was refused: $(body "$work/ingest")"
  say "ingested $lecture_id"
}

transcribe() {
  local path
  path="/lectures/$(quoted "$lecture_id")/transcribe?model=$(quoted "$model")"
  request "$work/job" -X POST "$api$path" \
    || stop 22 "The job was refused: $(body "$work/job")"
  job_id=$(field jobId <"$work/job")
  [ -n "$job_id" ] || stop 3 "The answer holds no jobId: $(body "$work/job")"
  status=$(field status <"$work/job")
  say "job $job_id is $status"
}

# A worker can be done before the first look at the job. What is true either way: a job
# that runs inside the request has ended when the request is answered, unless the
# queue is up and was used.
waited_for_a_worker() {
  [ "$seen_waiting" = 1 ] && return 0
  request "$work/ready" "$api/health/ready" \
    && [ "$(field checks queue status <"$work/ready")" = ok ]
}

poll() {
  local deadline=$((SECONDS + timeout_sec))
  seen_waiting=0
  while :; do
    is_terminal "$status" || seen_waiting=1
    # The answer to the request says nothing of a fallback; the job itself does.
    if request "$work/polled" "$api/jobs/$(quoted "$job_id")"; then
      local now
      now=$(field status <"$work/polled")
      [ "$now" = "$status" ] || say "job is $now"
      status=$now
      is_terminal "$status" && return 0
      seen_waiting=1
    else
      say "job cannot be read; trying again"
    fi
    ((SECONDS < deadline)) || stop 5 "The job is still $status after $timeout_sec s."
    sleep "$poll_sec"
  done
}

judge() {
  local outcome=completed
  [ "$status" = failed ] && outcome=failed
  if [ "$require_path" = 1 ] && [ "$allow_fallback" = 0 ]; then
    [ "$(field result queueFallback <"$work/polled")" != inline ] \
      || stop 6 "The API ran the job itself: $(field result reason <"$work/polled")"
    if [ "$require_transition" = 1 ] && ! waited_for_a_worker; then
      [ "$outcome" = completed ] || stop 8 "The job failed inside the request."
      stop 7 "The job completed inside the request."
    fi
  fi
  if [ "$outcome" = failed ]; then
    say "error: $(field error <"$work/polled")"
    [ "$accept_failed" = 1 ] || stop 4 "The job failed."
  fi
  say "ok: the job $outcome"
}

health
ingest
transcribe
poll
judge
