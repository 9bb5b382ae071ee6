"""what may be spent in a day, and how long answers are kept

Revision: 0007_expand_budget, after 0006_expand_events
"""

from alembic import op
import sqlalchemy as sa

revision = "0007_expand_budget"
down_revision = "0006_expand_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "usd_micros", sa.BigInteger(), server_default="0", nullable=False
        ),
        sa.CheckConstraint(
            "usd_micros >= 0", name=op.f("ck_budget_days_not_negative")
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_budget_days")),
    )
    op.create_table(
        "budget_reservations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("usd_micros", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["day"], ["budget_days.day"], name=op.f("fk_budget_reservations_day")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_reservations")),
    )
    op.create_index(
        "ix_budget_reservations_created_at", "budget_reservations", ["created_at"]
    )
    op.add_column("provider_results", sa.Column("job_id", sa.Uuid(), nullable=True))
    op.create_index("ix_provider_results_job", "provider_results", ["job_id"])
    op.create_index(
        "ix_provider_results_created_at", "provider_results", ["created_at"]
    )


def downgrade() -> None:
    op.drop_index("ix_provider_results_created_at", table_name="provider_results")
    op.drop_index("ix_provider_results_job", table_name="provider_results")
    op.drop_column("provider_results", "job_id")
    op.drop_table("budget_reservations")
    op.drop_table("budget_days")
