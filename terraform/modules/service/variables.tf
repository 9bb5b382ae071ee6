variable "audiences" {
  description = "Audiences that tokens for this service may name beside its address."
  type        = list(string)
  default     = []
}

variable "concurrency" {
  description = "Requests that one instance serves at once."
  type        = number
}

variable "env" {
  description = "Environment variables that are no secret."
  type        = map(string)
}

variable "image" {
  description = "Image by digest."
  type        = string
}

variable "ingress" {
  description = "Who may reach the address at all."
  type        = string

  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"], var.ingress)
    error_message = "One of Cloud Run's own words."
  }
}

variable "invokers" {
  description = "Members that may call it; allUsers opens it."
  type        = list(string)
}

variable "max_instances" {
  description = "Most instances at once."
  type        = number
}

variable "memory" {
  description = "Memory of an instance; its files are in it, too."
  type        = string
}

variable "min_instances" {
  description = "Instances kept warm."
  type        = number
  default     = 0
}

variable "name" {
  description = "Name of the service and of its account."
  type        = string
}

variable "region" {
  description = "Region of the service."
  type        = string
}

variable "secrets" {
  description = "Environment variables that are secrets: name and version in Secret Manager."
  type        = map(object({ secret = string, version = string }))
  default     = {}
}

variable "subnetwork" {
  description = "Subnetwork by which it reaches private addresses."
  type        = string
}

variable "timeout_seconds" {
  description = "Longest time that a request may take."
  type        = number

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 3600
    error_message = "Cloud Run allows 1 to 3600."
  }
}
