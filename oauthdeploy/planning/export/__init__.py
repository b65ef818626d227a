"""Export: live servers to the values of a manifest whose plan is empty."""
