"""which request asked for a job, so that its traces and log lines can be joined

Revision: 0008_expand_trace, after 0007_expand_budget
"""

from alembic import op
import sqlalchemy as sa

revision = "0008_expand_trace"
down_revision = "0007_expand_budget"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("traceparent", sa.String()))


def downgrade() -> None:
    op.drop_column("jobs", "traceparent")
