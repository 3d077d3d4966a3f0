output "host" {
  description = "Point the clients' host name here by CNAME or alias."
  value       = aws_lb.this.dns_name
}

output "secret" {
  description = "Put the service's secrets here before the first deployment."
  value       = aws_secretsmanager_secret.this.name
}

output "deploy_role_arn" {
  description = "AWS_ROLE_ARN of the GitHub environment."
  value       = aws_iam_role.deployer.arn
}

output "image_repository" {
  description = "Where deployments push."
  value       = aws_ecr_repository.this.repository_url
}

output "mirror_bucket" {
  description = "AWS_S3_BUCKET of the worker; null where it is off."
  value       = one(module.mirror[*].name)
}
