"""Where the API process starts: the only place that reads its settings."""

from api_service.app import create_app
from common import deps, logs, settings

logs.configure()
app = create_app(deps.build(settings.load("api")))
