"""Recordings: what a file holds, its sound as samples, and pieces to recognise."""
