# The worker and the solo lane: private, called only by Cloud Tasks, Pub/Sub and the
# scheduler.

locals {
  _worker_callers = [
    google_service_account.tasks.member,
    google_service_account.events.member,
    google_service_account.scheduler.member,
  ]

  # The APIs of Google that a worker pays for, if they are chosen.
  _provider_roles = {
    "roles/speech.client"   = true
    "roles/aiplatform.user" = local.vertex_is_allowed
  }
}

module "worker" {
  source = "./modules/service"

  name            = "${var.name}-worker"
  image           = var.worker_image
  region          = var.region
  timeout_seconds = 1800 # as the dispatch deadline of common/providers/queue
  concurrency     = var.worker_concurrency
  memory          = "2Gi"
  max_instances   = var.worker_max_instances
  ingress         = "INGRESS_TRAFFIC_INTERNAL_ONLY" # calls from Google's own services are
  subnetwork      = google_compute_subnetwork.services.id
  audiences       = [local.worker_audience]
  invokers        = local._worker_callers

  env = merge(local.service_env, {
    DATABASE_URL               = local.database_url.worker
    PEGASUS_DATABASE_POOL_SIZE = tostring(var.worker_pool_size - 1) # one is the heart's
    PEGASUS_WORKER_THREADS     = tostring(var.worker_concurrency + 2)
  })
  secrets = local.secret_env.worker
}

module "solo" {
  source = "./modules/service"

  name            = "${var.name}-solo"
  image           = var.worker_image
  region          = var.region
  timeout_seconds = 1800
  concurrency     = 1 # a killer takes nobody along
  memory          = "4Gi"
  max_instances   = 1
  ingress         = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  subnetwork      = google_compute_subnetwork.services.id
  audiences       = [local.worker_audience]
  invokers        = [google_service_account.tasks.member]

  env = merge(local.service_env, {
    DATABASE_URL               = local.database_url.solo
    PEGASUS_DATABASE_POOL_SIZE = tostring(var.solo_pool_size - 1)
    PEGASUS_WORKER_THREADS     = "3"
  })
  secrets = local.secret_env.worker
}

resource "google_project_iam_member" "worker_providers" {
  for_each = toset([for role, wanted in local._provider_roles : role if wanted])

  project = var.project_id
  role    = each.value
  member  = module.worker.member
}

resource "google_project_iam_member" "solo_providers" {
  for_each = toset([for role, wanted in local._provider_roles : role if wanted])

  project = var.project_id
  role    = each.value
  member  = module.solo.member
}
