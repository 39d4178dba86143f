"""Traffic to six regions in virtual time: `scripts/simulate.py` tells the figures.

Rule 1: what is judged is the production code: `flow.route` with its pool, its failover and its
        probe schedule. Simulated is only what it stands on: the network, the servers, and the
        passing of time.
Rule 2: policies differ by nothing but themselves. The n-th request of a client comes at the same
        moment and needs the same work whatever the policy; all have the same retries and timeouts,
        the same geography, and come back last to an endpoint that a request tried before.
Rule 3: chance comes from seeded streams, one for each part of the world, so that a run can be
        repeated, and a part changed without changing the luck of the others.
Rule 4: a policy from elsewhere is written from its published rules, at their defaults, and where
        they leave a choice it gets the better one.

Read in this order: `engine` (time), `servers` and `scenario` (the worlds), `world` (clients and all
that is between), `peer` (the face of a policy), `oracle`, `peers`, `litellm`, `mongodb`, `finagle`,
`ours`, `policies` (their names), `measures` (what is counted), `figures` (tables and bars), `chart`
and `svg`.
"""
