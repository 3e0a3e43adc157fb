# A list for a terminal of 80 columns: names, and what is said of each, wrapped behind them.
{
    line = sprintf("%-17s", $1)
    n = split($2, words, " ")
    for (i = 1; i <= n; i++) {
        if (length(line) + 1 + length(words[i]) > 79 && length(line) > 17) {
            print line
            line = sprintf("%-17s", "")
        }
        line = line " " words[i]
    }
    print line
}
