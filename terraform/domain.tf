# Only with a domain: a load balancer with a certificate and Cloud Armor before the API.
# Its address goes into the domain's A record.

locals {
  _with_domain = var.domain == "" ? 0 : 1
}

resource "google_compute_global_address" "api" {
  count = local._with_domain

  name = "${var.name}-api"

  depends_on = [google_project_service.needed]
}

resource "google_compute_managed_ssl_certificate" "api" {
  count = local._with_domain

  name = "${var.name}-api"

  managed {
    domains = [var.domain]
  }
}

resource "google_compute_ssl_policy" "modern" {
  count = local._with_domain

  name            = "${var.name}-modern"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_region_network_endpoint_group" "api" {
  count = local._with_domain

  name                  = "${var.name}-api"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = module.api.name
  }
}

resource "google_compute_security_policy" "api" {
  count = local._with_domain

  name        = "${var.name}-api"
  description = "Limits what one address may send; the API has finer limits of its own."

  rule {
    action   = "throttle"
    priority = 1000

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = 600
        interval_sec = 60
      }
    }
  }

  rule {
    action   = "allow"
    priority = 2147483647 # the rule that must be there

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

# No timeout_sec: with a serverless backend it is an error.
resource "google_compute_backend_service" "api" {
  count = local._with_domain

  name                  = "${var.name}-api"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.api[0].id

  backend {
    group = google_compute_region_network_endpoint_group.api[0].id
  }

  log_config {
    enable      = true
    sample_rate = 0.1
  }
}

resource "google_compute_url_map" "api" {
  count = local._with_domain

  name            = "${var.name}-api"
  default_service = google_compute_backend_service.api[0].id
}

resource "google_compute_target_https_proxy" "api" {
  count = local._with_domain

  name             = "${var.name}-api"
  url_map          = google_compute_url_map.api[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.api[0].id]
  ssl_policy       = google_compute_ssl_policy.modern[0].id
}

resource "google_compute_global_forwarding_rule" "api" {
  count = local._with_domain

  name                  = "${var.name}-api"
  target                = google_compute_target_https_proxy.api[0].id
  ip_address            = google_compute_global_address.api[0].id
  port_range            = "443"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
