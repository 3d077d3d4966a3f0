"""What the product can do: actions, their registry, and the endpoint that dispatches to them."""
