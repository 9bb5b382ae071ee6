"""The worker's own gunicorn settings; several may listen on one port, as instances."""

from worker_service.gunicorn_conf import (  # noqa: F401 - gunicorn reads the names
    bind,
    control_socket_disable,
    errorlog,
    graceful_timeout,
    keepalive,
    loglevel,
    on_starting,
    post_worker_init,
    threads,
    timeout,
    worker_class,
    workers,
)

reuse_port = True  # the kernel shares connections out, as a load balancer would
