# Both environments as they are, and every switch on and off.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }

  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  project_id    = "lectures-test"
  api_image     = "europe-west4-docker.pkg.dev/lectures-test/pegasus/api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  worker_image  = "europe-west4-docker.pkg.dev/lectures-test/pegasus/worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  migrate_image = "europe-west4-docker.pkg.dev/lectures-test/pegasus/migrate@sha256:0000000000000000000000000000000000000000000000000000000000000000"

  # As envs/prod.tfvars; files of variables are for plans, not for tests.
  environment          = "prod"
  database_tier        = "db-custom-1-3840"
  database_is_regional = true
  soft_delete_days     = 7
  monthly_budget       = 150
}

run "prod" {
  command = plan

  assert {
    condition     = google_sql_database_instance.main.settings[0].availability_type == "REGIONAL"
    error_message = "Production survives the loss of a zone."
  }

  assert {
    condition     = google_sql_database_instance.main.deletion_protection && google_sql_database_instance.main.settings[0].deletion_protection_enabled
    error_message = "The database is protected twice."
  }

  assert {
    condition     = !google_sql_database_instance.main.settings[0].ip_configuration[0].ipv4_enabled
    error_message = "The database has no public address."
  }

  assert {
    condition     = length(google_compute_global_forwarding_rule.api) == 0
    error_message = "Without a domain there is no load balancer."
  }

  assert {
    condition     = length(google_billing_budget.monthly) == 0
    error_message = "Without a billing account there is no budget."
  }

  assert {
    condition     = output.api_url == "https://pegasus-api-123456789012.europe-west4.run.app"
    error_message = "The address is Cloud Run's."
  }
}

run "staging" {
  command = plan

  variables {
    environment           = "staging"
    database_tier         = "db-g1-small"
    database_is_protected = false
    database_is_regional  = false
    api_max_instances     = 3
    worker_max_instances  = 3
    worker_pool_size      = 3
    soft_delete_days      = 0
    monthly_budget        = 30
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].availability_type == "ZONAL"
    error_message = "Staging is cheap."
  }

  assert {
    condition     = !google_sql_database_instance.main.deletion_protection
    error_message = "Staging can be torn down."
  }

  assert {
    condition     = output.connections_wanted == 37
    error_message = "3 x 4 for the API, 3 x 3 for the worker, 2 x 3 for the solo lane, 10 to spare."
  }
}

run "with_a_domain" {
  command = plan

  variables {
    domain = "lectures.example.org"
  }

  assert {
    condition     = length(google_compute_global_forwarding_rule.api) == 1 && length(google_compute_security_policy.api) == 1
    error_message = "A domain brings the load balancer and Cloud Armor."
  }

  assert {
    condition     = output.api_url == "https://lectures.example.org"
    error_message = "Clients use the domain."
  }
}

run "with_mails_and_a_budget" {
  command = plan

  variables {
    alert_email     = "operator@example.org"
    billing_account = "012345-6789AB-CDEF01"
  }

  assert {
    condition     = length(google_billing_budget.monthly) == 1 && length(google_monitoring_notification_channel.people) == 1
    error_message = "The budget and the people who are told."
  }

  assert {
    condition     = google_billing_budget.monthly[0].amount[0].specified_amount[0].units == "150"
    error_message = "In whatever currency the account has."
  }

  assert {
    condition     = google_monitoring_alert_policy.dead_letters.conditions[0].condition_threshold[0].threshold_value == 0
    error_message = "One message that was given up is told."
  }
}

run "on_a_restored_database" {
  command = plan

  variables {
    database_connection_name = "lectures-test:europe-west4:pegasus-prod-restored"
  }

  assert {
    condition     = local.common_env.PEGASUS_CLOUD_SQL_INSTANCE == "lectures-test:europe-west4:pegasus-prod-restored"
    error_message = "All services and the migration speak to it."
  }

  assert {
    condition     = google_sql_database_instance.main.name == "pegasus-prod"
    error_message = "The one that it was restored from stays."
  }
}

run "with_more_settings" {
  command = plan

  variables {
    extra_environment = { PLC_STT_LANGUAGE = "de-DE" }
    vertex_is_allowed = true
  }

  assert {
    condition     = local.service_env.PLC_STT_LANGUAGE == "de-DE" && local.service_env.STORAGE_MODE == "gcs"
    error_message = "They are set beside ours."
  }

  assert {
    condition     = local.service_env.PEGASUS_VERTEX == "on" && length(google_project_iam_member.worker_providers) == 2
    error_message = "Vertex AI may be asked for, and the worker has the role for it."
  }
}

run "with_pages_that_upload" {
  command = plan

  variables {
    cors_origins = ["https://app.example.org"]
  }

  assert {
    condition     = google_storage_bucket.media.cors[0].origin == tolist(["https://app.example.org"])
    error_message = "The bucket lets exactly these pages upload."
  }
}

run "with_secrets" {
  command = plan

  variables {
    secret_versions = { OPENAI_API_KEY = "3", PLC_WRITE_API_TOKEN = "1" }
  }

  assert {
    condition     = join(" ", keys(local.secret_env.api)) == "OPENAI_API_KEY PLC_WRITE_API_TOKEN"
    error_message = "The API gets both."
  }

  assert {
    condition     = join(" ", keys(local.secret_env.worker)) == "OPENAI_API_KEY"
    error_message = "The worker has no use for the API's token."
  }
}

run "open_to_all_only_when_asked" {
  command = plan

  variables {
    api_is_public   = true
    api_invokers    = ["user:me@example.org"]
    secret_versions = { PLC_WRITE_API_TOKEN = "1" }
  }

  assert {
    condition     = join(" ", module.api.invokers) == "allUsers"
    error_message = "api_is_public opens the API."
  }

  assert {
    condition     = length(module.worker.invokers) == 3 && length(module.solo.invokers) == 1
    error_message = "Nothing opens the worker: only our own callers may call it."
  }
}
