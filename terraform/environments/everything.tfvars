# For the linters: what the environments leave off, switched on.
admin_cidrs    = ["198.51.100.0/24"]
alarm_emails   = ["on-call@example.com"]
web_acl_arn    = "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/example/0"
worker_enabled = true
