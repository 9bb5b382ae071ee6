"""Where words occur: in transcripts, study documents and notes of a caller's."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Row, Text, bindparam, select, text
from sqlalchemy.orm import Session

from common.models import TranscriptRecord
from common.text.search import SIMPLE, words_of

# Each language has its own form of the question. One that only excludes words would
# find nearly everything, and could use no index.
_FORMS = text("""
select language, words, cast(query as text) as query
  from unnest(:languages, :words) as x (language, words),
       websearch_to_tsquery(cast(words as regconfig), :q) as query
 where querytree(query) not in ('', 'T')
""").bindparams(
    bindparam("languages", type_=ARRAY(Text)), bindparam("words", type_=ARRAY(Text))
)

_ASKED = """
asked as materialized (
  select language, words, cast(query as tsquery) as query
    from unnest(:languages, :words, :queries) as x (language, words, query))"""

_TRANSCRIPTS = """
select 'transcript' as kind, s.recording_id, s.number, cast(null as uuid) as artifact,
       cast(null as integer) as note, ts_rank(s.search, a.query) as rank
  from transcript_segments s
  join transcripts t on t.recording_id = s.recording_id
  join asked a on a.language = t.language and s.search @@ a.query
  left join lectures l on l.recording_id = s.recording_id
   and (l.owner_id is null or l.owner_id = :user_id)
   and l.course_id = coalesce(:course_id, l.course_id)
  left join videos v on v.recording_id = s.recording_id
   and cast(:course_id as text) is null
   and (exists (select from notes n
                 where n.video_id = v.video_id and n.user_id = :user_id)
     or exists (select from conversations c
                 where c.video_id = v.video_id and c.user_id = :user_id))
  left join assets f on f.recording_id = s.recording_id
   and cast(:course_id as text) is null
 where s.search @@ cast(:every as tsquery)
   and (l.id is not null or v.id is not null or f.id is not null)"""

_ARTIFACTS = """
select 'artifact' as kind, l.recording_id, cast(null as integer) as number,
       d.id as artifact, cast(null as integer) as note,
       ts_rank(d.search, a.query) as rank
  from artifacts d
  join lectures l on l.id = d.lecture_id
   and (l.owner_id is null or l.owner_id = :user_id)
   and l.course_id = coalesce(:course_id, l.course_id)
  left join transcripts t on t.recording_id = l.recording_id
  join asked a on a.language = coalesce(t.language, '') and d.search @@ a.query
 where d.search @@ cast(:every as tsquery)"""

# A person has some thousands of them at most: their own index finds those.
_NOTES = """
select 'note' as kind, v.recording_id, cast(null as integer) as number,
       cast(null as uuid) as artifact, n.id as note,
       ts_rank(to_tsvector(cast(a.words as regconfig), n.text), a.query) as rank
  from notes n
  join videos v on v.video_id = n.video_id
  left join transcripts t on t.recording_id = v.recording_id
  join asked a on a.language = coalesce(t.language, '')
   and to_tsvector(cast(a.words as regconfig), n.text) @@ a.query
 where n.user_id = :user_id and cast(:course_id as text) is null"""

_BRANCHES = {"transcript": _TRANSCRIPTS, "artifact": _ARTIFACTS, "note": _NOTES}

# What is shown is fetched for the rows of the page only.
_PAGE = """
page as (
  select * from hits
   order by rank desc, kind, recording_id, number, artifact, note
   limit :most offset :skipped)
select (select count(*) from hits) as total, p.kind, p.recording_id, p.number, p.rank,
       l.id as lecture_id, l.course_id, l.title as lecture_title,
       v.video_id, v.title as video_title,
       f.id as asset_id, f.relative_path, f.original_filename,
       s.start_ms, s.end_ms, s.page, s.text as said,
       d.artifact_type, d.document,
       n.id as note_id, n.timestamp, n.text as noted,
       coalesce(t.language, '') as language
  from (select 1) one left join page p on true
  left join lectures l on l.recording_id = p.recording_id
  left join videos v on v.recording_id = p.recording_id
  left join assets f on f.recording_id = p.recording_id
  left join transcripts t on t.recording_id = p.recording_id
  left join transcript_segments s
    on s.recording_id = p.recording_id and s.number = p.number
  left join artifacts d on d.id = p.artifact
  left join notes n on n.id = p.note
 order by p.rank desc, p.kind, p.recording_id, p.number, p.artifact, p.note"""

_LISTS = (
    bindparam("languages", type_=ARRAY(Text)),
    bindparam("words", type_=ARRAY(Text)),
    bindparam("queries", type_=ARRAY(Text)),
    bindparam("course_id", type_=Text),
)

_HEADLINES = text("""
select ts_headline(cast(w as regconfig), x,
                   websearch_to_tsquery(cast(w as regconfig), :q), :options)
  from unnest(:words, :texts) with ordinality as shown (w, x, place) order by place
""").bindparams(
    bindparam("words", type_=ARRAY(Text)), bindparam("texts", type_=ARRAY(Text))
)

# Letters that no text of a person holds: so what is marked can be told from what is
# written, and the rest be escaped.
MARK, UNMARK = "\ue000", "\ue001"
_OPTIONS = f"StartSel={MARK}, StopSel={UNMARK}, MaxWords=30, MinWords=15"


def page(
    session: Session,
    q: str,
    kinds: Sequence[str],
    values: Mapping[str, Any],
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return what was found, best first.

    A page beyond the end is one row without a ``kind``, which tells the ``total``.

    Args:
        session: that only reads.
        q: as people write it: words, "a phrase", or, -without.
        kinds: where to look.
        values: ``user_id`` and ``course_id`` (or None), ``most`` and ``skipped``.
    """
    languages = session.scalars(select(TranscriptRecord.language).distinct())
    forms = {language: words_of(language) for language in languages} | {"": SIMPLE}
    asked = {"q": q, "languages": list(forms), "words": list(forms.values())}
    found = session.execute(_FORMS, asked).all()
    if not found:
        return []
    branches = " union all ".join(_BRANCHES[kind] for kind in kinds)
    query = f"with {_ASKED}, hits as materialized ({branches}), {_PAGE}"
    given = {
        "languages": [form.language for form in found],
        "words": [form.words for form in found],
        "queries": [form.query for form in found],
        "every": " | ".join(sorted({f"({form.query})" for form in found})),
    }
    return session.execute(text(query).bindparams(*_LISTS), given | dict(values)).all()


def headlines(
    session: Session, q: str, texts: Sequence[tuple[str, str]]
) -> Sequence[str]:
    """Return the passage of each text (after its language) in which the words stand.

    The words stand between ``MARK`` and ``UNMARK``.
    """
    if not texts:
        return []
    values = {
        "q": q,
        "options": _OPTIONS,
        "words": [words_of(language) for language, _ in texts],
        "texts": [_unmarked(one) for _, one in texts],
    }
    return list(session.scalars(_HEADLINES, values))


def _unmarked(said: str) -> str:
    return said.replace(MARK, "").replace(UNMARK, "")
