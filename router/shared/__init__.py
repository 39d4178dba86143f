"""One limit, one token and one knowledge of dead regions for a fleet, over Redis or Valkey.

Reading order: `sharing` wires; `store` and `connect` speak to Redis; `rate` and `permits` lease
what `stock` spends; `token` fetches for all; `news` and `turns` share what endpoints are like.

Rule: a request never waits for Redis on its own path. It spends what this process leased ahead, or
      waits in the limiter's queue, as it would for any limit; a store that fails leaves each
      process its share of the limit.
"""
