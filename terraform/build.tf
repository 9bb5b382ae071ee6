# The account that cloudbuild.yaml runs as, made by scripts/setup-gcp.sh, ships revisions
# that run as the services' accounts.

locals {
  _builder = "serviceAccount:pegasus-builder@${var.project_id}.iam.gserviceaccount.com"

  _shipped_as = {
    api     = module.api.service_account
    migrate = google_service_account.migrate.name
    solo    = module.solo.service_account
    worker  = module.worker.service_account
  }
}

resource "google_service_account_iam_member" "builder_ships" {
  for_each = local._shipped_as

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = local._builder
}

# It asks the new revisions whether they are ready.
resource "google_cloud_run_v2_service_iam_member" "builder_asks" {
  name     = module.api.name
  location = var.region
  role     = "roles/run.invoker"
  member   = local._builder
}
