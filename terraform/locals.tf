locals {
  labels = {
    app         = "pegasus"
    environment = var.environment
  }

  # Connections that Cloud SQL allows by its memory. Source: the table of its
  # documentation, read 2026-10.
  max_connections = {
    "db-f1-micro"       = 25
    "db-g1-small"       = 50
    "db-custom-1-3840"  = 100
    "db-custom-2-7680"  = 400
    "db-custom-4-15360" = 500
    "db-custom-8-30720" = 600
  }

  # The solo instance twice: while a new revision starts, the old one still runs.
  connections_wanted = (
    var.api_max_instances * var.api_pool_size
    + var.worker_max_instances * var.worker_pool_size
    + 2 * var.solo_pool_size
    + 10
  )

  # Names and services of the secrets that may exist; secret_versions says which do.
  secrets = {
    PLC_WRITE_API_TOKEN         = ["api"]
    PLC_READ_API_TOKEN          = ["api"]
    PEGASUS_OLD_WRITE_API_TOKEN = ["api"]
    PEGASUS_OLD_READ_API_TOKEN  = ["api"]
    SECRET_KEY                  = ["api"]
    ADMIN_TOKEN                 = ["api"]
    PEGASUS_OLD_ADMIN_TOKEN     = ["api"]
    OPENAI_API_KEY              = ["api", "worker"]
    GEMINI_API_KEY              = ["api", "worker"]
  }
  secret_names = keys(local.secrets)

  # Where Cloud Run serves a service is known before the service exists.
  _url = { for service in ["api", "worker", "solo"] :
    service => "https://${var.name}-${service}-${data.google_project.this.number}.${var.region}.run.app"
  }
  public_url = var.domain == "" ? local._url.api : "https://${var.domain}"

  # Cloud Run accepts this audience for the worker and the solo lane alike.
  worker_audience = "https://worker.${var.name}.internal"

  # Ours, or the one that an operator has restored.
  _database = (
    var.database_connection_name == ""
    ? google_sql_database_instance.main.connection_name
    : var.database_connection_name
  )

  # What every service and job is told; a service adds what is its own.
  common_env = {
    GOOGLE_CLOUD_PROJECT              = var.project_id
    PEGASUS_CLOUD_SQL_INSTANCE        = local._database
    PEGASUS_CLOUD_SQL_IP_TYPE         = "private"
    PEGASUS_IDENTITY                  = "google"
    PEGASUS_TASKS_SERVICE_ACCOUNT     = google_service_account.tasks.email
    PEGASUS_SCHEDULER_SERVICE_ACCOUNT = google_service_account.scheduler.email
    PEGASUS_EVENTS_SERVICE_ACCOUNT    = google_service_account.events.email
  }

  service_env = merge(var.extra_environment, local._service_env)

  _service_env = merge(local.common_env, {
    GCS_BUCKET                     = google_storage_bucket.media.name
    GCS_PREFIX                     = local.object_prefix
    GOOGLE_CLOUD_LOCATION          = var.vertex_location
    PEGASUS_BIND                   = "0.0.0.0"
    PEGASUS_DAILY_BUDGET_USD       = var.daily_provider_budget_usd == 0 ? "" : tostring(var.daily_provider_budget_usd)
    PEGASUS_EVENTS                 = "pubsub"
    PEGASUS_EVENTS_TOPIC           = google_pubsub_topic.events.name
    PEGASUS_MAX_REQUEST_MB         = "31" # over 32 Cloud Run itself refuses, with a page of its own
    PEGASUS_PUBLIC_URL             = local.public_url
    PEGASUS_QUEUE                  = "cloud_tasks"
    PEGASUS_SOLO_WORKER_URL        = local._url.solo
    PEGASUS_SPEECH_LOCATION        = var.speech_location
    PEGASUS_TASKS_LOCATION         = var.region
    PEGASUS_TASKS_QUEUE_PREFIX     = var.name
    PEGASUS_VERTEX                 = local.vertex_is_allowed ? "on" : "off"
    PEGASUS_WORKER_AUDIENCE        = local.worker_audience
    PEGASUS_WORKER_URL             = local._url.worker
    PLC_INGEST_TRANSCRIBE_PROVIDER = var.speech_provider
    PLC_LLM_PROVIDER               = var.llm_provider
    PLC_RETENTION_RAW_AUDIO_DAYS   = tostring(var.retention_raw_audio_days)
    PLC_RETENTION_TRANSCRIPT_DAYS  = tostring(var.retention_transcript_days)
    STORAGE_MODE                   = "gcs"
  })

  # What extra_environment may not name: it is set above, in api.tf, worker.tf or
  # migrate.tf, or by Cloud Run.
  set_here = concat(keys(local._service_env), [
    "CORS_ORIGINS", "DATABASE_URL", "GOOGLE_CLIENT_ID", "PEGASUS_API_THREADS", "PEGASUS_DATABASE_APP_ROLES",
    "PEGASUS_DATABASE_POOL_SIZE", "PEGASUS_TRUSTED_PROXY_HOPS", "PEGASUS_WORKER_THREADS",
    "PLC_CORS_ORIGINS", "PORT",
  ])

  # Vertex AI may be asked for only where the worker has the role for it.
  vertex_is_allowed = var.vertex_is_allowed || var.llm_provider == "vertex"

  object_prefix = "pegasus"
}
