terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # Bucket and prefix come from scripts/setup-gcp.sh: terraform init -backend-config=…
  backend "gcs" {}
}

provider "google" {
  project = var.project_id
  region  = var.region

  # Budgets are billed to a project of their own unless told otherwise.
  billing_project       = var.project_id
  user_project_override = true

  default_labels = local.labels
}
