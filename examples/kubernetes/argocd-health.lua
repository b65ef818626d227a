-- Health of an OAuthEstate for Argo CD: resource.customizations.health.oauthdeploy.example.com_OAuthEstate in argocd-cm.
local health = {status = "Progressing", message = "Waiting for the first run"}
if obj.status == nil or obj.status.conditions == nil then
  return health
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  health.message = "Waiting for a run with the new spec"
  return health
end
local known = {}
for _, condition in ipairs(obj.status.conditions) do
  known[condition.type] = condition
end
local ready = known["Ready"]
health.message = ready and ready.message or ""
if ready and ready.reason == "Suspended" then
  health.status = "Suspended"
elseif known["Stalled"] and known["Stalled"].status == "True" then
  health.status = "Degraded"
elseif known["Degraded"] and known["Degraded"].status == "True" then
  health.status = "Degraded"
elseif known["PlanPending"] and known["PlanPending"].status == "True" then
  health.status = "Suspended"
elseif known["InSync"] and known["InSync"].status == "False" then
  health.status = "Degraded"
elseif ready and ready.status == "True" then
  health.status = "Healthy"
end
return health
