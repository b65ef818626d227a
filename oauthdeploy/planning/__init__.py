"""Pure steps: values in, values out; no file, network, environment or clock.

The order of the modules is the order of the road:

    capabilities  changes                                               what drivers can do; what one step of a plan is
    normalize  risk  view  cutoffs  pruning  granted  sealing  diff     desired and live -> changes
    ordering  safety  survivors  pairs  accounts  sides  documents  plan  changes -> plan
    selection  outcome  drift                                           part of a plan; what happened; the plan told as drift

A module imports only from those before it.
"""
