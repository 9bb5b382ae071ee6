# A deployment to try things on: the smallest of everything, easily torn down.

environment           = "staging"
database_tier         = "db-g1-small"
database_is_protected = false
api_max_instances     = 3
worker_max_instances  = 3
worker_pool_size      = 3
monthly_budget        = 30
