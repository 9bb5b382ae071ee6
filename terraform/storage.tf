# Recordings and all that is made of them.

resource "google_storage_bucket" "media" {
  name                        = "${var.project_id}-${var.name}-media"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 3600
  }

  # What a client left in the middle. The sweep aborts sessions that it knows.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7 # days; a session lives no longer
    }
  }

  dynamic "cors" {
    for_each = length(var.cors_origins) == 0 ? [] : [var.cors_origins]

    content {
      origin          = cors.value
      method          = ["GET", "HEAD", "PUT", "POST"]
      response_header = ["Content-Type", "Content-Range", "Range", "ETag", "x-goog-resumable"]
      max_age_seconds = 3600
    }
  }

  depends_on = [google_project_service.needed]
}

# Cloud Storage's own account tells the topic that an upload is complete.
data "google_storage_project_service_account" "this" {
  project = var.project_id
}

resource "google_pubsub_topic_iam_member" "storage_tells" {
  topic  = google_pubsub_topic.storage.name
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
}

resource "google_storage_notification" "uploads" {
  bucket             = google_storage_bucket.media.name
  topic              = google_pubsub_topic.storage.id
  event_types        = ["OBJECT_FINALIZE"]
  payload_format     = "JSON_API_V1"
  object_name_prefix = "${local.object_prefix}/uploads/" # all else the worker wrote itself

  depends_on = [google_pubsub_topic_iam_member.storage_tells]
}

locals {
  _media_users = { api = module.api.member, solo = module.solo.member, worker = module.worker.member }
}

resource "google_storage_bucket_iam_member" "media" {
  for_each = local._media_users

  bucket = google_storage_bucket.media.name
  role   = "roles/storage.objectUser"
  member = each.value
}

# Who reads or changes recordings beside our services is written down; not by default.
resource "google_project_iam_audit_config" "storage" {
  project = var.project_id
  service = "storage.googleapis.com"

  dynamic "audit_log_config" {
    for_each = ["DATA_READ", "DATA_WRITE"]

    content {
      log_type         = audit_log_config.value
      exempted_members = values(local._media_users)
    }
  }
}
