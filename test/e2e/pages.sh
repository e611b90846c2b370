#!/usr/bin/env bash
# The pages in docs that programs write are what they write today. Mend it with `make openapi`; a
# page of a command that is gone is found as well.
set -euo pipefail
"$SW_SOURCE/tools/cli/docs" "$SW_BUILD" "$SW_TMP/docs"
diff -r "$SW_TMP/docs/cli" "$SW_SOURCE/docs/cli"
diff "$SW_TMP/docs/configuration/settings.md" "$SW_SOURCE/docs/configuration/settings.md"
