"""Pure steps: values in, values out; no file, network, environment or clock.

The order of the modules is the order of the road:

    capabilities  changes                                               what drivers can do; what one step of a plan is
    normalize  risk  view  cutoffs  pruning  granted  sealing  diff     desired and live -> changes
    ordering  safety  survivors                                         changes -> changes in order, held safe
    pairs  accounts  sides  documents  plan                             what the two sides hold differently; changes -> plan
    selection  outcome  drift                                           part of a plan; what happened; the plan told as drift
    estate  exported  exporting_settings  exporting                     live -> what a manifest must say

A module imports only from those before it.
"""
