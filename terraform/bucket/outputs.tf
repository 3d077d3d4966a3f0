output "name" {
  description = "Of the bucket, once its policy is in force."
  value       = aws_s3_bucket_policy.this.bucket
}

output "arn" {
  description = "Of the bucket."
  value       = aws_s3_bucket.this.arn
}
