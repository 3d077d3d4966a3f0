resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_28: a web ACL is put before it where web_acl_arn names one
  # checkov:skip=CKV2_AWS_76: as above; nothing here runs Java
  name                       = local.name
  load_balancer_type         = "application"
  subnets                    = local.network.public_subnets
  security_groups            = [aws_security_group.balancer.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = true

  # Shorter than the workers' keep-alive of 75 s: the balancer closes first, so that it never
  # sends a request into a connection that a worker is closing.
  idle_timeout = 60

  access_logs {
    bucket  = module.access_logs.name
    enabled = true
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.this.arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_lb_target_group" "api" {
  # checkov:skip=CKV_AWS_378: TLS ends at the balancer; only it reaches the tasks
  name_prefix                   = "tasks-"
  vpc_id                        = local.network.id
  target_type                   = "ip"
  port                          = local.port
  protocol                      = "HTTP"
  load_balancing_algorithm_type = "least_outstanding_requests"

  # ECS drains first and sends SIGTERM then. The slowest request takes 24 s: head and body 10 s
  # each, and the deadline of 4.2 s.
  deregistration_delay = 30

  # Liveness, not readiness: while the database is away the tasks answer 503 themselves, and
  # replacing all of them would not bring it back.
  health_check {
    path                = "/health/live"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "application/json"
      message_body = jsonencode({ detail = "Not Found" })
    }
  }
}

# --- What is published passes, to administrators what is theirs; every other path is 404 here, in
# whatever spelling. Their key is the lock of /admin and /metrics, this is the fence.

locals {
  published_paths = [
    "/execute", "/stats", "/actions", "/health", "/mood", "/mood.svg", "/whoami", "/mcp",
    "/api", "/users", "/calls", "/tasks",
    "/docs", "/redoc", "/openapi.json", "/static-offline-docs",
  ]
  private_paths = ["/admin", "/admin/*", "/metrics"]

  # A rule takes five patterns.
  published_patterns = chunklist(
    concat(["/"], flatten([for path in local.published_paths : [path, "${path}/*"]])), 5
  )
}

resource "aws_lb_listener_rule" "administrators" {
  count = length(var.admin_cidrs) > 0 ? 1 : 0

  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    path_pattern {
      values = local.private_paths
    }
  }

  condition {
    source_ip {
      values = var.admin_cidrs
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

resource "aws_lb_listener_rule" "published" {
  count = length(local.published_patterns)

  listener_arn = aws_lb_listener.https.arn
  priority     = 10 + count.index

  condition {
    path_pattern {
      values = local.published_patterns[count.index]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

# --- Access logs

data "aws_iam_policy_document" "access_logs" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::${local.access_logs}/AWSLogs/${local.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }
}

locals {
  access_logs = "${local.name}-access-logs-${local.account_id}"
}

module "access_logs" {
  source = "./bucket"

  name            = local.access_logs
  expiration_days = var.log_days
  policy          = data.aws_iam_policy_document.access_logs.json
}
