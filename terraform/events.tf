# Messages in (an upload is complete) and out (what happened to a lecture).

resource "google_pubsub_topic" "storage" {
  name                       = "${var.name}-storage"
  message_retention_duration = "604800s" # a week, to replay after a mistake

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_topic" "events" {
  name                       = "${var.name}-events"
  message_retention_duration = "604800s"

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_topic" "dead_letters" {
  name = "${var.name}-dead-letters"

  depends_on = [google_project_service.needed]
}

# Without a subscription a dead-letter topic loses what it gets.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.name}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  message_retention_duration = "1209600s" # two weeks to look

  expiration_policy {
    ttl = "" # never
  }
}

resource "google_service_account" "events" {
  account_id   = "${var.name}-events"
  display_name = "Pegasus: Pub/Sub pushes to the worker"
}

locals {
  # Topic and path of each push; the paths are those of worker_service/events.
  pushes = {
    storage = { topic = google_pubsub_topic.storage.id, path = "/events/storage" }
  }

  _pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_subscription" "push" {
  for_each = local.pushes

  name                 = "${var.name}-${each.key}-push"
  topic                = each.value.topic
  ack_deadline_seconds = 600 # a recording is read and looked into

  push_config {
    push_endpoint = "${local._url.worker}${each.value.path}"

    oidc_token {
      service_account_email = google_service_account.events.email
      audience              = local.worker_audience
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 10
  }

  expiration_policy {
    ttl = "" # never
  }
}

# Pub/Sub's own account moves dead letters: it takes them from the one and gives them to
# the other.
resource "google_pubsub_topic_iam_member" "dead_letters_in" {
  topic  = google_pubsub_topic.dead_letters.name
  role   = "roles/pubsub.publisher"
  member = local._pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters_out" {
  for_each = google_pubsub_subscription.push

  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local._pubsub_agent
}

resource "google_service_account_iam_member" "pubsub_signs" {
  service_account_id = google_service_account.events.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local._pubsub_agent

  depends_on = [google_pubsub_topic.storage] # the agent comes with the first topic
}

locals {
  _publishers = { solo = module.solo.member, worker = module.worker.member }
}

resource "google_pubsub_topic_iam_member" "publish" {
  for_each = local._publishers

  topic  = google_pubsub_topic.events.name
  role   = "roles/pubsub.publisher"
  member = each.value
}
