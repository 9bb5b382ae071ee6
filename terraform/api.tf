# The API: private unless told otherwise.

locals {
  # 300 streams, which only wait, and 40 requests; the pool of connections is smaller.
  _api_concurrency = 340
}

module "api" {
  source = "./modules/service"

  name            = "${var.name}-api"
  image           = var.api_image
  region          = var.region
  timeout_seconds = 3600 # of a stream; the most that Cloud Run allows
  concurrency     = local._api_concurrency
  memory          = "2Gi" # it, and two children of 512 MiB that look into files
  min_instances   = var.api_min_instances
  max_instances   = var.api_max_instances
  ingress         = var.domain == "" ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  subnetwork      = google_compute_subnetwork.services.id
  audiences       = var.domain == "" ? [] : [local.public_url] # of callers' tokens
  invokers        = var.api_is_public ? ["allUsers"] : var.api_invokers

  env = merge(local.service_env, {
    CORS_ORIGINS               = join(",", var.cors_origins)
    DATABASE_URL               = local.database_url.api
    GOOGLE_CLIENT_ID           = var.google_client_id
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
