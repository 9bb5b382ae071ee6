"""Files of video projects.

names      what projects and files are called, and which of it we accept
films      a film that was stored is looked into
rows       what is written of a file that came in
deleting   a file or a project goes, with all that hangs on it
sizes      how much of what there is
"""
