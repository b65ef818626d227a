"""Pure steps: values in, values out; no file, network, environment or clock.

The modules here are the centre, in the order of the work:

    changes  identities  protection                               what one step is; who is who; what is protected
    unread                                                        what is needed and could not be read
    normalize  risk  side_effects                                 fields; what a change opens; what goes along with it
    server_view  pending_revocations  pruning  unmanaged          desired and live, one server at a time
    effective_grants  opaque_secrets  diff                        desired and live -> changes
    exchanges  two_writes  ordering  safety  surviving_tokens     changes -> changes in order, held safe
    server_pairs  accounts  cross_side                            what the two sides hold differently
    json_documents  name_conflicts  plan                          changes -> plan
    recorded_cut_offs                                             what a plan would give back to a client that was cut off
    run_history  selection                                        what a journal says; part of a plan
    adoption  outcome  inventory  omissions                       marks to write; what happened; what is known, what is left out

The wings import the centre, and the centre imports no wing: `planfile` (saved plans), `rollback`, `revocation`, `export` and
`drift`.

A module imports only from those before it; `tests/test_imports.py` has the whole list.
"""
