environment       = "production"
region            = "us-east-1"
certificate_arn   = "arn:aws:acm:us-east-1:000000000000:certificate/replace-me"
github_repository = "my-cat-manager/task-manager-api"
tasks             = { min = 2, max = 4 }
nat_gateways      = 2

settings = {
  CORS_ORIGINS = "https://cathouse.gamificator.click"
}
