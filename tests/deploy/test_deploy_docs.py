"""What docs/deploy.md and its neighbours name is there, and their figures are right."""

import re
import runpy
import subprocess

import pytest

from common.models import Base
from tests.deploy import code
from tests.deploy.terraform import ROOT, SOURCE

DOCS = ROOT / "docs"
BOOKS = [
    DOCS / "deploy.md",
    DOCS / "other-platforms.md",
    DOCS / "data-protection.md",
    DOCS / "runbooks" / "key-rotation.md",
    DOCS / "runbooks" / "backup-restore.md",
]
every_book = pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)
TERRAFORM = "\n".join(path.read_text() for path in SOURCE.glob("*.tf"))
COSTS = runpy.run_path(str(ROOT / "scripts" / "costs"))
# Of other programs, or set by whoever follows the page.
THEIRS = {
    *("PROJECT", "REGION", "REVISION", "URL", "WRITE", "ME", "OLD", "LECTURES"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "BUCKET_NAME", "PORT"),
}


def named(kind):
    return set(re.findall(rf'^{kind} "(\w+)"', TERRAFORM, re.MULTILINE))


def commands(book):
    return "\n".join(
        re.findall(r"^```bash\n(.*?)^```", book.read_text(), re.MULTILINE | re.DOTALL)
    )


@every_book
def test_bash_can_read_every_command(book):
    plain = commands(book).replace("…", "x")
    done = subprocess.run(
        ["bash", "-n"],  # noqa: S607 - wherever it is
        input=plain,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@every_book
def test_files_that_are_named_are_there(book):
    text = book.read_text()
    for path in re.findall(r"\b(?:scripts|terraform|platforms|tests)/[\w./-]*\w", text):
        if path != "terraform/my.tfvars":  # the reader writes it
            assert (ROOT / path).exists(), path
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (book.parent / target).exists(), target
    for path in re.findall(r"-var-file=(envs/\S+)", text):
        assert (SOURCE / path).is_file(), path


@every_book
def test_outputs_and_variables_of_terraform_are_there(book):
    text = book.read_text()
    for name in re.findall(r"terraform \S*\s?output(?: -raw)? (\w+)", text):
        assert name in named("output"), name
    for name in re.findall(r"(?:^|-var )([a-z]\w+)\s*=\s*[\"\[$]", text, re.MULTILINE):
        assert name in named("variable") | {"none"}, name
    for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)(?: = [^`]*)?`", text):
        known = named("variable") | named("output") | Base.metadata.tables.keys()
        assert name in known | {"provider_auth", "missing_reference"}, name


@every_book
def test_settings_that_are_named_are_ours(book):
    text = book.read_text()
    known = code.known_variables() | THEIRS
    for name in re.findall(r"\b((?:PLC|PEGASUS|S3|GCS|OPENAI|AWS)_[A-Z_]+)\b", text):
        assert name.rstrip("_") in {*known, "AWS", "PLC", "PEGASUS"}, name


def test_the_first_lecture_goes_where_the_api_is(api):
    adapter = api.application.url_map.bind("localhost")
    text = commands(DOCS / "deploy.md")
    paths = re.findall(r'"\$URL(/[\w/]+)"', text)
    assert len(paths) == 3
    for path in paths:
        adapter.match(path, method="POST" if "ingest" in path else "GET")
    [preset] = re.findall(r"preset_id=([\w-]+)", text)
    assert (ROOT / "common" / "presets" / f"{preset}.json").exists()


@every_book
def test_no_token_stands_in_a_command_line(book):
    """Everybody on a machine can read those."""
    plain = re.sub(r"printf '[^']*'", "", commands(book))
    assert re.findall(r"(?i)bearer|-H \"\$", plain) == []


def test_tokens_are_sent_as_the_page_says(tmp_path):
    """Its own commands, with a curl that shows what it was given."""
    text = commands(DOCS / "deploy.md")
    [made] = re.findall(r"^tokens\(\) .*$", text, re.MULTILINE)
    [asked] = re.findall(r"^tokens .*health/ready.*$", text, re.MULTILINE)
    curl = 'curl() { echo "$*"; cat; }'
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euc", f"{curl}\n{made}\n{asked}"],  # noqa: S607 - wherever it is
        env={
            "PATH": "/usr/bin:/bin",
            "ME": "m-1",
            "WRITE": "w-1",
            "URL": "https://api",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    called, *sent = done.stdout.splitlines()
    assert called == "-fsS -H @- https://api/health/ready"
    assert sent == [
        "X-Serverless-Authorization: Bearer m-1",
        "Authorization: Bearer w-1",
    ]


def test_all_that_is_stored_is_in_the_table():
    table = (DOCS / "data-protection.md").read_text()
    for name in Base.metadata.tables:
        assert f"`{name}`" in table, name
    keys = (code.ROOT / "common" / "object_keys.py").read_text()
    kinds = set(re.findall(r'return f"([a-z]+)/', keys)) | {"audio", "documents"}
    assert {"uploads", "metadata"} <= kinds
    for kind in kinds:
        assert f"`{kind}/…`" in table, kind
    for kind, name in re.findall(r"`([a-z]+)/…`|database, ((?:`\w+`(?:, )?)+)", table):
        assert not kind or kind in kinds, kind
        assert set(re.findall(r"`(\w+)`", name)) <= Base.metadata.tables.keys(), name


def test_lines_worth_an_alert_are_those_of_both_services():
    text = (DOCS / "runbooks" / "alerting.md").read_text()
    watched = set(re.findall(r'message="([^"]+)"', text))
    assert watched <= {line.message for line in code.log_lines()}
    for package in ("api_service", "worker_service"):
        said = "".join(source for _, source in code.sources(package))
        assert 'log.warning("database unavailable"' in said, package
        assert '"database not available"' not in said, package


def test_what_a_restore_changes_is_a_variable_and_leaves_nothing_out():
    text = (DOCS / "runbooks" / "backup-restore.md").read_text()
    section = text.partition("## Restore on Google Cloud")[2].partition("\n## ")[0]
    assert "database_connection_name" in named("variable")
    assert "database_connection_name = " in section
    services = re.findall(r"for service in ([a-z ]+);", section)
    assert [set(one.split()) for one in services] == [{"api", "worker", "solo"}] * 2
    order = [section.index(word) for word in ("--scaling=0", "clone", "--scaling=auto")]
    assert order == sorted(order)
    set_first = section.index('INSTANCE="$(terraform')
    assert set_first < section.index('"$INSTANCE"')


def test_costs_in_the_page_are_those_of_the_script():
    text = " ".join((DOCS / "deploy.md").read_text().split())
    [found] = re.findall(
        r"about (\d+) dollars a month with no lecture at all .*?, (\d+) with 100, "
        r"(\d+) with 10,000",
        text,
    )
    assert [int(number) for number in found] == [
        round(total(0)),
        round(total(100)),
        round(total(10_000)),
    ]


def total(lectures):
    parts = COSTS["month"](lectures, regional=lectures > 1000, small=lectures < 1000)
    return sum(parts.values())


def test_more_lectures_never_cost_less():
    numbers = [0, 1, 10, 100, 999, 1000, 1001, 10_000, 100_000]
    totals = [total(number) for number in numbers]
    assert totals == sorted(totals)
    for name in COSTS["providers"](1):
        paid = [COSTS["providers"](number)[name] for number in numbers]
        assert paid == sorted(paid)


def test_the_script_prints_what_it_computes():
    done = subprocess.run(  # noqa: S603 - our own script
        [ROOT / "scripts" / "costs", "0", "250"],
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = [x for x in done.stdout.splitlines() if x.startswith("Google Cloud")]
    assert line.split()[-2:] == [f"{total(0):.2f}", f"{total(250):.2f}"]
    assert COSTS["PRICES_OF"] in done.stdout


def test_free_of_charge_is_what_is_said_to_be():
    assert COSTS["above"](5, 10) == 0
    assert COSTS["above"](15, 10) == 5
