"""Where the API process starts: the only place that reads its settings."""

from api_service.app import create_app
from common import deps, logs, settings, tracing

logs.configure()
loaded = settings.load("api")
tracing.start(loaded, "pegasus-api")
app = create_app(deps.build(loaded))
