# For the linters: what the environments leave off, switched on.
admin_cidrs    = ["198.51.100.0/24"]
alarm_emails   = ["on-call@example.com"]
web_acl_arn    = "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/example/0"
worker_enabled = true
egress         = { Redis = 6379 }
secrets = [
  "DATABASE_URL", "MIGRATION_DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET",
  "DATABASE_REPLICA_URL", "ENCRYPTION_KEY",
]
stats_may_lag = true
