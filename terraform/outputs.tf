output "api_url" {
  description = "Where clients reach the API."
  value       = local.public_url
}

output "bucket" {
  description = "Bucket of recordings and results."
  value       = google_storage_bucket.media.name
}

output "connections_wanted" {
  description = "Database connections that all services together may open, with ten to spare."
  value       = local.connections_wanted
}

output "database_instance" {
  description = "Connection name of the database."
  value       = google_sql_database_instance.main.connection_name
}

output "database_name" {
  description = "Name of the database's instance for gcloud sql, as docs/runbooks/backup-restore.md asks for it."
  value       = google_sql_database_instance.main.name
}

output "images" {
  description = "Registry that cloudbuild.yaml pushes to."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "migrate_job" {
  description = "Job that brings the database up to date."
  value       = google_cloud_run_v2_job.migrate.name
}

output "secrets" {
  description = "Secret of each variable; add a version with gcloud secrets versions add."
  value       = { for variable, secret in google_secret_manager_secret.named : variable => secret.secret_id }
}

output "services" {
  description = "Names of the services that cloudbuild.yaml deploys."
  value       = { api = module.api.name, solo = module.solo.name, worker = module.worker.name }
}
