"""CircleCI access as code: policy in git, roles on a SCIM 2.0 service provider, and nothing between."""
