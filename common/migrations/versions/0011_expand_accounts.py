"""people, and what is theirs

Revision: 0011_expand_accounts, after 0010_expand_projects
"""

from alembic import op
import sqlalchemy as sa

revision = "0011_expand_accounts"
down_revision = "0010_expand_projects"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("google_subject", sa.String(), nullable=True),
        sa.Column("picture_url", sa.String(), nullable=True),
        sa.Column(
            "ai_notes_enabled", sa.Boolean(), server_default="false", nullable=False
        ),
        sa.Column("token_version", sa.Integer(), server_default="0", nullable=False),
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
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("google_subject", name=op.f("uq_users_google_subject")),
    )
    op.create_table(
        "long_term_tokens",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_long_term_tokens_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_long_term_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_long_term_tokens_sha256")),
    )
    op.add_column("courses", sa.Column("owner_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_courses_owner_id"), "courses", ["owner_id"])
    op.create_foreign_key(
        op.f("fk_courses_owner_id"), "courses", "users", ["owner_id"], ["id"]
    )
    op.add_column("lectures", sa.Column("owner_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_lectures_owner_id"), "lectures", ["owner_id"])
    op.create_foreign_key(
        op.f("fk_lectures_owner_id"), "lectures", "users", ["owner_id"], ["id"]
    )
    op.add_column("uploads", sa.Column("owner_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_uploads_owner_id"), "uploads", ["owner_id"])
    op.create_foreign_key(
        op.f("fk_uploads_owner_id"), "uploads", "users", ["owner_id"], ["id"]
    )
    op.add_column("uploads", sa.Column("client", sa.String(), nullable=True))
    op.drop_constraint(op.f("ck_uploads_kind_is_known"), "uploads")
    op.create_check_constraint(
        op.f("ck_uploads_kind_is_known"), "uploads", "kind in ('audio', 'pdf', 'video')"
    )
    op.add_column("threads", sa.Column("owner_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_threads_owner_id"), "threads", ["owner_id"])
    op.create_foreign_key(
        op.f("fk_threads_owner_id"), "threads", "users", ["owner_id"], ["id"]
    )
    op.drop_constraint(op.f("uq_threads_course_id"), "threads")
    op.create_unique_constraint(
        op.f("uq_threads_course_id"),
        "threads",
        ["course_id", "owner_id", "key"],
        postgresql_nulls_not_distinct=True,
    )
    op.add_column(
        "deletion_audit_events", sa.Column("owner_id", sa.Integer(), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("deletion_audit_events", "owner_id")
    op.execute("delete from threads where owner_id is not null")
    op.drop_constraint(op.f("uq_threads_course_id"), "threads")
    op.create_unique_constraint(
        op.f("uq_threads_course_id"), "threads", ["course_id", "key"]
    )
    op.drop_constraint(op.f("fk_threads_owner_id"), "threads", type_="foreignkey")
    op.drop_index(op.f("ix_threads_owner_id"), table_name="threads")
    op.drop_column("threads", "owner_id")
    op.drop_constraint(op.f("ck_uploads_kind_is_known"), "uploads")
    op.create_check_constraint(
        op.f("ck_uploads_kind_is_known"), "uploads", "kind in ('audio', 'pdf')"
    )
    op.drop_column("uploads", "client")
    op.drop_constraint(op.f("fk_uploads_owner_id"), "uploads", type_="foreignkey")
    op.drop_index(op.f("ix_uploads_owner_id"), table_name="uploads")
    op.drop_column("uploads", "owner_id")
    op.drop_constraint(op.f("fk_lectures_owner_id"), "lectures", type_="foreignkey")
    op.drop_index(op.f("ix_lectures_owner_id"), table_name="lectures")
    op.drop_column("lectures", "owner_id")
    op.drop_constraint(op.f("fk_courses_owner_id"), "courses", type_="foreignkey")
    op.drop_index(op.f("ix_courses_owner_id"), table_name="courses")
    op.drop_column("courses", "owner_id")
    op.drop_table("long_term_tokens")
    op.drop_table("users")
