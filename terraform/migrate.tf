# The job that brings the database up to date; run by cloudbuild.yaml before the new
# revisions get traffic.

resource "google_service_account" "migrate" {
  account_id   = "${var.name}-migrate"
  display_name = "Pegasus: owns the tables"
}

resource "google_cloud_run_v2_job" "migrate" {
  name                = "${var.name}-migrate"
  location            = var.region
  deletion_protection = false

  template {
    task_count = 1

    template {
      service_account = google_service_account.migrate.email
      max_retries     = 0 # somebody must look
      timeout         = "1800s"

      containers {
        image = var.migrate_image

        dynamic "env" {
          for_each = merge(local.common_env, {
            DATABASE_URL               = local.database_url.migrate
            PEGASUS_DATABASE_APP_ROLES = join(",", [for service in ["api", "solo", "worker"] : local.database_user[service]])
          })

          content {
            name  = env.key
            value = env.value
          }
        }

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }
      }

      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          subnetwork = google_compute_subnetwork.services.id
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].template[0].containers[0].image]
  }

  depends_on = [google_sql_user.services]
}
