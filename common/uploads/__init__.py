"""Files that clients send directly to storage, past the limits of our own doors.

opening      a place for a file is asked for, and refused while that is cheap
completion   all is there: looked into, and made a lecture's recording, once
claims       who of several is completing an upload just now
ending       not wanted any more, or forgotten: nothing is left of it

No transaction is open while storage is asked or a file is looked into. A row is there
before its session opens and until its object is a recording's or doomed, so a process
may die between any two lines: the sweep removes what is left.
"""

from common.uploads.claims import InProgress
from common.uploads.completion import Incomplete, complete, finalized, lecture_of
from common.uploads.ending import Ended, abort, require_wanted, sweep
from common.uploads.opening import Announced, Opened, TooManyUploads, open_upload
from common.uploads.rows import arrived_bytes, get, handed_out, with_token

__all__ = [
    "Announced",
    "Ended",
    "InProgress",
    "Incomplete",
    "Opened",
    "TooManyUploads",
    "abort",
    "arrived_bytes",
    "complete",
    "finalized",
    "get",
    "handed_out",
    "lecture_of",
    "open_upload",
    "require_wanted",
    "sweep",
    "with_token",
]
