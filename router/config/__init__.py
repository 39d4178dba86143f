"""Configuration: frozen settings, their JSON Schema, and the YAML loader."""
