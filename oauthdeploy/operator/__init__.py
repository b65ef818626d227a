"""`oauthdeploy operator`: keeps the estates of a cluster in line with their manifests.

    resource     OAuthEstate as models: what its users write, and what its status says
    crd          the CustomResourceDefinition, made from the models
    conditions   what each exit code means as conditions
    cluster      the API server: estates, ConfigMaps, Secrets, Events
    inputs       spec -> a folder of files, and the request and options for the Python API
    bounds       what the manifest of a tenant may reach
    run          one run by the Python API: report, apply or approve
    status       result of a run -> status
    agenda       which estate is next: by due time, fair among namespaces, bounded for each server
    worker       claim -> read -> run -> status, for one estate
    handlers     watches -> agenda -> workers, on kopf

Every step is what the command line does too, by the same functions; nothing here plans or writes by itself.
"""
