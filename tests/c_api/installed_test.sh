# SPDX-License-Identifier: Apache-2.0
# installed_test.sh BUILD SOURCE MODEL: an installed libglint is found by CMake and by pkg-config, and the C example runs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake --install "$1" --component library --prefix "$folder/prefix" > /dev/null
cmake -S "$2/examples" -B "$folder/build" -DCMAKE_PREFIX_PATH="$folder/prefix" > "$folder/log" || { cat "$folder/log"; exit 1; }
cmake --build "$folder/build" > "$folder/log" || { cat "$folder/log"; exit 1; }
"$folder/build/stream" "$3" "Once upon a time" 2> "$folder/log" > "$folder/answer"
grep -q "tokens in" "$folder/log"
[ "$(wc -c < "$folder/answer")" -gt 40 ]
"$folder/build/stream" "$3" "Once" '{"enum": ["red", "green"]}' 2> /dev/null | grep -qE '^"(red|green)"$'
if "$folder/build/stream" "no such model" "Once" 2> "$folder/log"; then exit 1; fi
grep -q "no such model" "$folder/log"

pc=$(dirname "$(find "$folder/prefix" -name glint.pc)")
flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs glint)
# shellcheck disable=SC2086
cc -std=c99 -Wall -Wextra -Werror -pedantic -Wno-missing-field-initializers "$2/examples/stream.c" $flags -o "$folder/stream"
LD_LIBRARY_PATH=$(dirname "$pc") "$folder/stream" "$3" "Once upon a time" 2> /dev/null > "$folder/again"
cmp "$folder/answer" "$folder/again"
