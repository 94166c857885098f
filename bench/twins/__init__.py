"""Training steps in other frameworks: one module for each family of steps and framework."""
