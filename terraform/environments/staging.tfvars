environment       = "staging"
region            = "us-east-1"
certificate_arn   = "arn:aws:acm:us-east-1:000000000000:certificate/replace-me"
github_repository = "my-cat-manager/task-manager-api"
tasks             = { min = 1, max = 2 }
log_days          = 365

settings = {
  CORS_ORIGINS = "https://staging.cathouse.gamificator.click"
  LOG_LEVEL    = "DEBUG"
  DOCS_ENABLED = "true"
}
