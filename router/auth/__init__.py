"""The shared access token: `grant` reads answers, `token` decides, `oauth` asks the server."""
