# What tools/codegen makes from api/v1 (see that folder's README).
