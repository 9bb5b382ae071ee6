"""What docs/deploy.md and its neighbours name is there, and their figures are right."""

import re
import runpy
import subprocess

import pytest

from tests.deploy import code
from tests.deploy.terraform import ROOT, SOURCE

DOCS = ROOT / "docs"
BOOKS = [
    DOCS / "deploy.md",
    DOCS / "other-platforms.md",
    DOCS / "data-protection.md",
    DOCS / "runbooks" / "key-rotation.md",
]
every_book = pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)
TERRAFORM = "\n".join(path.read_text() for path in SOURCE.glob("*.tf"))
COSTS = runpy.run_path(str(ROOT / "scripts" / "costs"))
# Of other programs, or set by whoever follows the page.
THEIRS = {
    *("PROJECT", "REGION", "REVISION", "URL", "WRITE", "OLD", "LECTURES"),
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
    for name in re.findall(r"(?:^|-var )(\w+)\s*=\s*[\"\[$]", text, re.MULTILINE):
        assert name in named("variable") | {"none", "me"}, name
    for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)(?: = [^`]*)?`", text):
        known = named("variable") | named("output") | {"deletion_audit_events"}
        assert name in known | {"provider_results", "provider_auth"}, name


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
