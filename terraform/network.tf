# A network of our own: the services leave by it, the database is only in it.

resource "google_compute_network" "main" {
  name                    = var.name
  auto_create_subnetworks = false

  depends_on = [google_project_service.needed]
}

resource "google_compute_subnetwork" "services" {
  name                     = "${var.name}-services"
  network                  = google_compute_network.main.id
  region                   = var.region
  ip_cidr_range            = "10.8.0.0/22" # two addresses for each of 201 instances, old and new
  private_ip_google_access = true
}

resource "google_compute_global_address" "google_services" {
  name          = "${var.name}-google-services"
  network       = google_compute_network.main.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
}

resource "google_service_networking_connection" "google_services" {
  network                 = google_compute_network.main.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.google_services.name]
  deletion_policy         = "ABANDON" # or a teardown fails while Google still clears up
}
