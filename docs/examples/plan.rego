# opa eval --fail-defined --input plan.json --data plan.rego 'data.reconciler.deny[_]'
package reconciler

import rego.v1

deny contains "this is no plan of a format that this policy knows" if input.format != "reconciler.plan/1"

deny contains sprintf("%s would be an admin of %s", [user, plan.organization]) if {
	some plan in input.plans
	some user in plan.summary.admins.new
	not endswith(user, "@acme.example")
}

deny contains sprintf("%d people of %s would lose everything", [plan.summary.lose_everything, plan.organization]) if {
	some plan in input.plans
	plan.summary.lose_everything > 5
}
