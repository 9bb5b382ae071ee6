"""Bytes on their way in and out; no file is ever whole in memory.

incoming        uploads by form, to disk in pieces
parts           a file of a form, from the line to the storage
content_ranges  the bodies of upload sessions
files           stored files: whole, in ranges, or by link
"""
