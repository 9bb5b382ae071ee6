# The truth about every job. Reached by a private address and IAM only; nobody has a
# password.

resource "google_sql_database_instance" "main" {
  name                = "${var.name}-${var.environment}"
  database_version    = "POSTGRES_18" # as that of the tests
  region              = var.region
  deletion_protection = var.database_is_protected

  settings {
    tier                        = var.database_tier
    edition                     = "ENTERPRISE"
    availability_type           = var.database_is_regional ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = var.database_disk_gb
    disk_autoresize             = true
    deletion_protection_enabled = var.database_is_protected # also against the console

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.main.id
      ssl_mode        = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED" # the connector has one
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "02:00" # an hour before the retention
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = var.database_backup_days

      backup_retention_settings {
        retained_backups = var.database_backup_days
      }
    }

    maintenance_window {
      day          = 7
      hour         = 4
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
    }

    dynamic "database_flags" {
      for_each = {
        "cloudsql.iam_authentication" = "on"
        "cloudsql.enable_pgaudit"     = "on"
        "log_checkpoints"             = "on"
        "log_connections"             = "on"
        "log_disconnections"          = "on"
        "log_lock_waits"              = "on"
        "log_min_duration_statement"  = "1000" # ms; no query of ours takes so long
        "log_min_error_statement"     = "error"
        "log_temp_files"              = "0"
        "pgaudit.log"                 = "ddl,role"
      }

      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  depends_on = [google_service_networking_connection.google_services]
}

resource "google_sql_database" "pegasus" {
  name            = "pegasus"
  instance        = google_sql_database_instance.main.name
  deletion_policy = "ABANDON" # the tables belong to the migrator, not to Terraform
}

locals {
  # The account of each service and job that talks to the database.
  _database_accounts = {
    api     = module.api.email
    migrate = google_service_account.migrate.email
    solo    = module.solo.email
    worker  = module.worker.email
  }

  # PostgreSQL knows an account by its address without the common end.
  database_user = { for service, email in local._database_accounts :
    service => trimsuffix(email, ".gserviceaccount.com")
  }
  database_url = { for service, user in local.database_user :
    service => "postgresql://${urlencode(user)}@/${google_sql_database.pegasus.name}"
  }
}

resource "google_sql_user" "services" {
  for_each = local.database_user

  instance = google_sql_database_instance.main.name
  name     = each.value
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"

  # Only the migrator makes tables; it grants the others what they need.
  database_roles = each.key == "migrate" ? ["cloudsqlsuperuser"] : []

  # Who owns tables cannot be dropped; all users go with the instance.
  deletion_policy = "ABANDON"
}

resource "google_project_iam_member" "database_client" {
  for_each = local._database_accounts

  project = var.project_id
  role    = "roles/cloudsql.client"
  member  = "serviceAccount:${each.value}"
}

resource "google_project_iam_member" "database_login" {
  for_each = local._database_accounts

  project = var.project_id
  role    = "roles/cloudsql.instanceUser"
  member  = "serviceAccount:${each.value}"
}
