output "network" {
  description = "In the form of the root module's variable vpc."
  value = {
    id              = aws_vpc.this.id
    cidr            = aws_vpc.this.cidr_block
    public_subnets  = aws_subnet.public[*].id
    private_subnets = aws_subnet.private[*].id
  }
}
