resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.this.id
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

# What to do about each: docs/operations.md.
locals {
  of_balancer = { LoadBalancer = aws_lb.this.arn_suffix }
  of_targets  = merge(local.of_balancer, { TargetGroup = aws_lb_target_group.api.arn_suffix })
  of_service  = { ClusterName = aws_ecs_cluster.this.name, ServiceName = "api" }

  alarms = {
    errors = {
      text      = "The service answers 5xx"
      namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count"
      statistic = "Sum", above = 10, of = local.of_targets
    }
    balancer_errors = {
      text      = "The load balancer answers 5xx itself: no task does"
      namespace = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count"
      statistic = "Sum", above = 10, of = local.of_balancer
    }
    latency = {
      text      = "One answer in a hundred takes over half a second"
      namespace = "AWS/ApplicationELB", metric = "TargetResponseTime"
      statistic = "p99", above = 0.5, of = local.of_targets
    }
    unhealthy = {
      text      = "A task fails its health check"
      namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount"
      statistic = "Maximum", above = 0, of = local.of_targets
    }
    memory = {
      text      = "A task is short of memory"
      namespace = "AWS/ECS", metric = "MemoryUtilization"
      statistic = "Maximum", above = 80, of = local.of_service
    }
    webhooks_late = {
      text      = "Webhooks wait for over a minute"
      namespace = local.name, metric = "WebhooksOverdueSeconds"
      statistic = "Maximum", above = 60, of = {}
    }
    webhooks_failing = {
      text      = "Attempts at webhooks fail"
      namespace = local.name, metric = "WebhooksFailed"
      statistic = "Sum", above = 100, of = {}
    }
    webhooks_disabled = {
      text      = "Webhooks are disabled that nobody disabled"
      namespace = local.name, metric = "WebhooksDisabled"
      statistic = "Sum", above = 0, of = {}
      needed    = 1
    }
  }

  # What the worker logs, as figures.
  worker_figures = {
    WebhooksOverdueSeconds = { event = "webhooks_observed", value = "$.overdue_seconds" }
    WebhooksFailed         = { event = "webhooks_observed", value = "$.failed" }
    WebhooksDisabled       = { event = "webhook_disabled", value = "1" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "worker" {
  for_each = local.has_webhooks ? local.worker_figures : {}

  name           = "${local.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.tasks["worker"].name
  pattern        = "{ $.event = \"${each.value.event}\" }"

  metric_transformation {
    namespace = local.name
    name      = each.key
    value     = each.value.value
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.text}. Runbook: docs/operations.md#${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.of
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = try(each.value.needed, 3)
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
