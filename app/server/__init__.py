"""How the service is served: gunicorn, and what a connection may send and hold."""
