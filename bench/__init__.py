"""The benchmark: this service beside a floor, ordinary FastAPI and an ORM, under the same load."""
