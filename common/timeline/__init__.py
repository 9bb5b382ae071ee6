"""Cut and join clips of a project's files into one film.

request     what clients may ask for
plan        the same in frames, as values
planning    from the one to the other: pure arithmetic
captions    SRT and WebVTT files, and what was said, as timed text
studio      has a child process do the work; all below runs there
pictures    frames of the sources, at exact times
composition frames of the film from those of its clips
lettering   text as pictures
sound       voices and music, mixed
encoding    frames and samples to files, and parts to one film

docs/decisions/0008-timelines-in-parts.md tells why it is built like this.
"""
