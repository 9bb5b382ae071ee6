variable "alert_email" {
  description = "Address that alerts and the budget write to; empty: nobody is told."
  type        = string
  default     = ""

  validation {
    condition     = var.alert_email == "" || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.alert_email))
    error_message = "Give an e-mail address, or nothing."
  }
}

variable "api_image" {
  description = "API image by digest, as pushed by cloudbuild.yaml."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.api_image))
    error_message = "Give the digest, not a tag."
  }
}

variable "api_invokers" {
  description = "Who may call a private API, e.g. [\"user:me@example.org\"]."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.api_invokers : can(regex("^(user|group|serviceAccount|domain):", member))])
    error_message = "Name users, groups, service accounts or domains; to open the API to all set api_is_public."
  }
}

variable "api_is_public" {
  description = "Whether anybody may reach the API; its own tokens still guard what it does."
  type        = bool
  default     = false

  validation {
    condition     = !var.api_is_public || contains(keys(var.secret_versions), "PLC_WRITE_API_TOKEN")
    error_message = "Anybody could write: name a version of PLC_WRITE_API_TOKEN in secret_versions first."
  }
}

variable "api_max_instances" {
  description = "Most API instances at once; each holds up to api_pool_size connections."
  type        = number
  default     = 10

  validation {
    condition     = var.api_max_instances >= 1 && var.api_max_instances <= 100 && floor(var.api_max_instances) == var.api_max_instances
    error_message = "Between 1 and 100."
  }
}

variable "api_min_instances" {
  description = "API instances kept warm; 0 scales to zero."
  type        = number
  default     = 0

  validation {
    condition     = var.api_min_instances >= 0 && var.api_min_instances <= 10
    error_message = "Between 0 and 10."
  }
}

variable "api_pool_size" {
  description = "Database connections of one API instance."
  type        = number
  default     = 4

  validation {
    condition     = var.api_pool_size >= 1 && var.api_pool_size <= 50
    error_message = "Between 1 and 50."
  }
}

variable "billing_account" {
  description = "Billing account for the budget alert, e.g. 012345-6789AB-CDEF01; empty: no budget."
  type        = string
  default     = ""

  validation {
    condition     = var.billing_account == "" || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "Three groups of six hexadecimal digits, or nothing."
  }
}

variable "cors_origins" {
  description = "Web pages that may call the API and upload to the bucket, e.g. [\"https://app.example.org\"]."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "Exact origins: scheme and host, no path, no wildcard."
  }
}

variable "daily_provider_budget_usd" {
  description = "Most that speech and language models may cost in a UTC day; 0: no limit."
  type        = number
  default     = 0

  validation {
    condition     = var.daily_provider_budget_usd >= 0
    error_message = "Zero or more."
  }
}

variable "database_backup_days" {
  description = "Days for which the database can be put back to any moment."
  type        = number
  default     = 7

  validation {
    condition     = var.database_backup_days >= 1 && var.database_backup_days <= 7
    error_message = "Cloud SQL Enterprise keeps 1 to 7 days of logs."
  }
}

variable "database_connection_name" {
  description = "Another database for all services, project:region:instance, as docs/runbooks/backup-restore.md restores one; empty: Terraform's own."
  type        = string
  default     = ""

  # The services have rights in this project only, and reach only its network.
  validation {
    condition     = var.database_connection_name == "" || can(regex("^${var.project_id}:${var.region}:[a-z][a-z0-9-]*[a-z0-9]$", var.database_connection_name))
    error_message = "Give ${var.project_id}:${var.region}:INSTANCE, or nothing."
  }
}

variable "database_disk_gb" {
  description = "Disk of the database to begin with; it grows by itself."
  type        = number
  default     = 10

  validation {
    condition     = var.database_disk_gb >= 10
    error_message = "At least 10."
  }
}

variable "database_is_protected" {
  description = "Whether the database refuses to be deleted; set false and apply before a teardown."
  type        = bool
  default     = true
}

variable "database_is_regional" {
  description = "Whether a second zone takes over when one fails (about twice the price)."
  type        = bool
  default     = false
}

# The rule: what all instances may open and ten for people and the migration must fit in
# nine tenths of what the tier allows; the tenth is for the moments in which Cloud Run
# goes over its maximum.
variable "database_tier" {
  description = "Machine of the database."
  type        = string
  default     = "db-custom-1-3840"

  validation {
    condition     = contains(keys(local.max_connections), var.database_tier)
    error_message = "One of the tiers in locals.tf, whose number of connections is known."
  }

  validation {
    condition     = local.connections_wanted <= floor(lookup(local.max_connections, var.database_tier, 0) * 0.9)
    error_message = "The services may open ${local.connections_wanted} connections, more than nine tenths of what ${var.database_tier} allows: lower *_max_instances or *_pool_size, or take a larger tier."
  }
}

variable "domain" {
  description = "Host name for a load balancer with certificate and Cloud Armor; empty: none, the run.app address is used."
  type        = string
  default     = ""

  validation {
    condition     = var.domain == "" || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "A host name in lower case, or nothing."
  }
}

variable "environment" {
  description = "Which deployment this is."
  type        = string

  validation {
    condition     = contains(["staging", "prod"], var.environment)
    error_message = "staging or prod."
  }
}

variable "extra_environment" {
  description = "More settings of the services, as README.md lists them, e.g. { PLC_STT_LANGUAGE = \"de-DE\" }; no secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.extra_environment), local.set_here)) == 0
    error_message = "Terraform sets these itself, from variables of its own: ${join(", ", setintersection(keys(var.extra_environment), local.set_here))}."
  }

  # Everybody who may look at a service sees its environment.
  validation {
    condition     = length([for name in keys(var.extra_environment) : name if can(regex("(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS|HEADERS)|^(DB|REDIS)_URL$", name))]) == 0
    error_message = "Secrets go into secret_versions, not here: ${join(", ", [for name in keys(var.extra_environment) : name if can(regex("(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS|HEADERS)|^(DB|REDIS)_URL$", name))])}."
  }

  validation {
    condition     = alltrue([for name in keys(var.extra_environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Names of variables are capital letters, digits and underscores."
  }
}

variable "google_client_id" {
  description = "OAuth client id with which people sign in with Google; empty: they do not."
  type        = string
  default     = ""
}

variable "llm_provider" {
  description = "Language model when a request names none."
  type        = string
  default     = "extractive"

  validation {
    condition     = contains(["extractive", "openai", "gemini", "vertex"], var.llm_provider)
    error_message = "extractive, openai, gemini or vertex."
  }
}

variable "migrate_image" {
  description = "Image of the migration job by digest."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.migrate_image))
    error_message = "Give the digest, not a tag."
  }
}

variable "monthly_budget" {
  description = "Monthly cost of the project that the budget alert watches, in the currency of the billing account."
  type        = number
  default     = 50

  validation {
    condition     = var.monthly_budget > 0 && floor(var.monthly_budget) == var.monthly_budget
    error_message = "A whole number above zero."
  }
}

variable "name" {
  description = "Beginning of every name, so that two deployments fit in one project."
  type        = string
  default     = "pegasus"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,13}[a-z0-9]$", var.name))
    error_message = "3 to 15 small letters, digits and hyphens."
  }
}

variable "project_id" {
  description = "Project that holds everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id, not its number or title."
  }
}

variable "region" {
  description = "Region of every regional resource."
  type        = string
  default     = "europe-west4"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region such as europe-west4."
  }
}

variable "retention_raw_audio_days" {
  description = "Days for which recordings are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.retention_raw_audio_days >= 0 && floor(var.retention_raw_audio_days) == var.retention_raw_audio_days
    error_message = "A whole number, zero or more."
  }
}

variable "retention_transcript_days" {
  description = "Days for which transcripts are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.retention_transcript_days >= 0 && floor(var.retention_transcript_days) == var.retention_transcript_days
    error_message = "A whole number, zero or more."
  }
}

variable "secret_versions" {
  description = "Version of each secret that exists, e.g. { PLC_WRITE_API_TOKEN = \"1\" }; docs/deploy.md shows how to add one."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.secret_versions), local.secret_names)) == 0
    error_message = "Only the secrets that locals.tf lists."
  }

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : can(regex("^[1-9][0-9]*$", version))])
    error_message = "Name versions by number: with 'latest' an instance could not be told from the next."
  }
}

variable "soft_delete_days" {
  description = "Days for which a deleted file can be brought back; 0: deleted is gone, as a deletion receipt says."
  type        = number
  default     = 0

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "0, or 7 to 90."
  }
}

variable "solo_pool_size" {
  description = "Database connections of the one solo instance, its heartbeat's included."
  type        = number
  default     = 3

  validation {
    condition     = var.solo_pool_size >= 2 && var.solo_pool_size <= 10
    error_message = "Between 2 and 10."
  }
}

variable "speech_provider" {
  description = "Speech recognition when a request names none."
  type        = string
  default     = "google"

  validation {
    condition     = contains(["google", "openai"], var.speech_provider)
    error_message = "google or openai; pocketsphinx is for laptops."
  }
}

variable "speech_location" {
  description = "Where Google's speech recognition runs: global, eu, us or a region."
  type        = string
  default     = "global"

  validation {
    condition     = can(regex("^(global|eu|us|[a-z]+-[a-z]+[0-9]+)$", var.speech_location))
    error_message = "global, eu, us or a region such as europe-west4."
  }
}

variable "vertex_is_allowed" {
  description = "Whether requests may ask for Vertex AI, though llm_provider is another; gives the worker the role for it."
  type        = bool
  default     = false
}

variable "vertex_location" {
  description = "Where models of Vertex AI run: global, which has every Gemini model, or a region that has the chosen one."
  type        = string
  default     = "global"

  validation {
    condition     = can(regex("^(global|eu|us|[a-z]+-[a-z]+[0-9]+)$", var.vertex_location))
    error_message = "global, eu, us or a region such as europe-west4."
  }
}

variable "worker_concurrency" {
  description = "Jobs that one worker instance does at once."
  type        = number
  default     = 3

  validation {
    condition     = var.worker_concurrency >= 1 && var.worker_concurrency <= 16
    error_message = "Between 1 and 16."
  }

  # A worker that is full answers 429, and that slows a whole queue down.
  validation {
    condition     = sum([for share in values(local.queue_shares) : max(1, floor(var.worker_max_instances * var.worker_concurrency * share))]) < var.worker_max_instances * var.worker_concurrency
    error_message = "worker_max_instances x worker_concurrency is ${var.worker_max_instances * var.worker_concurrency}: too few places for one delivery of each queue, with one to spare; 5 are enough."
  }
}

variable "worker_image" {
  description = "Worker image by digest, as pushed by cloudbuild.yaml."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.worker_image))
    error_message = "Give the digest, not a tag."
  }
}

variable "worker_max_instances" {
  description = "Most worker instances at once; each holds up to worker_pool_size connections."
  type        = number
  default     = 8

  validation {
    condition     = var.worker_max_instances >= 1 && var.worker_max_instances <= 100 && floor(var.worker_max_instances) == var.worker_max_instances
    error_message = "Between 1 and 100."
  }
}

variable "worker_pool_size" {
  description = "Database connections of one worker instance, its heartbeat's included."
  type        = number
  default     = 4

  validation {
    condition     = var.worker_pool_size >= 2 && var.worker_pool_size <= 50
    error_message = "Between 2 and 50."
  }
}
