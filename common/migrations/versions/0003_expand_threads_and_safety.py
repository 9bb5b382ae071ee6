"""threads and write safety

Revision: 0003_expand_threads_and_safety, after 0002_expand_job_guard
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "0003_expand_threads_and_safety"
down_revision = "0002_expand_job_guard"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deletion_audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("entity_type", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("purge_storage", sa.Boolean(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "entity_type in ('lecture', 'course')",
            name=op.f("ck_deletion_audit_events_entity_is_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_audit_events")),
    )
    op.create_index(
        "ix_deletion_audit_events_entity",
        "deletion_audit_events",
        ["entity_type", "entity_id"],
        unique=False,
    )
    op.create_index(
        "ix_deletion_audit_events_newest",
        "deletion_audit_events",
        ["created_at", "id"],
        unique=False,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "length(key) between 1 and 200", name=op.f("ck_idempotency_keys_key_short")
        ),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_idempotency_keys_expires_at"),
        "idempotency_keys",
        ["expires_at"],
        unique=False,
    )
    op.create_table(
        "rate_windows",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("events", sa.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_windows")),
    )
    op.create_index(
        op.f("ix_rate_windows_expires_at"), "rate_windows", ["expires_at"], unique=False
    )
    op.create_table(
        "threads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("aliases", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("complexity_level", sa.Integer(), nullable=False),
        sa.Column("face", sa.String(), nullable=True),
        sa.Column("lecture_refs", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "evolution_notes", postgresql.JSONB(astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["course_id"],
            ["courses.id"],
            name=op.f("fk_threads_course_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_threads")),
        sa.UniqueConstraint("course_id", "key", name=op.f("uq_threads_course_id")),
    )
    op.create_index(
        "ix_threads_course_newest",
        "threads",
        ["course_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "thread_contributions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.Uuid(), nullable=False),
        sa.Column("lecture_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("aliases", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("face", sa.String(), nullable=True),
        sa.Column("complexity_level", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("start_ms", sa.Integer(), nullable=True),
        sa.Column("end_ms", sa.Integer(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("change_type", sa.String(), nullable=True),
        sa.Column("change_summary", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["lecture_id"],
            ["lectures.id"],
            name=op.f("fk_thread_contributions_lecture_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["threads.id"],
            name=op.f("fk_thread_contributions_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread_contributions")),
        sa.UniqueConstraint(
            "thread_id", "lecture_id", name=op.f("uq_thread_contributions_thread_id")
        ),
    )
    op.create_index(
        op.f("ix_thread_contributions_lecture_id"),
        "thread_contributions",
        ["lecture_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(
        op.f("ix_thread_contributions_lecture_id"), table_name="thread_contributions"
    )
    op.drop_table("thread_contributions")
    op.drop_index("ix_threads_course_newest", table_name="threads")
    op.drop_table("threads")
    op.drop_index(op.f("ix_rate_windows_expires_at"), table_name="rate_windows")
    op.drop_table("rate_windows")
    op.drop_index(op.f("ix_idempotency_keys_expires_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_deletion_audit_events_newest", table_name="deletion_audit_events")
    op.drop_index("ix_deletion_audit_events_entity", table_name="deletion_audit_events")
    op.drop_table("deletion_audit_events")
