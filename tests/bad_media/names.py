"""Names that try to leave their folder, break a header, or pass for something else."""

from tests.bad_media import originals
from tests.bad_media.bad import Bad, Fate

_NAMES = {
    "climbing": "../../../../etc/cron.d/x.wav",
    "climbing by backslash": "..\\..\\..\\windows\\x.wav",
    "absolute": "/etc/passwd.wav",
    "quoted climbing": "..%2f..%2fetc%2fx.wav",
    "hidden": ".wav",
    "NUL": "talk\0.wav",
    "half a letter": "talk\ud800.wav",
    "new line": "talk\nX-Evil: 1.wav",
    "header": "talk.wav\r\nX-Evil: 1",
    "bell": "\a\b\x1b[2Jtalk.wav",
    "right to left": "talk\u202evaw.exe",
    "accents": "Vorlesung größe naïve.wav",
    "many bytes": "語" * 300 + ".wav",
    "very long": "x" * 5000 + ".wav",
    "command": "$(touch /tmp/x);`id`|x.wav",
    "protocol": "concat:a|b.wav",
    "format": "%s%n%x{0}{{}}.wav",
    "quotes": '"talk".wav',
    "markup": "<script>alert(1)</script>.wav",
    "SQL": "'; drop table jobs; --.wav",
}
FILES = tuple(
    Bad(
        f"name: {what}",
        lambda _dice: originals.recording(".wav", 1.5),
        Fate.TAKEN,
        name,
        "audio/wav",
    )
    for what, name in _NAMES.items()
)
