"""videos that lie elsewhere, notes about them, and tasks for outside helpers

Revision: 0012_expand_videos, after 0011_expand_accounts
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "0012_expand_videos"
down_revision = "0011_expand_accounts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "videos",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("video_id", sa.String(), nullable=False),
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("about", postgresql.JSONB(), nullable=True),
        sa.Column("summary", sa.String(), nullable=True),
        sa.Column("suggested_questions", postgresql.JSONB(), nullable=True),
        sa.Column("transcript_error", sa.String(), nullable=True),
        sa.Column("metadata_error", sa.String(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_videos_recording_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_videos")),
        sa.UniqueConstraint("recording_id", name=op.f("uq_videos_recording_id")),
        sa.UniqueConstraint("video_id", name=op.f("uq_videos_video_id")),
    )
    op.create_index("ix_videos_newest", "videos", ["created_at", "id"])
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("video_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("video_title", sa.String(), nullable=True),
        sa.Column("timestamp", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column(
            "generated_by_ai", sa.Boolean(), server_default="false", nullable=False
        ),
        sa.Column("ai_error", sa.String(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notes_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.video_id"], name=op.f("fk_notes_video_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index(
        "ix_notes_owner", "notes", ["user_id", "video_id", "created_at", "id"]
    )
    op.create_index(
        "ix_notes_unwritten", "notes", ["video_id"], postgresql_where="text is null"
    )
    op.create_table(
        "pull_tasks",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_pull_tasks_job_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["video_id"],
            ["videos.video_id"],
            name=op.f("fk_pull_tasks_video_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pull_tasks")),
        sa.UniqueConstraint("job_id", "epoch", name=op.f("uq_pull_tasks_job_id")),
    )
    op.create_index(op.f("ix_pull_tasks_video_id"), "pull_tasks", ["video_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_pull_tasks_video_id"), table_name="pull_tasks")
    op.drop_table("pull_tasks")
    op.drop_index(
        "ix_notes_unwritten", table_name="notes", postgresql_where="text is null"
    )
    op.drop_index("ix_notes_owner", table_name="notes")
    op.drop_table("notes")
    op.drop_index("ix_videos_newest", table_name="videos")
    op.drop_table("videos")
