#!/usr/bin/env bash
# Test the branches of smoke_worker_queue.sh with a curl that answers from a script.
# Proves nothing about any deployment. Exit status 0: all as expected.
set -euo pipefail
smoke=$(cd "$(dirname "$0")" && pwd)/smoke_worker_queue.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

# Stands in for curl: the body that the scenario has for this URL, and its status. Of the
# job's states one is taken at each look, the last one again and again.
cat >"$work/bin/curl" <<'STUB'
#!/usr/bin/env bash
set -euo pipefail
out='' url=''
while [ $# -gt 0 ]; do
  case $1 in
    -o) out=$2; shift ;;
    http*) url=$1 ;;
  esac
  shift
done
case $url in
  */health) body=$STUB_HEALTH ;;
  */health/ready) body=$STUB_READY ;;
  */lectures/ingest) body=$STUB_INGEST ;;
  */transcribe*) body=$STUB_TRANSCRIBE ;;
  */jobs/*)
    body=$(head -n 1 "$STUB_JOBS")
    [ "$(wc -l <"$STUB_JOBS")" -le 1 ] || sed -i.old 1d "$STUB_JOBS" ;;
esac
[ "$body" != down ] || exit 7
code=200
case $body in [0-9][0-9][0-9]*) code=${body%% *} body=${body#* } ;; esac
printf '%s' "$body" >"$out"
printf '%s' "$code"
STUB
chmod +x "$work/bin/curl"

failures=0
# check EXPECTED NAME JOB-STATE... with the scenario's variables in front
check() {
  local expected=$1 name=$2 got=0
  shift 2
  printf '%s\n' "$@" >"$work/jobs"
  PATH="$work/bin:$PATH" API_BASE_URL=http://stub SMOKE_POLL_INTERVAL_SEC=0 \
    SMOKE_TIMEOUT_SEC="${SMOKE_TIMEOUT_SEC:-10}" STUB_JOBS="$work/jobs" \
    STUB_HEALTH="${STUB_HEALTH:-$ok}" STUB_READY="${STUB_READY:-$inline}" \
    STUB_INGEST="${STUB_INGEST:-$ingested}" STUB_TRANSCRIBE="${STUB_TRANSCRIBE:-$queued}" \
    "$smoke" 2>"$work/log" || got=$?
  if [ "$got" = "$expected" ]; then
    echo "ok   $name (exit $got)"
  else
    echo "FAIL $name: exit $got, expected $expected"
    sed 's/^/     /' "$work/log"
    failures=$((failures + 1))
  fi
}

job() { printf '{"id":"j1","status":"%s","jobType":"transcription","result":%s,"error":%s}' "$1" "${2:-null}" "${3:-null}"; }
ok='{"status":"ok"}'
inline='{"checks":{"queue":{"status":"skipped"}}}'
used='{"checks":{"queue":{"status":"ok"}}}'
ingested='{"lectureId":"l1"}'
queued='{"jobId":"j1","status":"queued"}'
running='{"jobId":"j1","status":"running","deduplicated":true}'
at_once='{"jobId":"j1","status":"completed"}'
failed_at_once='{"jobId":"j1","status":"failed"}'
fallback='{"queueFallback":"inline","reason":"Connection refused."}'

check 0 "queued, running, completed" "$(job queued)" "$(job running)" "$(job completed)"
check 0 "the older word for completed" "$(job queued)" "$(job running)" "$(job succeeded)"
check 0 "too quick to be seen running" "$(job completed)"
STUB_TRANSCRIBE=$running check 0 "a job that runs already" "$(job completed)"
check 0 "a failure counts as queued work" "$(job running)" "$(job failed null '"no key"')"
SMOKE_ACCEPT_FAILED_TERMINAL=0 check 4 "a failure, if none is wanted" "$(job running)" "$(job failed)"
SMOKE_TIMEOUT_SEC=0 check 5 "a job that nobody takes" "$(job queued)"
SMOKE_TIMEOUT_SEC=0 check 5 "a job that never ends" "$(job running)"
check 6 "a fallback to inline" "$(job completed "$fallback")"
SMOKE_ALLOW_QUEUE_FALLBACK=1 check 0 "a fallback that is allowed" "$(job completed "$fallback")"
STUB_TRANSCRIBE=$at_once SMOKE_ALLOW_QUEUE_FALLBACK=1 check 0 "the same at once" "$(job completed "$fallback")"
STUB_TRANSCRIBE=$at_once check 7 "completed inside the request" "$(job completed)"
STUB_TRANSCRIBE=$failed_at_once check 8 "failed inside the request" "$(job failed)"
STUB_TRANSCRIBE=$at_once STUB_READY=$used check 0 "a worker quicker than the answer" "$(job completed)"
STUB_TRANSCRIBE=$at_once STUB_READY="503 $used" check 7 "an API that is not ready" "$(job completed)"
STUB_TRANSCRIBE=$at_once SMOKE_REQUIRE_QUEUE_PATH=0 check 0 "inline, which is what is wanted" "$(job completed)"
SMOKE_REQUIRE_QUEUE_PATH=0 check 0 "a fallback nobody asks about" "$(job completed "$fallback")"
STUB_TRANSCRIBE=$at_once SMOKE_REQUIRE_QUEUED_TRANSITION=0 check 0 "no transition is wanted" "$(job completed)"
STUB_TRANSCRIBE='{"status":"queued"}' check 3 "an answer without jobId" "$(job queued)"
STUB_TRANSCRIBE='<html>' check 3 "an answer that is no JSON" "$(job queued)"
STUB_HEALTH=down check 22 "an API that is down" "$(job queued)"
STUB_HEALTH='503 {}' check 22 "an API that is ill" "$(job queued)"
STUB_INGEST='400 {"detail":"Invalid preset_id."}' check 22 "an upload that is refused" "$(job queued)"
STUB_TRANSCRIBE='429 {}' check 22 "a job that is refused" "$(job queued)"
check 0 "a poll that fails once" "503 {}" "down" "$(job completed)"
SMOKE_TIMEOUT_SEC=soon check 2 "a setting that is not valid" "$(job queued)"
SMOKE_REQUIRE_QUEUE_PATH=yes check 2 "a switch that is none" "$(job queued)"

got=0
(unset API_BASE_URL; "$smoke" 2>/dev/null) || got=$?
if [ "$got" = 2 ]; then
  echo "ok   no API_BASE_URL (exit 2)"
else
  echo "FAIL no API_BASE_URL: exit $got"
  failures=$((failures + 1))
fi

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
