"""Again: what an outcome means, whether a request may be repeated, and after how long."""
