"""Videos that lie elsewhere: what we know of them, and how the rest gets here.

ids        which video a text names
rows       one row per video, however many ask for it at once
fetching   what helpers outside are to fetch, and that they gave up
listening  from what a helper sent to a transcript
arrivals   what follows when a transcript, metadata or a summary is there
notes      which notes are to be written by a model, and about which moment
"""

from common.videos.arrivals import take_metadata, take_summary, take_transcript
from common.videos.fetching import failed, fetch, give_up
from common.videos.ids import video_id
from common.videos.listening import Heard, transcript
from common.videos.notes import ask_for_note, moment_ms
from common.videos.rows import ensure, locked

__all__ = [
    "Heard",
    "ask_for_note",
    "ensure",
    "failed",
    "fetch",
    "give_up",
    "locked",
    "moment_ms",
    "take_metadata",
    "take_summary",
    "take_transcript",
    "transcript",
    "video_id",
]
