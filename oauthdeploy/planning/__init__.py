"""Pure functions from values to values, without access to files, the network, the environment or a clock.

These modules are the core, in the order in which they run:

    changes  identities  protection                               a change; names of objects; protected objects
    unread                                                        needed kinds that could not be read
    normalize  risk  json_documents  unkept  side_effects         canonical fields; risk; JSON; fields not stored; side effects
    requirements                                                  what objects require of a server
    server_view  pending_revocations  pruning  unmanaged          desired and live, one server at a time
    effective_grants  opaque_secrets  diff                        desired and live -> changes
    exchanges  two_writes  ordering  safety  surviving_tokens     changes -> ordered changes and safety stops
    server_pairs  accounts  cross_side                            differences between the two sides
    name_conflicts  possible_renames  plan                        changes -> plan
    recorded_cut_offs                                             changes that would undo a recorded cut-off
    run_history  selection                                        a journal as values; part of a plan
    adoption  outcome  inventory  omissions                       marks to write; results; known objects; what is left out

The subpackages import the core, and the core imports none of them: `planfile` (saved plans), `rollback`, `revocation`,
`export` and `drift`.

A module imports only from those before it; `tests/test_imports.py` has the whole list.
"""
