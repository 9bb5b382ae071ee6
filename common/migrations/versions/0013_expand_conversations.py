"""talks about recordings, and search in what was said

Revision: 0013_expand_conversations, after 0012_expand_videos
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "0013_expand_conversations"
down_revision = "0012_expand_videos"
branch_labels = None
depends_on = None

# As common.text.search had it on the day of this revision.
_WORDS = """
  transcripts t left join (values
         ('ar', 'arabic'), ('ca', 'catalan'), ('da', 'danish'), ('de', 'german'),
         ('el', 'greek'), ('en', 'english'), ('es', 'spanish'), ('eu', 'basque'),
         ('fi', 'finnish'), ('fr', 'french'), ('ga', 'irish'), ('hi', 'hindi'),
         ('hu', 'hungarian'), ('hy', 'armenian'), ('id', 'indonesian'),
         ('it', 'italian'), ('lt', 'lithuanian'), ('nb', 'norwegian'),
         ('ne', 'nepali'), ('nl', 'dutch'), ('nn', 'norwegian'),
         ('no', 'norwegian'), ('pt', 'portuguese'), ('ro', 'romanian'),
         ('ru', 'russian'), ('sr', 'serbian'), ('sv', 'swedish'), ('ta', 'tamil'),
         ('tr', 'turkish'), ('yi', 'yiddish')) w (code, words)
    on split_part(lower(replace(t.language, '_', '-')), '-', 1) in (w.code, w.words)
"""
_SEARCHABLE = f"""
update transcript_segments s
   set search = to_tsvector(cast(coalesce(w.words, 'simple') as regconfig),
                            left(s.text, 100000))
  from {_WORDS} where t.recording_id = s.recording_id
"""
_ARTIFACTS_SEARCHABLE = f"""
update artifacts a
   set search = jsonb_to_tsvector(
         cast(coalesce(w.words, 'simple') as regconfig),
         jsonb_path_query_array(a.document,
           'strict $.** ? (@.type() == "object").keyvalue()
            ? (@.key like_regex "^(answer|back|bullets|choices|definition|example'
           '|explanation|front|overview|points|prompt|summary|term|title)$").value'),
         '["string"]')
  from lectures l, {_WORDS}
 where l.id = a.lecture_id and t.recording_id = l.recording_id
"""


def upgrade() -> None:
    op.create_table(
        "chat_quotas",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_chat_quotas_not_negative")),
        sa.PrimaryKeyConstraint("owner", "day", name=op.f("pk_chat_quotas")),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("guest", sa.String(), nullable=True),
        sa.Column("video_id", sa.String(), nullable=True),
        sa.Column("lecture_id", sa.String(), nullable=True),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "num_nonnulls(user_id, guest) = 1", name=op.f("ck_conversations_one_owner")
        ),
        sa.CheckConstraint(
            "num_nonnulls(video_id, lecture_id, asset_id) = 1",
            name=op.f("ck_conversations_one_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"],
            ["assets.id"],
            name=op.f("fk_conversations_asset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_conversations_lecture_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_conversations_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.video_id"], name=op.f("fk_conversations_video_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_asset_id"), "conversations", ["asset_id"])
    op.create_index(
        "ix_conversations_guest", "conversations", ["guest", "created_at", "id"]
    )
    op.create_index(
        op.f("ix_conversations_lecture_id"), "conversations", ["lecture_id"]
    )
    op.create_index(
        "ix_conversations_of_guests",
        "conversations",
        ["updated_at"],
        postgresql_where=sa.text("guest is not null"),
    )
    op.create_index(
        "ix_conversations_user", "conversations", ["user_id", "created_at", "id"]
    )
    op.create_index(op.f("ix_conversations_video_id"), "conversations", ["video_id"])
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("citations", postgresql.JSONB(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "role in ('user', 'assistant')", name=op.f("ck_messages_role_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_messages_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_conversation", "messages", ["conversation_id", "id"])
    op.add_column(
        "transcript_segments", sa.Column("search", postgresql.TSVECTOR(), nullable=True)
    )
    op.create_index(
        "ix_transcript_segments_search",
        "transcript_segments",
        ["search"],
        postgresql_using="gin",
    )
    op.execute(_SEARCHABLE)
    op.add_column("artifacts", sa.Column("search", postgresql.TSVECTOR(), nullable=True))
    op.create_index(
        "ix_artifacts_search", "artifacts", ["search"], postgresql_using="gin"
    )
    op.execute(_ARTIFACTS_SEARCHABLE)
    op.create_table(
        "batch_operations",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("length_ms", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_batch_operations")),
    )


def downgrade() -> None:
    op.drop_table("batch_operations")
    op.drop_index(
        "ix_artifacts_search", table_name="artifacts", postgresql_using="gin"
    )
    op.drop_column("artifacts", "search")
    op.drop_index(
        "ix_transcript_segments_search",
        table_name="transcript_segments",
        postgresql_using="gin",
    )
    op.drop_column("transcript_segments", "search")
    op.drop_index("ix_messages_conversation", table_name="messages")
    op.drop_table("messages")
    op.drop_index(op.f("ix_conversations_video_id"), table_name="conversations")
    op.drop_index("ix_conversations_user", table_name="conversations")
    op.drop_index(
        "ix_conversations_of_guests",
        table_name="conversations",
        postgresql_where=sa.text("guest is not null"),
    )
    op.drop_index(op.f("ix_conversations_lecture_id"), table_name="conversations")
    op.drop_index("ix_conversations_guest", table_name="conversations")
    op.drop_index(op.f("ix_conversations_asset_id"), table_name="conversations")
    op.drop_table("conversations")
    op.drop_table("chat_quotas")
