"""Refuse a plan that the team does not want: python check_plan.py plan.json."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
faults = (
    [] if document["format"] == "reconciler.plan/1" else ["this is no plan of a format that is known here"]
)
for plan in () if faults else document["plans"]:
    name, summary = plan["organization"], plan["summary"]
    outsiders = [user for user in summary["admins"]["new"] if not user.endswith("@acme.example")]
    faults += [f"{user} would be an admin of {name}" for user in outsiders]
    if summary["lose_everything"] > 5:
        faults.append(f"{summary['lose_everything']} people of {name} would lose everything")
sys.exit("\n".join(faults) or 0)
