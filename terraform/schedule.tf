# What must happen by itself.

resource "google_service_account" "scheduler" {
  account_id   = "${var.name}-scheduler"
  display_name = "Pegasus: Cloud Scheduler calls the worker"
}

locals {
  # Paths of worker_service/schedules.
  schedules = {
    sweep     = { cron = "* * * * *", deadline = "300s", retries = 0 } # the next is near
    retention = { cron = "0 3 * * *", deadline = "1800s", retries = 3 }
  }
}

resource "google_cloud_scheduler_job" "calls" {
  for_each = local.schedules

  name             = "${var.name}-${each.key}"
  region           = var.region
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = each.value.deadline

  retry_config {
    retry_count          = each.value.retries
    min_backoff_duration = "60s"
  }

  http_target {
    http_method = "POST"
    uri         = "${local._url.worker}/schedules/${each.key}"

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = local.worker_audience
    }
  }

  depends_on = [google_project_service.needed]
}
