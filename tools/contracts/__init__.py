"""Descriptions generated from what the services declare: AsyncAPI, schemas, tables, OpenAPI."""
