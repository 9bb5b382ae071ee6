"""Live answers: who watches gets the newest, costs no connection, and is forgotten."""

import signal
import socket
import threading
import time
from itertools import islice

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from api_service import gunicorn_conf
from api_service.app import create_app
from api_service.live import streams
from api_service.live.streams import TooManyStreams, client_left, sse
from api_service.live.watchers import Watcher
from tests.api.guards import with_settings
from tests.common.job_steps import until

SOON = 0.01


class Board:
    """What is looked at, and how often; it can be told to fail."""

    def __init__(self, **values):
        self.values = values
        self.asked = []
        self.errors = []

    def look(self, keys):
        self.asked.append(sorted(keys))
        if self.errors:
            raise self.errors.pop(0)
        return {key: self.values[key] for key in keys if key in self.values}


@pytest.fixture
def board():
    return Board(a=1, b=10)


@pytest.fixture
def watcher(board):
    found = Watcher(board.look, SOON, client_left=client_left)
    yield found
    found.close()
    until(lambda: not threads())


def threads():
    return [one for one in threading.enumerate() if one.name == "watcher"]


class Client(threading.Thread):
    """Somebody who watches until there is no more."""

    def __init__(self, values):
        super().__init__(daemon=True)
        self.values = values
        self.got = []
        self.start()

    def run(self):
        for value in self.values:
            self.got.append(value)

    def has_last(self, value):
        return lambda: self.got[-1:] == [value]

    def ended(self):
        self.join(10)
        return not self.is_alive()


def test_the_present_value_comes_at_once_and_then_every_changed_one(watcher, board):
    client = Client(watcher.watch("a"))
    for value in (1, 2, 3):
        board.values["a"] = value
        until(client.has_last(value))

    assert client.got == [1, 2, 3]


def test_what_does_not_change_is_not_told_again(watcher, board):
    client = Client(watcher.watch("a"))
    until(lambda: len(board.asked) > 5)
    assert client.got == [1]


def test_a_slow_reader_gets_only_the_newest(watcher, board):
    slow = watcher.watch("a")
    assert next(slow) == 1
    swift = Client(watcher.watch("a"))
    for value in (1, 2, 3, 4):
        board.values["a"] = value
        until(swift.has_last(value))
    looked = len(board.asked)
    until(lambda: len(board.asked) > looked + 1)  # the slow one was told as well

    assert next(slow) == 4
    assert swift.got == [1, 2, 3, 4]
    slow.close()


def test_a_heartbeat_comes_when_nothing_happens(watcher):
    values = watcher.watch("a", idle_seconds=0.03)
    started = time.monotonic()
    assert list(islice(values, 3)) == [1, None, None]
    assert time.monotonic() - started >= 0.06
    values.close()


def test_a_stream_ends_after_its_time(watcher):
    assert list(watcher.watch("a", seconds=0.05)) == [1]


def test_a_stream_ends_with_what_it_watches(watcher, board):
    client = Client(watcher.watch("a"))
    until(lambda: client.got == [1])
    del board.values["a"]
    assert client.ended()
    assert list(watcher.watch("never there")) == []


def test_with_stamps_only_what_changed_is_looked_at(board):
    stamps = {"a": 1, "b": 1}
    watcher = Watcher(board.look, SOON, stamps=lambda _keys: dict(stamps))
    one, other = Client(watcher.watch("a")), Client(watcher.watch("b"))
    until(lambda: one.got and other.got)
    board.asked.clear()

    board.values["a"] = board.values["b"] = 2
    stamps["b"] = 2
    until(lambda: other.got == [10, 2])

    assert (board.asked, one.got) == ([["b"]], [1])
    del stamps["a"]
    assert one.ended()
    watcher.close()


def test_all_who_watch_cost_one_look(watcher, board):
    clients = [Client(watcher.watch(key)) for key in "ab" * 20]
    until(lambda: all(client.got for client in clients))
    board.asked.clear()
    until(lambda: len(board.asked) > 2)

    assert board.asked[1] == ["a", "b"]
    assert len(threads()) == 1


def test_readers_that_leave_are_forgotten(watcher, board):
    stays, leaves = watcher.watch("a"), watcher.watch("b")
    assert (next(stays), next(leaves)) == (1, 10)
    leaves.close()
    board.asked.clear()
    until(lambda: len(board.asked) > 2)
    assert board.asked[1] == ["a"]
    stays.close()


def test_nobody_looks_when_nobody_watches(watcher, board):
    assert threads() == []
    for _time in range(2):  # and it starts anew
        values = watcher.watch("a")
        assert threads() == []
        assert next(values) == 1
        assert len(threads()) == 1
        values.close()
        until(lambda: not threads())


def test_one_who_comes_or_comes_back_causes_one_look(board):
    watcher = Watcher(board.look, every_seconds=60)
    for _time in range(2):
        board.asked.clear()
        first, second = watcher.watch("a"), watcher.watch("b")
        assert (next(first), next(second)) == (1, 10)
        assert board.asked == [["a"], ["a", "b"]]
        first.close()
        second.close()
        until(lambda: not threads())


def test_a_database_that_is_away_is_waited_for(watcher, board, caplog):
    board.errors = [OperationalError("select", {}, OSError()), ConnectionError()]
    values = watcher.watch("a", idle_seconds=5)
    assert next(values) == 1
    assert len(board.asked) >= 3
    lines = [line for line in caplog.records if line.msg == "watcher.look_failed"]
    assert [line.error for line in lines] == ["OperationalError", "ConnectionError"]
    values.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("bug", [KeyError(), ProgrammingError("", {}, ValueError())])
def test_a_bug_ends_the_streams_and_not_those_after_them(watcher, board, bug):
    values = watcher.watch("a")
    assert next(values) == 1
    board.errors = [bug]
    assert list(values) == []
    again = watcher.watch("a")
    assert next(again) == 1
    again.close()


def test_closing_ends_all_streams_and_those_that_come_later(watcher):
    clients = [Client(watcher.watch(key)) for key in "ab"]
    until(lambda: all(client.got for client in clients))
    watcher.close()
    assert all(client.ended() for client in clients)
    assert list(watcher.watch("a")) == []
    until(lambda: not threads())


def numbers(session, keys):
    row = session.execute(text("select count(*) from jobs")).scalar_one()
    return dict.fromkeys(keys, row)


def test_readers_hold_no_connection(committed_deps, engine):
    api = api_of(committed_deps)
    with api.app_context():
        found = streams.watcher(numbers)
        readers = [found.watch(number) for number in range(20)]
        assert [next(reader) for reader in readers] == [0] * 20
        until(lambda: engine.pool.checkedout() == 0)
        for reader in readers:
            reader.close()
    until(lambda: not threads())


def api_of(deps, **fields):
    return create_app(with_settings(deps, **fields))


def test_each_app_looks_for_itself_and_once_for_the_same(deps):
    one, other = api_of(deps), api_of(deps)
    with one.app_context():
        first, again = streams.watcher(numbers), streams.watcher(numbers)
    with other.app_context():
        stranger = streams.watcher(numbers)
    assert first is again
    assert first is not stranger


def test_the_end_of_an_app_ends_its_streams(deps):
    app = api_of(deps)
    with app.app_context():
        streams.streams().close()
        assert list(streams.watcher(numbers).watch("a")) == []


def frames():
    yield "data: 1\n\n"


def test_frames_are_sent_as_server_sent_events(deps):
    with api_of(deps).test_request_context():
        reply = sse(frames())
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert reply.get_data() == b"data: 1\n\n"


def test_the_frames_end_when_the_client_leaves(deps):
    ended = threading.Event()

    def endless():
        try:
            while True:
                yield ": still there\n\n"
        finally:
            ended.set()

    with api_of(deps).test_request_context() as context:
        reply = sse(endless())
        sent = reply.get_app_iter(context.request.environ)
        assert next(iter(sent)) == b": still there\n\n"
        reply.close()
    assert ended.is_set()


def test_there_are_only_so_many_places_and_each_is_given_back(deps):
    with api_of(deps, max_streams=2).test_request_context():
        taken = [sse(frames()), sse(frames())]
        with pytest.raises(TooManyStreams) as caught:
            sse(frames())
        taken.pop().close()
        sse(frames())
    assert (caught.value.status, caught.value.retryable) == (503, True)


def test_a_client_that_hung_up_is_noticed(deps, watcher):
    ours, theirs = socket.socketpair()
    environ = {"gunicorn.socket": ours}
    with ours, theirs, api_of(deps).test_request_context(environ_overrides=environ):
        left = streams.client_left()
        assert not left()
        theirs.send(b"more")
        assert not left()
        assert ours.recv(4) == b"more"  # it only looked
        values = watcher.watch("a")
        assert next(values) == 1
        theirs.close()
        assert left()
        assert list(values) == []


def test_there_are_threads_for_all_streams_and_for_others(settings):
    assert gunicorn_conf.threads >= settings.max_streams + 32


def test_a_signal_to_stop_ends_the_streams_before_what_else_it_does():
    done: list[str] = []
    earlier = signal.signal(signal.SIGUSR2, lambda *_: done.append("earlier"))
    try:
        gunicorn_conf._before(signal.SIGUSR2, lambda: done.append("ours"))  # noqa: SLF001
        signal.raise_signal(signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, earlier)
    assert done == ["ours", "earlier"]
