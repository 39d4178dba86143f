"""Client-side multi-region router for HTTP APIs."""
