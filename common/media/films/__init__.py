"""Films: what is in them, a picture of them, and a small copy for previews.

check      asks a child process, which may die of the file; all below runs there
opening    a film and its streams
looking    its facts, and whether it is whole
picture    one frame as JPEG
preview    H.264 and AAC, small enough for a phone

No numpy: the API has none, and asks while an upload waits.
"""
