# The secrets that there may be. Their values are added by hand and never pass Terraform;
# secret_versions says which have one and are handed to the services.

resource "google_secret_manager_secret" "named" {
  for_each = local.secrets

  secret_id = "${var.name}-${lower(replace(each.key, "_", "-"))}"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.needed]
}

locals {
  # Variable → secret and version, per service.
  secret_env = { for service in ["api", "worker"] :
    service => { for variable, version in var.secret_versions :
      variable => {
        secret  = google_secret_manager_secret.named[variable].secret_id
        version = version
      } if contains(local.secrets[variable], service)
    }
  }
}
