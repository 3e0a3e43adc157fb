#!/bin/sh
# Writes the manual page of a program from what its --help says, so that there is one text:
# tests/tools/man-page.sh PROGRAM [SECTION] >PAGE.SECTION
# Commands that `PROGRAM --help` lists get a part each, from `PROGRAM help COMMAND`.
set -eu
program=$1
section=${2:-1}
name=$(basename "$program")
case $section in 8) chapter='System Administration' ;; *) chapter='User Commands' ;; esac

# Mode "page": the whole help. Mode "command": the help of one command, up to the options of all.
format() { # MODE
    LC_ALL=C awk -v mode="$1" -v name="$name" -v section="$section" -v chapter="$chapter" -v version="$("$program" --version)" '
    function safe(text) {
        gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text)
        return (text ~ /^[.\x27]/) ? "\\&" text : text
    }
    function heading(text) { close_verbatim(); printf ".SH \"%s\"\n", safe(toupper(text)); begun = 0 }
    function close_verbatim() { if (verbatim) print ".fi"; verbatim = 0 }
    function open_verbatim() { if (!verbatim) print ".nf"; verbatim = 1 }
    function paragraph() { if (begun && !verbatim) print ".PP" }
    mode == "command" && /^Options of every command:/ { exit }
    /^usage: / { usage = 1; sub(/^usage: /, "") }
    usage && /^$/ {
        usage = 0
        if (mode == "command") { printf ".SS \"%s\"\n", safe(lines[1]); begun = 0; next }
        synopsis = n
        next
    }
    usage { sub(/^ +/, ""); lines[++n] = $0; next }
    mode == "page" && !named {       # the first sentence names the program
        sentence = sentence (sentence ? " " : "") $0
        text[++m] = $0
        if (sentence !~ /\.($| )/) next
        named = 1
        first = sentence; sub(/\. .*|\.$/, "", first)
        printf ".TH %s %s \"\" \"%s\" \"%s\"\n", toupper(name), section, version, chapter
        printf ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n", name, safe(first)
        for (i = 1; i <= synopsis; i++) print safe(lines[i])
        print ".fi\n.SH DESCRIPTION"
        for (i = 1; i <= m; i++) print safe(text[i])
        begun = 1
        next
    }
    /^$/ { close_verbatim(); gap = 1; next }
    tolower($0) ~ /^exit codes:/ {
        heading("exit status"); sub(/^[^:]*: */, ""); gap = 0
        if ($0) print safe($0); else codes = 1
        next
    }
    /^[A-Za-z][^.]*:$/ || /^options \(/ {
        if (mode == "page") {
            title = $0; sub(/[ :]*(\(.*)?$/, "", title); sub(/:$/, "", title)
            heading(title)
            if ($0 ~ /\(/) { sub(/^[^(]*\(/, ""); sub(/\):$/, "."); print safe($0) }
        } else if ($0 != "Options:") {
            close_verbatim()
            printf ".PP\n%s\n", safe($0)
            begun = 1
        }
        listed = gap = codes = 0
        next
    }
    codes && /^ / { open_verbatim(); sub(/^  /, ""); print safe($0); next }
    /^  [^ ]/ {
        sub(/^  /, "")
        at = match($0, /  +/)
        left = $0; right = ""
        if (at) { left = substr($0, 1, at - 1); right = substr($0, at + RLENGTH) }
        else if (mode == "page" && match($0, /[a-z@A-Z]+ [A-Z][a-z]/) && $0 !~ /^--/) {
            left = substr($0, 1, RSTART + index(substr($0, RSTART), " ") - 2); right = substr($0, length(left) + 2)
        }
        printf ".TP\n.B \"%s\"\n%s\n", safe(left), safe(right)
        listed = 1; begun = 1; gap = 0
        next
    }
    {
        codes = 0; close_verbatim()
        if (listed) print ".PP"; else if (gap) paragraph()
        listed = gap = 0; begun = 1
        sub(/^ +/, "")
        print safe($0)
    }
    END { close_verbatim() }'
}

"$program" --help | format page
commands=$("$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\( [a-z]\{1,\}\)\{0,1\}\)\( .*\)\{0,1\}$/\1/p')
if [ -n "$commands" ]; then
    echo '.SH "COMMANDS IN DETAIL"'
    echo "$commands" | while read -r command; do
        case $command in help | version) continue ;; esac
        # shellcheck disable=SC2086  # a command is one word or two
        "$program" help $command | format command
    done
fi
