"""What is told while it happens.

watchers       one look at the database for all who watch
streams        how many there may be, how they are sent, how they end
state_streams  first how something stands, then what has changed
sockets        the same over WebSockets
"""
