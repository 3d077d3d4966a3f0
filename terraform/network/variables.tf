variable "name" {
  description = "Begins every name."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "zones" {
  description = "Two availability zones."
  type        = list(string)
}

variable "nat_gateways" {
  description = "1 or 2."
  type        = number
}

variable "log_days" {
  description = "Days for which flow logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Encrypts the flow logs."
  type        = string
}
