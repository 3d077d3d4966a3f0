"""Settings of single doors, each a mixin of `Settings`."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr


class ContactSettings(BaseModel):
    """The door of contacts, and the bucket that mirrors what it shows."""

    task_api_key: Annotated[
        SecretStr | None,
        Field(description="The `X-API-Key` of `/users`, `/calls` and `/tasks`; opens them."),
    ] = None
    aws_s3_bucket: Annotated[
        str | None,
        Field(description="The S3 bucket that mirrors contacts, calls and tasks; default: none."),
    ] = None
    aws_region: Annotated[str, Field(description="The bucket's region.")] = "us-east-1"
    aws_endpoint_url: Annotated[
        str | None, Field(description="Another S3 than Amazon's: LocalStack, MinIO.")
    ] = None
    aws_access_key_id: Annotated[
        str | None,
        Field(description="Key of the bucket; default: the role of the machine or the ECS task."),
    ] = None
    aws_secret_access_key: Annotated[
        SecretStr | None, Field(description="Secret of `AWS_ACCESS_KEY_ID`.")
    ] = None
