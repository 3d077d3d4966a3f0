# The replica is told to whom it concerns. No cloud is asked: AWS is made up.

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
}

run "none_is_told_unless_it_is_named" {
  command = plan

  assert {
    condition     = !contains(flatten(values(local.secrets)), "DATABASE_REPLICA_URL")
    error_message = "A task asks for a member that the secret need not have."
  }
}

run "only_the_api_knows_it" {
  command = plan

  variables {
    secrets       = ["DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET", "DATABASE_REPLICA_URL"]
    stats_may_lag = true
  }

  assert {
    condition     = [for role, names in local.secrets : role if contains(names, "DATABASE_REPLICA_URL")] == ["api"]
    error_message = "Told: ${jsonencode(local.secrets)}"
  }

  assert {
    condition     = alltrue([for names in values(local.secrets) : contains(names, "DATABASE_URL")])
    error_message = "Told: ${jsonencode(local.secrets)}"
  }
}

run "nothing_lags_without_it" {
  command = plan

  variables {
    stats_may_lag = true
  }

  expect_failures = [var.stats_may_lag]
}

run "a_secret_is_named_not_given" {
  command = plan

  variables {
    secrets = ["DATABASE_URL=postgresql://host1,host2/tasks", "ADMIN_API_KEY", "API_KEY_SECRET"]
  }

  expect_failures = [var.secrets]
}

run "its_url_is_no_plain_setting" {
  command = plan

  variables {
    settings = { DATABASE_REPLICA_URL = "postgresql://user:password@host/tasks" }
  }

  expect_failures = [var.settings]
}

run "other_urls_are" {
  command = plan

  variables {
    settings = { PUBLIC_URL = "https://tasks.example.com" }
  }

  assert {
    condition     = local.settings.PUBLIC_URL == "https://tasks.example.com"
    error_message = "The accounts door's mail would lead nowhere."
  }
}
