"""Pure functions on what was said: words, statements, phrases, ranking, definitions.

Made for speech: recognisers drop punctuation, and lecturers say "um" and "let us see".
"""
