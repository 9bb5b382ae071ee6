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
  _our_logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^${var.name}-(api|worker|solo)$\""

  # Lines of our logs that are counted; the messages are those of the code.
  log_counts = {
    jobs_failed   = "jsonPayload.message=\"job.updated\" AND jsonPayload.status=\"failed\""
    jobs_done     = "jsonPayload.message=\"job.run.completed\""
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

resource "google_monitoring_alert_policy" "logs" {
  for_each = local.log_alerts

  display_name          = "Pegasus ${var.environment}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = local._channels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.counts[each.key].name}\""
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
      filter             = "${local._services} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      denominator_filter = "${local._services} AND metric.type = \"run.googleapis.com/request_count\""
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

# The promises, over 30 days.
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
      total_service_filter = "${local._services} AND metric.type = \"run.googleapis.com/request_count\""
      bad_service_filter   = "${local._services} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
    }
  }
}

resource "google_monitoring_slo" "jobs" {
  service             = google_monitoring_custom_service.pegasus.service_id
  slo_id              = "jobs"
  display_name        = "Jobs that end well"
  goal                = 0.99
  rolling_period_days = 30

  request_based_sli {
    good_total_ratio {
      good_service_filter = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.counts["jobs_done"].name}\""
      bad_service_filter  = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.counts["jobs_failed"].name}\""
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

  depends_on = [google_logging_metric.counts, google_logging_metric.queue_age]
}
