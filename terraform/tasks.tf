locals {
  port         = 8000
  stop_timeout = 30

  # One image, several ways to run it.
  commands = merge(
    {
      api     = ["python", "-m", "app", "serve"]
      migrate = ["python", "-m", "app", "migrate"]
    },
    local.runs_worker ? { worker = ["python", "-m", "app", "worker"] } : {}
  )

  # Where there is something to tell: a mirror, or webhooks, which ENCRYPTION_KEY opens.
  has_webhooks = contains(var.secrets, "ENCRYPTION_KEY")
  runs_worker  = var.worker_enabled || local.has_webhooks

  # What is not the API's own: everybody is told what it uses, and no more.
  used_secrets = {
    migrate = ["DATABASE_URL", "MIGRATION_DATABASE_URL"]
    worker  = ["DATABASE_URL", "ENCRYPTION_KEY"]
  }
  secrets = {
    for role in keys(local.commands) : role => (
      role == "api"
      ? setsubtract(var.secrets, ["MIGRATION_DATABASE_URL"])
      : setintersection(var.secrets, local.used_secrets[role])
    )
  }

  settings = merge(
    {
      ENVIRONMENT        = var.environment
      PORT               = tostring(local.port)
      WEB_CONCURRENCY    = tostring(max(1, floor(var.cpu / 1024)))
      DATABASE_POOL_SIZE = tostring(var.database_pool_size)
      # uvicorn believes X-Forwarded-For from here only; only the balancer reaches a task.
      FORWARDED_ALLOW_IPS = local.network.cidr
      AWS_REGION          = var.region
    },
    var.worker_enabled ? { AWS_S3_BUCKET = module.mirror[0].name } : {},
    var.stats_may_lag ? { STATS_MAY_LAG = "true" } : {},
    var.settings
  )
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "tasks" {
  for_each = local.commands

  name              = "/${local.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.this.arn
}

# Deployments register revisions that differ in the image only; see deploy/ecs.py.
resource "aws_ecs_task_definition" "this" {
  for_each = local.commands

  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task[each.key].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  container_definitions = jsonencode([{
    name                   = each.key
    image                  = coalesce(var.image, "${aws_ecr_repository.this.repository_url}:none")
    command                = each.value
    essential              = true
    user                   = "10001"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    environment            = [for name, value in local.settings : { name = name, value = value }]
    portMappings           = each.key == "api" ? [{ containerPort = local.port, protocol = "tcp" }] : []

    # gunicorn takes 20 s at most, SHUTDOWN_DELAY among them.
    stopTimeout = local.stop_timeout

    secrets = [for name in local.secrets[each.key] : {
      name      = name
      valueFrom = "${aws_secretsmanager_secret.this.arn}:${name}::"
    }]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.tasks[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "ecs"
        # A full buffer loses lines rather than stopping the service.
        mode = "non-blocking"
      }
    }
  }])
}
