variable "name" {
  description = "Of the bucket, unique in the world."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts the objects; null leaves it to S3's own key."
  type        = string
  default     = null
}

variable "expiration_days" {
  description = "Days after which objects go; null keeps them."
  type        = number
  default     = null
}

variable "policy" {
  description = "JSON of further statements of the bucket's policy."
  type        = string
  default     = null
}
