# Whoever breaks into one task learns what that task uses. No cloud is asked: AWS is made up.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  environment       = "staging"
  certificate_arn   = "arn:aws:acm:us-east-1:000000000000:certificate/example"
  github_repository = "owner/name"
  worker_enabled    = true
  secrets = [
    "DATABASE_URL", "MIGRATION_DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET", "JWT_SECRET",
  ]
}

run "webhooks_have_a_worker_without_a_bucket" {
  command = plan

  variables {
    worker_enabled = false
    secrets = [
      "DATABASE_URL", "MIGRATION_DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET", "ENCRYPTION_KEY",
    ]
  }

  assert {
    condition     = local.secrets.worker == toset(["DATABASE_URL", "ENCRYPTION_KEY"])
    error_message = "Told: ${jsonencode(local.secrets)}"
  }

  assert {
    condition     = length(aws_ecs_service.worker) == 1 && length(module.mirror) == 0
    error_message = "The worker does not run, or there is a bucket."
  }
}

run "each_task_is_told_what_it_uses" {
  command = plan

  assert {
    condition = local.secrets == {
      api     = toset(["DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET", "JWT_SECRET"])
      migrate = toset(["DATABASE_URL", "MIGRATION_DATABASE_URL"])
      worker  = toset(["DATABASE_URL"])
    }
    error_message = "Told: ${jsonencode(local.secrets)}"
  }
}
