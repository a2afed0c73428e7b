# SPDX-License-Identifier: Apache-2.0
# exports_test.sh LIBRARY HEADER: the library shows exactly the functions that the header declares.
set -eu
shown=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
declared=$(grep -v "^#" "$2" | tr "\n" " " | grep -o "GLINT_API [^;(]*(" | sed "s/.*[ *]\(glint_[a-z_]*\)($/\1/" | sort)
[ -n "$declared" ]
if [ "$shown" != "$declared" ]; then
  echo "shown:"; echo "$shown"; echo "declared:"; echo "$declared"
  exit 1
fi
