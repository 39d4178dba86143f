"""What `bench_routing` measures: decisions, ten thousand endpoints, and LiteLLM beside them."""
