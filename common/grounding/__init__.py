"""Every citation checked against the transcript; what cannot be found is not cited.

A model may only quote. The times, and the words themselves, come from the transcript.
"""

from common.grounding.support import ground

__all__ = ["ground"]
