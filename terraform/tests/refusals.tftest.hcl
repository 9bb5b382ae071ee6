# What must not be deployed is refused before anything is made.

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
  environment   = "prod"
  api_image     = "europe-west4-docker.pkg.dev/lectures-test/pegasus/api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  worker_image  = "europe-west4-docker.pkg.dev/lectures-test/pegasus/worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  migrate_image = "europe-west4-docker.pkg.dev/lectures-test/pegasus/migrate@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

run "a_tag_instead_of_a_digest" {
  command = plan
  variables {
    api_image     = "europe-west4-docker.pkg.dev/lectures-test/pegasus/api:latest"
    worker_image  = "europe-west4-docker.pkg.dev/lectures-test/pegasus/worker:v1"
    migrate_image = "europe-west4-docker.pkg.dev/lectures-test/pegasus/migrate"
  }
  expect_failures = [var.api_image, var.worker_image, var.migrate_image]
}

run "more_connections_than_the_tier_allows" {
  command = plan
  variables {
    api_max_instances = 20
  }
  expect_failures = [var.database_tier]
}

run "a_pool_that_a_small_tier_cannot_hold" {
  command = plan
  variables {
    database_tier = "db-f1-micro"
  }
  expect_failures = [var.database_tier]
}

run "a_tier_whose_connections_nobody_knows" {
  command = plan
  variables {
    database_tier = "db-custom-96-638976"
  }
  expect_failures = [var.database_tier]
}

run "an_api_opened_by_the_list" {
  command = plan
  variables {
    api_invokers = ["allUsers"]
  }
  expect_failures = [var.api_invokers]
}

run "an_api_that_anybody_may_write_to" {
  command = plan
  variables {
    api_is_public = true
  }
  expect_failures = [var.api_is_public]
}

run "any_page_may_upload" {
  command = plan
  variables {
    cors_origins = ["*"]
  }
  expect_failures = [var.cors_origins]
}

run "a_secret_that_nobody_reads" {
  command = plan
  variables {
    secret_versions = { DATABASE_PASSWORD = "1" }
  }
  expect_failures = [var.secret_versions]
}

run "a_secret_by_latest" {
  command = plan
  variables {
    secret_versions = { OPENAI_API_KEY = "latest" }
  }
  expect_failures = [var.secret_versions]
}

run "an_environment_of_another_name" {
  command = plan
  variables {
    environment = "production"
  }
  expect_failures = [var.environment]
}

run "words_that_are_not_ours" {
  command = plan
  variables {
    alert_email     = "nobody"
    billing_account = "12345"
    domain          = "https://lectures.example.org"
    llm_provider    = "claude"
    name            = "Pegasus"
    region          = "Europe"
    speech_provider = "pocketsphinx"
  }
  expect_failures = [
    var.alert_email,
    var.billing_account,
    var.domain,
    var.llm_provider,
    var.name,
    var.region,
    var.speech_provider,
  ]
}

run "numbers_out_of_range" {
  command = plan
  variables {
    api_min_instances         = 11
    daily_provider_budget_usd = -1
    database_backup_days      = 30
    database_disk_gb          = 1
    monthly_budget            = 0
    retention_raw_audio_days  = -1
    retention_transcript_days = 0.5
    soft_delete_days          = 3
    solo_pool_size            = 1
    worker_concurrency        = 0
    worker_pool_size          = 1
  }
  expect_failures = [
    var.api_min_instances,
    var.daily_provider_budget_usd,
    var.database_backup_days,
    var.database_disk_gb,
    var.monthly_budget,
    var.retention_raw_audio_days,
    var.retention_transcript_days,
    var.soft_delete_days,
    var.solo_pool_size,
    var.worker_concurrency,
    var.worker_pool_size,
  ]
}

run "a_secret_for_everybody_to_see" {
  command = plan
  variables {
    extra_environment = { OPENAI_API_KEY = "sk-0" }
  }
  expect_failures = [var.extra_environment]
}

run "a_setting_that_terraform_makes" {
  command = plan
  variables {
    extra_environment = { STORAGE_MODE = "local" }
  }
  expect_failures = [var.extra_environment]
}

run "a_setting_that_is_no_name" {
  command = plan
  variables {
    extra_environment = { "plc-stt-language" = "de-DE" }
  }
  expect_failures = [var.extra_environment]
}

run "too_few_places_for_the_queues" {
  command = plan
  variables {
    worker_concurrency   = 2
    worker_max_instances = 2
  }
  expect_failures = [var.worker_concurrency]
}

run "the_fewest_places" {
  command = plan
  variables {
    worker_concurrency   = 1
    worker_max_instances = 5
  }
}

run "a_database_of_another_project" {
  command = plan
  variables {
    database_connection_name = "lectures-other:europe-west4:pegasus-prod"
  }
  expect_failures = [var.database_connection_name]
}

run "a_database_in_another_region" {
  command = plan
  variables {
    database_connection_name = "lectures-test:europe-west1:pegasus-prod"
  }
  expect_failures = [var.database_connection_name]
}

run "a_database_by_half_its_name" {
  command = plan
  variables {
    database_connection_name = "pegasus-prod-restored"
  }
  expect_failures = [var.database_connection_name]
}

run "models_nowhere" {
  command = plan
  variables {
    speech_location = "Frankfurt"
    vertex_location = ""
  }
  expect_failures = [var.speech_location, var.vertex_location]
}
