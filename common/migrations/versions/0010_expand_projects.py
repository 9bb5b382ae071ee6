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

# The newest 200 lines of a job are kept: a job may go on for a day.
NOTE = """
create function job_note(job uuid, level text, message text, details jsonb)
returns void language sql as $$
  insert into job_logs (job_id, level, message, details)
    values (job, level, message, details);
  delete from job_logs where job_id = job and id <=
    (select id from job_logs where job_id = job order by id desc offset 200 limit 1);
$$;
"""

# What happens to a project's job, in words that its clients know. Whoever moves the
# job, rescue and cancellation included, cannot forget to say so.
TOLD = """
create function job_told() returns trigger language plpgsql as $$
declare
  budget jsonb := jsonb_build_object('max_attempts', new.max_attempts);
  failure jsonb := jsonb_build_object('error', coalesce(new.error_detail, ''));
begin
  if tg_op = 'INSERT' then
    perform job_note(new.id, 'INFO', 'Job queued', budget
      || jsonb_build_object('retry_delay_seconds', new.retry_delay_seconds));
    return null;
  end if;
  budget := budget || jsonb_build_object('attempt', new.attempt);
  if new.state = 'running' then
    if old.started_at is null or coalesce(old.error_code, 'waiting') <> 'waiting' then
      perform job_note(new.id, 'INFO', 'Job started', budget);
    end if;
  elsif new.state = 'succeeded' then
    perform job_note(new.id, 'INFO', 'Job completed successfully', '{}');
  elsif new.state = 'failed' then
    perform job_note(new.id, 'ERROR', 'Job failed', failure || budget);
  elsif new.state = 'cancelled' then
    perform job_note(new.id, 'WARNING', 'Job cancelled', '{}');
  elsif new.state = 'queued' and old.state = 'running' then
    if new.error_code in ('worker_lost', 'shutdown') then
      perform job_note(new.id, 'WARNING', 'Recovered unfinished job', '{}');
    elsif new.attempt < old.attempt and new.error_code <> 'waiting' then
      perform job_note(new.id, 'WARNING', 'Job waits', failure);
    elsif new.attempt = old.attempt then
      perform job_note(new.id, 'ERROR', 'Job failed; retry scheduled',
        failure || budget || jsonb_build_object('retry_delay_seconds', round(
          extract(epoch from new.available_at - now()), 3)));
    end if;
  end if;
  return null;
end $$;
"""


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
    op.create_index(
        "ix_assets_sizes",
        "assets",
        ["project_id", "category"],
        postgresql_include=["size_bytes"],
    )
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
            "asked_at",
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
    op.create_index("ix_scene_runs_newest", "scene_runs", ["asset_id", "asked_at"])
    op.create_table(
        "subtitle_edits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
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
            ["recordings.id"],
            name=op.f("fk_subtitle_edits_recording_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subtitle_edits")),
    )
    op.create_index(
        "ix_subtitle_edits_segment",
        "subtitle_edits",
        ["recording_id", "version", "number"],
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
    op.add_column(
        "transcripts", sa.Column("about", postgresql.JSONB(), nullable=True)
    )
    op.drop_constraint(op.f("ck_recordings_kind_is_known"), "recordings")
    op.create_check_constraint(
        op.f("ck_recordings_kind_is_known"),
        "recordings",
        "kind in ('audio', 'pdf', 'picture', 'text', 'video', 'youtube')",
    )
    op.add_column("uploads", sa.Column("project_id", sa.String(), nullable=True))
    op.drop_constraint(
        op.f("ck_deletion_audit_events_entity_is_known"), "deletion_audit_events"
    )
    op.create_check_constraint(
        op.f("ck_deletion_audit_events_entity_is_known"),
        "deletion_audit_events",
        "entity_type in ('lecture', 'course', 'asset', 'project')",
    )
    op.execute(NOTE)
    op.execute(TOLD)
    op.execute(
        "create trigger job_told after insert or update of state on jobs"
        " for each row when (new.project_id is not null) execute function job_told()"
    )


def downgrade() -> None:
    op.execute("drop trigger job_told on jobs")
    op.execute("drop function job_told()")
    op.execute("drop function job_note(uuid, text, text, jsonb)")
    op.drop_column("uploads", "project_id")
    op.drop_constraint(
        op.f("ck_deletion_audit_events_entity_is_known"), "deletion_audit_events"
    )
    op.create_check_constraint(
        op.f("ck_deletion_audit_events_entity_is_known"),
        "deletion_audit_events",
        "entity_type in ('lecture', 'course')",
    )
    op.drop_constraint(op.f("ck_recordings_kind_is_known"), "recordings")
    op.create_check_constraint(
        op.f("ck_recordings_kind_is_known"), "recordings", "kind in ('audio', 'pdf')"
    )
    op.drop_column("transcripts", "about")
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
