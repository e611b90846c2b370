#!/usr/bin/env bash
# The OpenAPI document is a valid one, by a validator that is not ours.
set -euo pipefail
"$SW_VENV/bin/openapi-spec-validator" "$SW_SOURCE/api/openapi/swagger.yaml"
