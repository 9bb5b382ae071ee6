# Work handed over: one queue per class of provider, so that a slow one holds up no
# other, and the solo lane for jobs whose worker died.

locals {
  # Shares of the worker that each class may use. What is left is for the sweep and for
  # pushes: a worker that is full answers 429, and that slows a whole queue down.
  queue_shares = { media = 0.25, speech = 0.5, llm = 0.15 }
  _capacity    = var.worker_max_instances * var.worker_concurrency

  # Deliveries at once.
  queues = merge(
    { for queue, share in local.queue_shares : queue => max(1, floor(local._capacity * share)) },
    { solo = 1 },
  )
}

resource "google_cloud_tasks_queue" "jobs" {
  for_each = local.queues

  name     = "${var.name}-${each.key}"
  location = var.region

  rate_limits {
    max_concurrent_dispatches = each.value
    max_dispatches_per_second = 100
  }

  # Retries are ours; these are for a worker that cannot be reached. They end only when
  # both limits are used up, and the sweep rings again for what was lost.
  retry_config {
    max_attempts       = 100
    max_retry_duration = "86400s" # as long as a job may wait
    min_backoff        = "1s"
    max_backoff        = "60s"
    max_doublings      = 6
  }

  stackdriver_logging_config {
    sampling_ratio = 0.1
  }

  depends_on = [google_project_service.needed]
}

# The identity on the tokens that the worker checks.
resource "google_service_account" "tasks" {
  account_id   = "${var.name}-tasks"
  display_name = "Pegasus: Cloud Tasks calls the worker"
}

locals {
  _enqueuers = { api = module.api.member, solo = module.solo.member, worker = module.worker.member }

  _queue_users = merge([for service, member in local._enqueuers :
    { for queue in keys(local.queues) : "${service}-${queue}" => { queue = queue, member = member } }
  ]...)
}

resource "google_cloud_tasks_queue_iam_member" "enqueue" {
  for_each = local._queue_users

  name     = google_cloud_tasks_queue.jobs[each.value.queue].name
  location = var.region
  role     = "roles/cloudtasks.enqueuer"
  member   = each.value.member
}

# Readiness asks whether the solo queue is there.
resource "google_cloud_tasks_queue_iam_member" "look" {
  name     = google_cloud_tasks_queue.jobs["solo"].name
  location = var.region
  role     = "roles/cloudtasks.viewer"
  member   = module.api.member
}

# Whoever makes a task with this identity must be allowed to act as it.
resource "google_service_account_iam_member" "acts_as_tasks" {
  for_each = local._enqueuers

  service_account_id = google_service_account.tasks.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}
