"""The door of the product itself: statistics, catalogue, health, figures."""
