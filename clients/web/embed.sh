#!/bin/sh
# Writes a C file that holds files: embed.sh FILE...  Standard tools only, so that it runs wherever make does.
set -eu
echo '/* Made by clients/web/embed.sh. */'
echo '#include "clients/web/page.h"'
rows=
n=0
for file; do
    n=$((n + 1))
    echo "static const unsigned char file_$n[] = {"
    od -An -v -tx1 "$file" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '};'
    rows="$rows    {\"$(basename "$file")\", file_$n, sizeof file_$n},
"
done
echo 'const struct page_file page_files[] = {'
printf '%s    {0}};\n' "$rows"
