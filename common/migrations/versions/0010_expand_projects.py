"""video projects: their files and jobs, and what is found in them

Revision: 0010_expand_projects, after 0009_expand_birth_events
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "0010_expand_projects"
down_revision = "0009_expand_birth_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("original_filename", sa.String(), nullable=False),
        sa.Column("relative_path", sa.String(), nullable=False),
        sa.Column("mime_type", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(), server_default="source", nullable=False),
        sa.Column("status", sa.String(), server_default="uploaded", nullable=False),
        sa.Column(
            "source_asset_ids",
            postgresql.ARRAY(sa.Uuid()),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("about", postgresql.JSONB(), nullable=False),
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
            "category in ('source', 'processed', 'proxy', 'export', 'thumbnail', 'music')",
            name=op.f("ck_assets_category_is_known"),
        ),
        sa.CheckConstraint(
            "status in ('uploaded', 'processing', 'ready', 'failed')",
            name=op.f("ck_assets_status_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_assets_recording_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        sa.UniqueConstraint("recording_id", name=op.f("uq_assets_recording_id")),
        sa.UniqueConstraint("relative_path", name=op.f("uq_assets_relative_path")),
    )
    op.create_index("ix_assets_project", "assets", ["project_id", "created_at", "id"])
    op.create_table(
        "job_logs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_logs_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_logs")),
    )
    op.create_index("ix_job_logs_job", "job_logs", ["job_id", "id"])
    op.create_table(
        "scene_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("parameters_hash", sa.String(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("usage", postgresql.JSONB(), nullable=False),
        sa.Column("scenes", postgresql.JSONB(), nullable=False),
        sa.Column("about", postgresql.JSONB(), nullable=False),
        sa.Column(
            "generated_at",
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
            ["asset_id"],
            ["assets.id"],
            name=op.f("fk_scene_runs_asset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scene_runs")),
        sa.UniqueConstraint(
            "asset_id", "parameters_hash", name=op.f("uq_scene_runs_asset_id")
        ),
    )
    op.create_index("ix_scene_runs_newest", "scene_runs", ["asset_id", "generated_at"])
    op.create_table(
        "subtitle_edits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["transcripts.recording_id"],
            name=op.f("fk_subtitle_edits_recording_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subtitle_edits")),
    )
    op.create_index(
        "ix_subtitle_edits_segment", "subtitle_edits", ["recording_id", "number"]
    )
    op.create_table(
        "thumbnails",
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("clip_index", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("object_key", sa.String(), nullable=False),
        sa.Column("relative_path", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"],
            ["assets.id"],
            name=op.f("fk_thumbnails_asset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("asset_id", "clip_index", name=op.f("pk_thumbnails")),
        sa.UniqueConstraint("object_key", name=op.f("uq_thumbnails_object_key")),
        sa.UniqueConstraint("relative_path", name=op.f("uq_thumbnails_relative_path")),
    )
    op.add_column("jobs", sa.Column("project_id", sa.String(), nullable=True))
    op.add_column("jobs", sa.Column("retry_delay_seconds", sa.Double(), nullable=True))
    op.create_index(
        "ix_jobs_project",
        "jobs",
        ["project_id", "created_at", "id"],
        postgresql_where="project_id is not null",
    )
    op.create_index(
        "ix_jobs_to_pull",
        "jobs",
        ["kind", "available_at"],
        postgresql_where="queue = 'pull' and state = 'queued'",
    )
    op.alter_column(
        "recordings", "metadata_key", existing_type=sa.VARCHAR(), nullable=True
    )
    op.alter_column("transcripts", "job_id", existing_type=sa.UUID(), nullable=True)
    op.drop_constraint(op.f("ck_recordings_kind_is_known"), "recordings")
    op.create_check_constraint(
        op.f("ck_recordings_kind_is_known"),
        "recordings",
        "kind in ('audio', 'pdf', 'video', 'youtube')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_recordings_kind_is_known"), "recordings")
    op.create_check_constraint(
        op.f("ck_recordings_kind_is_known"), "recordings", "kind in ('audio', 'pdf')"
    )
    op.alter_column("transcripts", "job_id", existing_type=sa.UUID(), nullable=False)
    op.alter_column(
        "recordings", "metadata_key", existing_type=sa.VARCHAR(), nullable=False
    )
    op.drop_index(
        "ix_jobs_to_pull",
        table_name="jobs",
        postgresql_where="queue = 'pull' and state = 'queued'",
    )
    op.drop_index(
        "ix_jobs_project", table_name="jobs", postgresql_where="project_id is not null"
    )
    op.drop_column("jobs", "retry_delay_seconds")
    op.drop_column("jobs", "project_id")
    op.drop_table("thumbnails")
    op.drop_index("ix_subtitle_edits_segment", table_name="subtitle_edits")
    op.drop_table("subtitle_edits")
    op.drop_index("ix_scene_runs_newest", table_name="scene_runs")
    op.drop_table("scene_runs")
    op.drop_index("ix_job_logs_job", table_name="job_logs")
    op.drop_table("job_logs")
    op.drop_index("ix_assets_project", table_name="assets")
    op.drop_table("assets")
