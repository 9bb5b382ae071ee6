"""Fetches what Pegasus wants to know of YouTube's videos, from a machine that may ask.

Needs Python, and of Pegasus this folder only. Metadata come with ``yt-dlp``,
transcripts with ``youtube-transcript-api``; Pegasus's extra ``youtube`` names both. See
``python -m scripts.youtube_helper --help`` and docs/youtube-helper.md.
"""
