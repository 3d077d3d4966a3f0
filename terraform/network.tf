module "network" {
  source = "./network"
  count  = var.vpc == null ? 1 : 0

  name         = local.name
  cidr         = var.vpc_cidr
  region       = var.region
  zones        = var.zones
  nat_gateways = var.nat_gateways
  log_days     = var.log_days
  kms_key_arn  = aws_kms_key.this.arn
}

locals {
  network = one(concat(module.network[*].network, var.vpc[*]))
}

# --- Who may talk to whom: the internet to the balancer, the balancer to the API, tasks outwards.

resource "aws_security_group" "balancer" {
  # checkov:skip=CKV2_AWS_5: it is the load balancer's
  name_prefix = "${local.name}-balancer-"
  description = "The load balancer"
  vpc_id      = local.network.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  # checkov:skip=CKV_AWS_260: port 80 only redirects to 443
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.balancer.id
  description       = "Clients by ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "The API"
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_security_group" "tasks" {
  # checkov:skip=CKV2_AWS_5: it is the tasks'
  name_prefix = "${local.name}-tasks-"
  description = "API, worker and migration"
  vpc_id      = local.network.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "tasks" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "tasks" {
  for_each = merge({ "PostgreSQL" = 5432, "AWS and what the doors call" = 443 }, var.egress)

  security_group_id = aws_security_group.tasks.id
  description       = each.key
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}
