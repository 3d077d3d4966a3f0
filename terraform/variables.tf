variable "environment" {
  description = "The service's ENVIRONMENT, and part of every name."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "It is staging or production; development runs on one's own machine."
  }
}

variable "region" {
  description = "AWS region; take the one the database is in."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "It looks like us-east-1."
  }
}

variable "vpc" {
  description = "An existing network to use; null makes one."
  type = object({
    id              = string
    cidr            = string
    public_subnets  = list(string)
    private_subnets = list(string)
  })
  default = null

  validation {
    condition = var.vpc == null ? true : (
      length(var.vpc.public_subnets) > 1 && length(var.vpc.private_subnets) > 0
    )
    error_message = "A load balancer needs two public subnets, the tasks a private one."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network that is made."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 15))
    error_message = "It is an IPv4 range of /24 or larger."
  }
}

variable "zones" {
  description = "The two availability zones of the network that is made."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b"]

  validation {
    condition     = length(var.zones) == 2 && alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "They are two, of the region."
  }
}

variable "nat_gateways" {
  description = "1 is cheap, 2 survive the loss of an availability zone."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2], var.nat_gateways)
    error_message = "There are two availability zones: 1 or 2."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of the host name that clients use."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "It starts with arn:aws:acm:."
  }
}

variable "admin_cidrs" {
  description = "Ranges from which /admin and /metrics are reached; none closes them to all."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(cidrnetmask(cidr)) && cidr != "0.0.0.0/0"])
    error_message = "Each is an IPv4 range, and none is the whole internet."
  }

  validation {
    condition     = length(var.admin_cidrs) <= 2
    error_message = "A rule of the load balancer has room for two ranges beside its three paths."
  }
}

variable "web_acl_arn" {
  description = "A WAF web ACL to put before the load balancer; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null ? true : can(regex("^arn:aws[a-z-]*:wafv2:", var.web_acl_arn))
    error_message = "It starts with arn:aws:wafv2:."
  }
}

variable "egress" {
  description = "TCP ports that tasks reach beside 5432 and 443, by what is there: { Redis = 6379 }."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for port in values(var.egress) : port > 0 && port < 65536])
    error_message = "A port is between 1 and 65535."
  }
}

variable "image" {
  description = "What a task definition names until the first deployment names a real image."
  type        = string
  default     = null
}

variable "cpu" {
  description = "CPU units of a task; 1024 are a CPU."
  type        = number
  default     = 256

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "Fargate sells 256, 512, 1024, 2048 and 4096."
  }
}

variable "memory" {
  description = "MiB of a task. A worker has 60, with every door open 74, and shares most of the master's 54."
  type        = number
  default     = 512

  validation {
    condition     = var.memory >= var.cpu * 2 && var.memory <= var.cpu * 8
    error_message = "Fargate sells two to eight MiB for each CPU unit."
  }
}

variable "tasks" {
  description = "Fewest and most tasks of the API."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 4 }

  validation {
    condition     = var.tasks.min > 0 && var.tasks.min <= var.tasks.max
    error_message = "At least one, and no more than the most."
  }
}

variable "database_pool_size" {
  description = "DATABASE_POOL_SIZE: most connections a worker opens for requests."
  type        = number
  default     = 10

  validation {
    condition     = var.database_pool_size > 0
    error_message = "At least one."
  }
}

variable "database_connections" {
  description = "Connections that the database has for us. Neon: 97 at 0.25 CU, 412 at 1 CU."
  type        = number
  default     = 97

  # Twice, as a deployment runs the old tasks beside the new; one more a worker for the probe. What
  # tells the mirror and webhooks has four.
  validation {
    condition = (
      2 * (
        var.tasks.max * max(1, floor(var.cpu / 1024)) * (var.database_pool_size + 1)
        + (var.worker_enabled || contains(var.secrets, "ENCRYPTION_KEY") ? 4 : 0)
      ) <= var.database_connections
    )
    error_message = "2 x (tasks.max x workers x (database_pool_size + 1) + the worker's 4) exceeds it."
  }
}

variable "settings" {
  description = "Further settings of the service by environment variable; no secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = !anytrue([for name in keys(var.settings) : can(regex("SECRET|PASSWORD|_KEY|TOKEN|(DATABASE|REPLICA|REDIS)_URL$", name))])
    error_message = "Secrets belong to Secrets Manager: name them in secrets."
  }
}

variable "secrets" {
  description = "Members of the secret that become variables: these, doors' keys, DATABASE_REPLICA_URL."
  type        = set(string)
  default     = ["DATABASE_URL", "MIGRATION_DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET"]

  validation {
    condition     = length(setsubtract(["DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET"], var.secrets)) == 0
    error_message = "The service does not start without DATABASE_URL, ADMIN_API_KEY and API_KEY_SECRET."
  }

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "They are names like DATABASE_URL; the values belong to Secrets Manager."
  }
}

variable "stats_may_lag" {
  description = "STATS_MAY_LAG: /stats takes the replica as it is, however far behind."
  type        = bool
  default     = false

  validation {
    condition     = !var.stats_may_lag || contains(var.secrets, "DATABASE_REPLICA_URL")
    error_message = "There is no replica: name DATABASE_REPLICA_URL in secrets."
  }
}

variable "worker_enabled" {
  description = "Have `python -m app worker` mirror contacts, calls and tasks to S3. For webhooks it runs anyway."
  type        = bool
  default     = false
}

variable "log_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "CloudWatch keeps logs 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days."
  }
}

variable "alarm_emails" {
  description = "Who is told of alarms; everyone confirms a mail from AWS first."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+$", email))])
    error_message = "Each is a mail address."
  }
}

variable "github_repository" {
  description = "owner/name of the repository whose workflow deploys."
  type        = string

  validation {
    condition     = can(regex("^[\\w.-]+/[\\w.-]+$", var.github_repository))
    error_message = "It looks like owner/name."
  }
}

variable "create_github_provider" {
  description = "False where the account already trusts GitHub's OpenID Connect."
  type        = bool
  default     = true
}
