"""What must hold between the database and everybody else who kept a record."""

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from tests.storm.invariants import Finding, in_words
from tests.storm.machine import SOLO, WORKERS
from tests.storm.storm import Storm

_THREADS = 16  # of one worker: so many steps are in flight at most
_OLDEST_SECONDS = 300  # that a promise may get
_LOSSES = {"kill", "kill at", "freeze", "freeze at", "terminate", "restart database"}


def by_records(storm: Storm) -> Iterator[Finding]:
    """Compare the database with what clients, workers and vendors saw."""
    yield _accepted(storm)
    yield _answered(storm)
    yield _no_bug(storm)
    yield _no_failure(storm)
    yield from _poison(storm)
    yield _children(storm)
    yield _young_promises(storm)
    yield _spared_calls(storm)
    yield _ledger(storm)
    yield _answers(storm)
    yield _objects(storm)
    yield _twins(storm)
    yield _fence(storm)


def _accepted(storm: Storm) -> Finding:
    book = storm.crowd.accepted
    recordings = {
        str(row[0])
        for row in storm.machine.rows(
            "select payload->>'recording_id' from jobs where kind = 'transcription'"
        )
    }
    jobs = {str(row[0]) for row in storm.machine.rows("select id from jobs")}
    missing = [*(set(book.recordings) - recordings), *(set(book.jobs) - jobs)]
    promised = len(book.recordings) + len(book.jobs)
    return Finding("1", "what was accepted (2xx) exists", promised, missing)


def _no_bug(storm: Storm) -> Finding:
    """Each worker's log tells of no error that nobody foresaw."""
    lines = [
        json.loads(line)
        for name in (*WORKERS, SOLO)
        for line in storm.machine.logged(name).splitlines()
        if line.startswith("{") and line.endswith("}")
    ]
    bugs = [line for line in lines if line.get("error") == "internal_error"]
    said = [str(bug.get("exception", bug))[-300:] for bug in bugs]
    runs = sum(line["message"] == "job.run.start" for line in lines)
    return Finding("-", "no handler meets a bug", runs, said)


def _no_failure(storm: Storm) -> Finding:
    """Trouble passes; what is wanted and no poison gets done in the end."""
    failed = storm.machine.rows(
        "select id, kind, error_code, error_detail from jobs where state = 'failed'"
        " and error_code <> 'poison_pill' and not cancel_requested"
    )
    [[all_jobs]] = storm.machine.rows("select count(*) from jobs")
    name = "nothing fails but poison and what nobody wants any more"
    return Finding("-", name, all_jobs, in_words(failed))


def _answered(storm: Storm) -> Finding:
    book = storm.crowd.accepted
    return Finding(
        "-",
        "no answer is 500, no client is left without an end",
        book.statuses.total(),
        [*book.broken, *book.unhappy],
        _counted(book.statuses),
    )


def _poison(storm: Storm) -> Iterator[Finding]:
    failed = storm.machine.rows(
        "select id, kind, payload, checkpoint, crash_count from jobs"
        " where state = 'failed' and error_code = 'poison_pill'"
    )
    poison = {call.subject for call in storm.provider.calls if call.poison}
    guilty = [row for row in failed if poison & _sounds(row)]
    kills = _poisoned(storm)
    wrong = [str(row.id) for row in guilty if row.crash_count != 3]
    wrong += [f"{job} killed {times}" for job, times in kills.items() if times > 3]
    ended = {str(row.id) for row in guilty}
    cancelled = storm.machine.rows("select id from jobs where state = 'cancelled'")
    ended |= {str(row.id) for row in cancelled}
    wrong += [f"{job} is not failed" for job in kills if job not in ended]
    exact = sum(kills[str(row.id)] == 3 for row in guilty)
    remark = f"{kills.total()} workers killed; {exact} jobs needed exactly three"
    yield Finding(
        "10", "poison kills three times at most, then fails", len(kills), wrong, remark
    )
    innocent = [
        f"{row.kind} {row.id}: {_story(storm, row.id)}"
        for row in failed
        if row not in guilty
    ]
    [[all_jobs]] = storm.machine.rows("select count(*) from jobs")
    yield Finding("11", "nobody innocent fails as poison", all_jobs, innocent)


def _story(storm: Storm, job_id: object) -> str:
    """Tell who had a job, and what befell them at the time; seconds of the storm."""
    turns = storm.machine.rows(
        "select epoch, extract(epoch from at)::float8 as began, (select"
        "  extract(epoch from n.at)::float8 from job_events n where n.id > e.id"
        "  and n.job_id = e.job_id order by n.id limit 1) as ended"
        " from job_events e where job_id = :id and to_state = 'running' order by id",
        id=job_id,
    )
    who = {
        note["epoch"]: note["worker"]
        for note in storm.machine.notes.read()
        if note["event"] == "claimed" and note["job_id"] == str(job_id)
    }
    told = []
    for epoch, began, ended in turns:
        worker = who.get(epoch, "?")
        acts = [
            str(fault)
            for at, fault in storm.acts
            if began - 10 < at < ended and fault.target in (worker, "")
        ]
        span = f"{began - storm.began:.1f}-{ended - storm.began:.1f}"
        told.append(f"{worker} {span} ({'; '.join(acts)})")
    return " | ".join(told)


def _poisoned(storm: Storm) -> Counter[str]:
    notes = storm.machine.notes.read()
    return Counter(note["job_id"] for note in notes if note["event"] == "poisoned")


def _sounds(job: Any) -> set[str]:
    """Return the sounds that a job has recognised itself."""
    if "sha256" in job.payload:
        return {job.payload["sha256"]}
    pieces = job.checkpoint.get("plan", {}).get("pieces", [])
    return {pieces[0][2]} if len(pieces) == 1 else set()


def _children(storm: Storm) -> Finding:
    """Each transcript holds what was heard in each piece, once and in order."""
    rows = storm.machine.rows(
        "select j.id, j.checkpoint, array(select c.payload->>'sha256' from jobs c"
        "   where c.parent_id = j.id and c.state <> 'succeeded') as given_up,"
        " array(select s.text from transcript_segments s"
        "   where s.recording_id = t.recording_id order by s.number) as texts"
        " from jobs j join transcripts t on t.job_id = j.id"
    )
    wrong = []
    for row in rows:
        wanted = [
            piece[2][:12]
            for piece in row.checkpoint["plan"]["pieces"]
            if piece[2] not in row.given_up
        ]
        if [text.rsplit(" ", 1)[-1] for text in row.texts] != wanted:
            wrong.append(f"{row.id}: {row.texts}")
    return Finding("13", "a transcript is all of its pieces, once", len(rows), wrong)


def _young_promises(storm: Storm) -> Finding:
    oldest = storm.oldest_promise
    old = [f"{oldest:.0f} s"] if oldest > _OLDEST_SECONDS else []
    name = f"no promise gets older than {_OLDEST_SECONDS} s"
    return Finding("14", name, storm.looks, old, f"oldest {oldest:.1f} s")


def _spared_calls(storm: Storm) -> Finding:
    answered = storm.provider.answered
    extra = answered.total() - len(answered)
    losses = sum(fault.kind in _LOSSES for _at, fault in storm.acts)
    allowed = (losses + _poisoned(storm).total()) * _THREADS
    wrong = [f"{extra} > {allowed}"] if extra > allowed else []
    return Finding(
        "16",
        "provider calls beyond the needed ≤ losses of workers x steps in flight",
        answered.total(),
        wrong,
        f"{extra} extra in {answered.total()}, {allowed} allowed",
    )


def _ledger(storm: Storm) -> Finding:
    """Each answer that reached us is in the ledger; none is that was never given."""
    rows = storm.machine.rows(
        "select j.payload->>'sha256' as sound, j.payload->>'lecture_id' as lecture,"
        " j.checkpoint, count(*) as entries from usage_ledger u"
        " join jobs j on j.id = u.job_id group by j.id"
    )
    answered, entered = storm.provider.answered, Counter[str]()
    for row in rows:
        entered[_subject(row)] += row.entries
    wrong = [
        f"{subject}: {times} entries, {answered[subject]} answers"
        for subject, times in entered.items()
        if times > answered[subject]
    ]
    lost = answered.total() - entered.total()
    return Finding(
        "22",
        "the ledger has no entry without an answer",
        entered.total(),
        wrong,
        f"{answered.total()} answers, {lost} of them met nobody alive",
    )


def _subject(row: Any) -> str:
    if row.sound:
        return str(row.sound)
    plan = row.checkpoint.get("plan")
    return str(plan["pieces"][0][2]) if plan else str(row.lecture)


def _answers(storm: Storm) -> Finding:
    """One key, one effect: so also the name of the recording in it is the same."""
    answers = storm.crowd.accepted.answers
    repeated = {key: said for key, said in answers.items() if len(said) > 1}
    wrong = [f"{key}: {said}" for key, said in repeated.items() if len(set(said)) > 1]
    name = "the same Idempotency-Key gets the same answer"
    return Finding("17", name, len(repeated), wrong)


def _fence(storm: Storm) -> Finding:
    """Those who came too late were refused; see 3 and 4 for the proof."""
    notes = list(storm.machine.notes.read())
    steps = Counter(note["step"] for note in notes if note["event"] == "refused")
    told = sum(note["event"] == "lost" for note in notes)
    return Finding(
        "-",
        "late writes that the fence refused",
        steps.total(),
        [],
        f"{_counted(steps)}; {told} more were told by their heartbeat",
    )


def _counted(counts: Counter[Any]) -> str:
    return ", ".join(f"{what} {times}" for what, times in sorted(counts.items()))


def _objects(storm: Storm) -> Finding:
    """Every object that a row names is there, as it was written."""
    wrong, seen = [], 0
    for table, extra in (
        ("recordings", "size_bytes, sha256"),
        ("transcripts", "null, null"),
        ("artifacts", "null, null"),
        ("exports", "size_bytes, null"),
    ):
        query = f"select object_key, {extra} from {table}"
        for key, size, digest in storm.machine.rows(query):
            seen += 1
            content = storm.machine.stored(key)
            if content is None:
                wrong.append(f"{key} is missing")
            elif size not in (None, len(content)):
                wrong.append(f"{key} has another size")
            elif digest not in (None, sha256(content).hexdigest()):
                wrong.append(f"{key} has other bytes")
    name = "every object that a row names is there, with its bytes"
    return Finding("15", name, seen, wrong)


def _twins(storm: Storm) -> Finding:
    name = "at most one live job per dedupe key, at any time"
    return Finding("12", name, storm.looks, storm.twins)
