"""Pure steps: values in, values out; no file, network, environment or clock.

The order of the modules is the order of the road: capabilities, changes, normalize, diff, ordering, safety, plan, outcome, drift.
A module imports only from those before it.
"""
