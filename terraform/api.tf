# The API: private unless told otherwise.

locals {
  _api_concurrency = 32 # requests that wait, for storage mostly; the pool is smaller
}

module "api" {
  source = "./modules/service"

  name            = "${var.name}-api"
  image           = var.api_image
  region          = var.region
  timeout_seconds = 300 # a slow client may take minutes to send a recording
  concurrency     = local._api_concurrency
  memory          = "1Gi"
  min_instances   = var.api_min_instances
  max_instances   = var.api_max_instances
  ingress         = var.domain == "" ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  subnetwork      = google_compute_subnetwork.services.id
  audiences       = var.domain == "" ? [] : [local.public_url] # of callers' tokens
  invokers        = var.api_is_public ? ["allUsers"] : var.api_invokers

  env = merge(local.service_env, {
    DATABASE_URL               = local.database_url.api
    PEGASUS_API_THREADS        = tostring(local._api_concurrency + 2) # for the probes
    PEGASUS_DATABASE_POOL_SIZE = tostring(var.api_pool_size)
    PEGASUS_TRUSTED_PROXY_HOPS = var.domain == "" ? "1" : "2"
    PLC_CORS_ORIGINS           = join(",", var.cors_origins)
  })
  secrets = local.secret_env.api
}

# It signs addresses of files with its own identity: there is no key file.
resource "google_service_account_iam_member" "api_signs" {
  service_account_id = module.api.service_account
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = module.api.member
}
