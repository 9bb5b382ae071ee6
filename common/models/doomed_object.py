from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base


class DoomedObject(Base):
    """An object that the sweep removes from storage once ``due_at`` has passed.

    Written before an object that may not survive, and in the transaction that makes
    an object superfluous; taken back in the transaction that gives the object a row.
    """

    __tablename__ = "doomed_objects"

    object_key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)
