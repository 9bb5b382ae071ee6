# What is watched: the promises of docs/runbooks/alerting.md and what breaks them.

resource "google_monitoring_notification_channel" "people" {
  for_each = toset(var.alert_email == "" ? [] : [var.alert_email])

  display_name = "Pegasus ${var.environment}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.needed]
}

locals {
  _channels = [for channel in google_monitoring_notification_channel.people : channel.id]
  _services = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = monitoring.regex.full_match(\"${var.name}-(api|worker|solo)\")"
  _api      = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${var.name}-api\""
  _our_logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^${var.name}-(api|worker|solo)$\""

  # Ends of jobs, one line each, however often a job was run. A piece of a recording is
  # no job to whoever waits for it.
  _ends = "jsonPayload.message=\"job.updated\" AND jsonPayload.job_type!=\"transcription_chunk\""
  _done = "${local._ends} AND jsonPayload.status=\"succeeded\""

  # Those that are counted by type: filters of logs.
  job_counts = {
    jobs_done    = local._done
    jobs_failed  = "${local._ends} AND jsonPayload.status=\"failed\""
    jobs_in_time = "${local._done} AND jsonPayload.seconds<=900"
    jobs_late    = "${local._done} AND jsonPayload.seconds>900"
  }

  # Lines of our logs that are counted; the messages are those of the code.
  log_counts = {
    poison        = "jsonPayload.message=\"job.poison\""
    provider_auth = "jsonPayload.message=\"job.run.failed\" AND jsonPayload.error=\"provider_auth\""
    bugs          = "severity>=ERROR AND jsonPayload.message=(\"unexpected\" OR \"job.run.failed\")"
  }

  # Alerts on those counts: how many in how many seconds are too many.
  log_alerts = {
    jobs_failed   = { above = 5, seconds = 600, title = "Jobs fail", runbook = "dead-letter-queue.md" }
    poison        = { above = 0, seconds = 300, title = "A job kills its workers", runbook = "dead-letter-queue.md" }
    provider_auth = { above = 0, seconds = 300, title = "A provider refuses our key", runbook = "incident-response.md" }
    bugs          = { above = 0, seconds = 300, title = "An unexpected error", runbook = "incident-response.md" }
  }
}

resource "google_logging_metric" "jobs" {
  for_each = local.job_counts

  name             = "${var.name}/${each.key}"
  filter           = "${local._our_logs} AND ${each.value}"
  label_extractors = { job_type = "EXTRACT(jsonPayload.job_type)" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "job_type"
      description = "transcription, generation, export and so on"
    }
  }
}

resource "google_logging_metric" "counts" {
  for_each = local.log_counts

  name   = "${var.name}/${each.key}"
  filter = "${local._our_logs} AND ${each.value}"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# The sweep says each minute how long the oldest job that is due has waited.
resource "google_logging_metric" "queue_age" {
  name            = "${var.name}/queue_age_seconds"
  filter          = "${local._our_logs} AND jsonPayload.message=\"queue\""
  value_extractor = "EXTRACT(jsonPayload.oldest_due_seconds)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"
  }
}

locals {
  _metrics = merge(google_logging_metric.counts, google_logging_metric.jobs)
}

resource "google_monitoring_alert_policy" "logs" {
  for_each = local.log_alerts

  display_name          = "Pegasus ${var.environment}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = local._channels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${local._metrics[each.key].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "0s"

      aggregations {
        alignment_period     = "${each.value.seconds}s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "See docs/runbooks/${each.value.runbook} in the repository."
  }
}

resource "google_monitoring_alert_policy" "queue_age" {
  display_name          = "Pegasus ${var.environment}: jobs wait"
  combiner              = "OR"
  notification_channels = local._channels

  conditions {
    display_name = "A job that is due has waited for 15 minutes"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.queue_age.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 900
      duration        = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  # Without the sweep nothing is mended, and this series ends.
  conditions {
    display_name = "Nobody sweeps"

    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.queue_age.name}\""
      duration = "600s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_COUNT"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "See docs/runbooks/incident-response.md in the repository."
  }
}

# Messages that nobody could use; they are kept for two weeks.
resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "Pegasus ${var.environment}: a message was given up"
  combiner              = "OR"
  notification_channels = local._channels

  conditions {
    display_name = "A message lies in the dead-letter subscription"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letters.name}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "See docs/runbooks/incident-response.md in the repository."
  }
}

resource "google_monitoring_alert_policy" "errors" {
  display_name          = "Pegasus ${var.environment}: the API answers 5xx"
  combiner              = "OR"
  notification_channels = local._channels

  conditions {
    display_name = "More than one answer in a hundred over five minutes"

    condition_threshold {
      filter             = "${local._api} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      denominator_filter = "${local._api} AND metric.type = \"run.googleapis.com/request_count\""
      comparison         = "COMPARISON_GT"
      threshold_value    = 0.01
      duration           = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
      }

      denominator_aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "See docs/runbooks/incident-response.md in the repository."
  }
}

# The promises, over 30 days; the table of docs/runbooks/alerting.md.
resource "google_monitoring_custom_service" "pegasus" {
  service_id   = var.name
  display_name = "Pegasus ${var.environment}"
}

resource "google_monitoring_slo" "answers" {
  service             = google_monitoring_custom_service.pegasus.service_id
  slo_id              = "answers"
  display_name        = "Requests answered without a 5xx"
  goal                = 0.995
  rolling_period_days = 30

  request_based_sli {
    good_total_ratio {
      total_service_filter = "${local._api} AND metric.type = \"run.googleapis.com/request_count\""
      bad_service_filter   = "${local._api} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
    }
  }
}

locals {
  _counted = { for name, metric in google_logging_metric.jobs :
    name => "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${metric.name}\""
  }
  _generations = "metric.labels.job_type = \"generation\""
  _lectures    = "metric.labels.job_type = one_of(\"transcription\", \"generation\")"
}

resource "google_monitoring_slo" "generation" {
  service             = google_monitoring_custom_service.pegasus.service_id
  slo_id              = "generation"
  display_name        = "Generations that end well"
  goal                = 0.99
  rolling_period_days = 30

  request_based_sli {
    good_total_ratio {
      good_service_filter = "${local._counted["jobs_done"]} AND ${local._generations}"
      bad_service_filter  = "${local._counted["jobs_failed"]} AND ${local._generations}"
    }
  }
}

resource "google_monitoring_slo" "in_time" {
  service             = google_monitoring_custom_service.pegasus.service_id
  slo_id              = "in-time" # no underscores in ids
  display_name        = "Transcriptions and generations done within 15 minutes"
  goal                = 0.95
  rolling_period_days = 30

  request_based_sli {
    good_total_ratio {
      good_service_filter = "${local._counted["jobs_in_time"]} AND ${local._lectures}"
      bad_service_filter  = "${local._counted["jobs_late"]} AND ${local._lectures}"
    }
  }
}

locals {
  # Tiles of the dashboard, two in a row.
  _tiles = [
    { title = "Requests", filter = "${local._services} AND metric.type=\"run.googleapis.com/request_count\"", aligner = "ALIGN_RATE", group = "metric.labels.response_code_class" },
    { title = "Latency (p95, ms)", filter = "${local._services} AND metric.type=\"run.googleapis.com/request_latencies\"", aligner = "ALIGN_PERCENTILE_95", group = "resource.labels.service_name" },
    { title = "Instances", filter = "${local._services} AND metric.type=\"run.googleapis.com/container/instance_count\"", aligner = "ALIGN_MAX", group = "resource.labels.service_name" },
    { title = "Oldest job that is due (s)", filter = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${var.name}/queue_age_seconds\"", aligner = "ALIGN_PERCENTILE_99", group = "resource.labels.service_name" },
    { title = "Jobs failed", filter = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${var.name}/jobs_failed\"", aligner = "ALIGN_RATE", group = "resource.labels.service_name" },
    { title = "Database connections", filter = "resource.type=\"cloudsql_database\" AND metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\"", aligner = "ALIGN_MAX", group = "resource.labels.database_id" },
  ]
}

resource "google_monitoring_dashboard" "main" {
  dashboard_json = jsonencode({
    displayName = "Pegasus ${var.environment}"
    mosaicLayout = {
      columns = 12
      tiles = [for index, tile in local._tiles : {
        xPos   = 6 * (index % 2)
        yPos   = 4 * floor(index / 2)
        width  = 6
        height = 4
        widget = {
          title = tile.title
          xyChart = {
            dataSets = [{
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = tile.filter
                  aggregation = {
                    alignmentPeriod    = "60s"
                    perSeriesAligner   = tile.aligner
                    crossSeriesReducer = tile.aligner == "ALIGN_RATE" ? "REDUCE_SUM" : "REDUCE_MAX"
                    groupByFields      = [tile.group]
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })

  depends_on = [google_logging_metric.jobs, google_logging_metric.queue_age]
}
