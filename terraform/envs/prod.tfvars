# A deployment that people rely on.

environment          = "prod"
database_tier        = "db-custom-1-3840"
database_is_regional = true
soft_delete_days     = 7
monthly_budget       = 150
