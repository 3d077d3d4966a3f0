"""How HTTP is spoken: the request log, CORS, bodies, rate limits, answers."""
