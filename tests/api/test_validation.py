"""What is not valid, told exactly as clients have always been told."""

import json

import pytest

from tests import factories

NUMBER = "Input should be a valid integer, unable to parse string as an integer"
SWITCH = "Input should be a valid boolean, unable to interpret input"


@pytest.fixture(autouse=True)
def lecture(db, deps):
    found = factories.lecture(db)
    factories.transcript(db, deps.storage, found, "One.", "Two.")


def problems(reply):
    assert reply.status_code == 422
    return reply.json["detail"]


@pytest.mark.parametrize(
    "path", ["/lectures", "/lectures/l1/jobs", "/lectures/l1/artifacts"]
)
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_a_page_cannot_be_negative(api, path, name):
    assert problems(api.get(f"{path}?{name}=-1")) == [
        {
            "type": "greater_than_equal",
            "loc": ["query", name],
            "msg": "Input should be greater than or equal to 0",
            "input": "-1",
            "ctx": {"ge": 0},
        }
    ]


@pytest.mark.parametrize("sent", ["abc", "", "1.5", "1e3", "0x10", "%00"])
def test_a_number_is_a_number(api, sent):
    [problem] = problems(api.get(f"/lectures?limit={sent}"))
    assert problem == {
        "type": "int_parsing",
        "loc": ["query", "limit"],
        "msg": NUMBER,
        "input": sent.replace("%00", "\0"),
    }


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("sent", [2**63, 2**64, 10**40, "9" * 5000])
def test_a_number_over_64_bits_is_refused(api, name, sent):
    [problem] = problems(api.get(f"/lectures?{name}={sent}"))
    assert problem["loc"] == ["query", name]


def test_the_largest_number_is_taken(api):
    largest = 2**63 - 1
    assert api.get(f"/lectures?limit={largest}").json["pagination"]["count"] == 1
    page = api.get(f"/lectures?limit={largest}&offset={largest}").json["pagination"]
    assert (page["count"], page["nextOffset"]) == (0, None)


def test_a_segment_limit_cannot_be_negative(api):
    [problem] = problems(api.get("/lectures/l1/transcript?segment_limit=-1"))
    assert (problem["type"], problem["ctx"]) == ("greater_than_equal", {"ge": 0})


@pytest.mark.parametrize("sent", ["maybe", "", "2", "yess"])
def test_a_switch_is_a_switch(api, sent):
    assert problems(api.get(f"/lectures/l1/transcript?include_text={sent}")) == [
        {
            "type": "bool_parsing",
            "loc": ["query", "include_text"],
            "msg": SWITCH,
            "input": sent,
        }
    ]


@pytest.mark.parametrize(
    "sent", ["true", "1", "yes", "on", "t", "y", "TRUE", "Yes", "oN"]
)
def test_these_words_are_yes(api, sent):
    reply = api.get(f"/lectures/l1/transcript?include_text={sent}")
    assert reply.json["text"] == "One.\nTwo."


@pytest.mark.parametrize(
    "sent", ["false", "0", "no", "off", "f", "n", "FALSE", "No", "oFF"]
)
def test_these_words_are_no(api, sent):
    assert api.get(f"/lectures/l1/transcript?include_text={sent}").json["text"] == ""


def test_parameters_that_nobody_knows_are_ignored(api):
    assert api.get("/lectures?colour=red&limit=1&page=x").status_code == 200
    assert api.get("/lectures/l1?verbose=maybe").status_code == 200


def test_a_form_field_of_the_wrong_type_is_told_with_its_place(ingest):
    assert problems(ingest(b"", duration_sec="abc")) == [
        {
            "type": "int_parsing",
            "loc": ["body", "duration_sec"],
            "msg": NUMBER,
            "input": "abc",
        }
    ]
    [problem] = problems(ingest(b"", auto_transcribe="perhaps"))
    assert (problem["type"], problem["loc"]) == (
        "bool_parsing",
        ["body", "auto_transcribe"],
    )


def test_all_problems_are_told_at_once(ingest):
    found = problems(ingest(b"", duration_sec="abc", auto_transcribe="perhaps"))
    assert [one["loc"][1] for one in found] == ["duration_sec", "auto_transcribe"]


@pytest.mark.parametrize("sent", [b"", b"  \n"])
def test_an_absent_body_is_missing(api, sent):
    assert problems(api.post("/lectures/l1/generate", data=sent)) == [
        {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    ]


@pytest.mark.parametrize(
    "name", ["course_id", "preset_id", "llm_provider", "llm_model"]
)
@pytest.mark.parametrize("sent", [5, True, ["a"], {"a": 1}])
def test_a_json_field_of_the_wrong_type_is_told_with_its_place(api, name, sent):
    assert problems(api.post("/lectures/l1/generate", json={name: sent})) == [
        {
            "type": "string_type",
            "loc": ["body", name],
            "msg": "Input should be a valid string",
            "input": sent,
        }
    ]


@pytest.mark.parametrize(
    ("sent", "place", "text"),
    [
        (b"{bad", 1, "Expecting property name enclosed in double quotes"),
        (b'{"a": }', 6, "Expecting value"),
        (b"{} {}", 3, "Extra data"),
        (b"course_id=c1", 0, "Expecting value"),
    ],
)
def test_malformed_json_is_told_with_the_parsers_words(api, sent, place, text):
    assert problems(api.post("/lectures/l1/generate", data=sent)) == [
        {
            "type": "json_invalid",
            "loc": ["body", place],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": text},
        }
    ]


@pytest.mark.parametrize(
    "sent", [b"\xff\xfe\xfa", b"[" * 100_000, b'{"a": "\xe9"}', b"9" * 10_000]
)
def test_bytes_that_are_no_json_at_all_are_malformed(api, sent):
    [problem] = problems(api.post("/lectures/l1/generate", data=sent))
    assert (problem["type"], problem["input"]) == ("json_invalid", {})


@pytest.mark.parametrize("sent", [b"[]", b'"text"', b"5", b"null"])
def test_json_that_is_no_object_is_refused(api, sent):
    [problem] = problems(api.post("/lectures/l1/generate", data=sent))
    assert problem["loc"] == ["body"]


@pytest.mark.parametrize("sent", [b'{"course_id": NaN}', b'{"course_id": Infinity}'])
def test_the_answer_is_json_even_if_the_request_was_not(api, sent):
    reply = api.post("/lectures/l1/generate", data=sent)
    assert reply.status_code == 422

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads(reply.text, parse_constant=refuse)


def test_json_fields_that_nobody_knows_are_ignored(api):
    reply = api.post("/lectures/l1/generate", json={"temperature": 5, "x": None})
    assert reply.status_code == 200


def test_the_body_is_json_whatever_its_content_type_says(api):
    reply = api.post("/lectures/l1/generate", data=b"{}", content_type="text/plain")
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/lectures?course_id=%00",
        "/lectures?status=%00",
        "/lectures/l1/artifacts?artifact_type=%00",
    ],
)
def test_a_filter_that_no_row_can_have_is_no_bug(api, path):
    assert api.get(path).status_code in (200, 422)


@pytest.mark.parametrize("name", ["llm_model", "openai_model"])
@pytest.mark.parametrize("sent", ["a\0b", "x" * 70_000])
def test_a_models_name_that_no_job_can_hold_is_refused(api, name, sent):
    [problem] = problems(api.post("/lectures/l1/generate", json={name: sent}))
    assert problem["loc"] == ["body", name]


@pytest.mark.parametrize("name", ["model", "language_code"])
@pytest.mark.parametrize("sent", ["a%00b", "x" * 70_000])
def test_a_transcribers_name_that_no_job_can_hold_is_refused(api, name, sent):
    [problem] = problems(api.post(f"/lectures/l1/transcribe?{name}={sent}"))
    assert problem["loc"] == ["query", name]


@pytest.mark.parametrize(
    "name",
    [
        *("title", "course_title", "lecture_mode", "source_type"),
        *("transcribe_model", "transcribe_language_code"),
    ],
)
def test_form_text_that_no_row_can_hold_is_refused(ingest, name):
    [problem] = problems(ingest(**{name: "a\0b"}))
    assert problem["loc"] == ["body", name]
