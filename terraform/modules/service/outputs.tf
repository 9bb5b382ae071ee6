output "email" {
  description = "Address of the service's account."
  value       = google_service_account.this.email
}

output "invokers" {
  description = "Who may call it."
  value       = var.invokers
}

output "member" {
  description = "The account as a member of IAM policies."
  value       = google_service_account.this.member
}

output "name" {
  description = "Name of the service."
  value       = google_cloud_run_v2_service.this.name
}

output "service_account" {
  description = "Full name of the service's account."
  value       = google_service_account.this.name
}

output "uri" {
  description = "Where Cloud Run serves it."
  value       = google_cloud_run_v2_service.this.uri
}
