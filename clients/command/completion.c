/* completion.c - conclave completion: what a shell needs to complete commands and options, from the
 * table of commands. */
#include <string.h>

#include "clients/command/commands.h"
#include "clients/command/help.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/completion.h"
#include "shared/base/text.h"

const char completion_details[] =
    "Prints a script; packages install it. For one shell: eval \"$(conclave completion bash)\",\n"
    "eval \"$(conclave completion zsh)\" after compinit, or conclave completion fish | source.";

/* The first word of a command's name; its length. */
static size_t family_len(const struct command *command)
{
    return strcspn(command->name, " ");
}

static bool is_first_of_family(const struct command *command)
{
    return command == commands || family_len(command - 1) != family_len(command) ||
           strncmp(command[-1].name, command->name, family_len(command));
}

static bool is_member(const struct command *command)
{
    return command->name[family_len(command)] != '\0';
}

static bool takes_kind(const struct command *command)
{
    return !strncmp(command->arguments, "KIND", 4);
}

typedef void print_option(const struct option_spec *spec, FILE *out);

static const struct option_spec *find(const struct option_spec *specs, const char *name)
{
    for (; specs && specs->name; specs++)
        if (!strcmp(specs->name, name))
            return specs;
    return NULL;
}

/* A command's options, and those of all that it has none of its own for. */
static void each_option(const struct command *command, print_option *print)
{
    for (const struct option_spec *own = command->options; own && own->name; own++)
        print(own, stdout);
    for (const struct option_spec *common = cli_options; common->name; common++)
        if (!find(command->options, common->name))
            print(common, stdout);
}

/* --- bash --- */

/* --- options with a value of their own word --- */

/* Whether one of the commands before `end` has the option. */
static bool has_option(const struct command *end, const char *name)
{
    for (const struct command *at = commands; at != end; at++)
        if (find(at->options, name))
            return true;
    return false;
}

/* Those that take a value, of all commands, each once. They may stand before the command, and none
 * takes a value in one command and none in another. */
static void each_valued(const char *between)
{
    const char *before = "";
    for (const struct option_spec *spec = cli_options; spec->name; spec++)
        if (spec->argument) {
            printf("%s--%s", before, spec->name);
            before = between;
        }
    for (const struct command *at = commands; at->name; at++)
        for (const struct option_spec *spec = at->options; spec && spec->name; spec++)
            if (spec->argument && !find(cli_options, spec->name) && !has_option(at, spec->name))
                printf("%s--%s", between, spec->name);
}

/* A walk through the words before, for bash and zsh: which of them are the command, and whether the
 * word to be completed is a value. bash makes words of = and : and of what they part. */
static void print_walk(void)
{
    fputs("        case $word in '='|:|::) skip=1; continue ;; esac\n"
          "        [ -z \"$skip\" ] || { skip=''; continue; }\n"
          "        case $word in\n"
          "        ",
          stdout);
    each_valued("|");
    fputs(") skip=1 ;;\n"
          "        -*) ;;\n"
          "        *) n=$((n + 1)); [ $n -gt 2 ] || name=\"$name $word\" ;;\n"
          "        esac\n"
          "    done\n",
          stdout);
}

/* --- bash --- */

static const char bash_head[] =
    "# bash completion for conclave(1); made by: conclave completion bash\n"
    "_conclave() {\n"
    "    local word at=$COMP_CWORD name='' n=0 skip='' words='' options=''\n"
    "    local now=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    for word in \"${COMP_WORDS[@]:1:at-1}\"; do\n";

static const char bash_names[] = "    [ -z \"$skip\" ] || return\n"
                                 "    case \"$name \" in\n";

static const char bash_tail[] = "    esac\n"
                                "    case $now in\n"
                                "    -*) words=$options ;;\n"
                                "    esac\n"
                                "    COMPREPLY=($(compgen -W \"$words\" -- \"$now\"))\n"
                                "    case ${COMPREPLY[0]-} in *=) compopt -o nospace ;; esac\n"
                                "} &&\n"
                                "    complete -o default -F _conclave conclave\n";

static void bash_family(const struct command *first)
{
    size_t len = family_len(first);
    printf("    ' %.*s ') words='", (int)len, first->name);
    for (const struct command *at = first; at->name; at++)
        if (is_member(at) && family_len(at) == len && !strncmp(at->name, first->name, len))
            printf("%s ", at->name + len + 1);
    printf("' ;;\n");
}

static void bash_print(void)
{
    fputs(bash_head, stdout);
    print_walk();
    fputs(bash_names, stdout);
    printf("    ' ') words='");
    for (const struct command *at = commands; at->name; at++)
        if (is_first_of_family(at))
            printf("%.*s ", (int)family_len(at), at->name);
    printf("'\n        options='--help --version' ;;\n");
    for (const struct command *at = commands; at->name; at++) {
        if (is_member(at) && is_first_of_family(at))
            bash_family(at);
        printf("    ' %s '*)\n        options='", at->name);
        each_option(at, completion_bash_option);
        printf("'\n");
        if (takes_kind(at)) {
            printf("        [ $n -gt 1 ] || words='");
            for (size_t i = 0; kind_at(i); i++)
                printf("%s ", kind_at(i)->name);
            printf("'\n");
        }
        printf("        ;;\n");
    }
    fputs(bash_tail, stdout);
}

/* --- zsh --- */

static const char zsh_head[] =
    "#compdef conclave\n"
    "# zsh completion for conclave(1); made by: conclave completion zsh\n"
    "_conclave() {\n"
    "    local word name='' n=0 skip=''\n"
    "    local -a rows options\n"
    "    for word in ${words[2,CURRENT-1]}; do\n";

static const char zsh_names[] = "    [ -z \"$skip\" ] || { _files; return; }\n"
                                "    case \"$name \" in\n";

static const char zsh_tail[] = "    esac\n"
                               "    if [[ $PREFIX == -* ]]; then\n"
                               "        _describe -o option options\n"
                               "    elif (( $#rows )); then\n"
                               "        _describe command rows\n"
                               "    else\n"
                               "        _files\n"
                               "    fi\n"
                               "}\n"
                               "if [ \"$funcstack[1]\" = _conclave ]; then _conclave \"$@\"; else "
                               "compdef _conclave conclave; fi\n";

static void zsh_commands(const struct command *family)
{
    size_t len = family ? family_len(family) : 0;
    for (const struct command *at = commands; at->name; at++) {
        char name[TEXT_MAX];
        bool of_it = family && is_member(at) && family_len(at) == len &&
                     !strncmp(at->name, family->name, len);
        text_format(name, sizeof name, "%.*s", (int)family_len(at), at->name);
        if (of_it)
            completion_zsh_row(at->name + len + 1, at->summary, stdout);
        else if (!family && is_first_of_family(at))
            completion_zsh_row(name, is_member(at) ? "..." : at->summary, stdout);
    }
}

static void zsh_print(void)
{
    fputs(zsh_head, stdout);
    print_walk();
    fputs(zsh_names, stdout);
    printf("    ' ') rows=(");
    zsh_commands(NULL);
    printf(")\n        options=('--help:show help' '--version:show the version') ;;\n");
    for (const struct command *at = commands; at->name; at++) {
        if (is_member(at) && is_first_of_family(at)) {
            printf("    ' %.*s ') rows=(", (int)family_len(at), at->name);
            zsh_commands(at);
            printf(") ;;\n");
        }
        printf("    ' %s '*)\n        options=(", at->name);
        each_option(at, completion_zsh_option);
        printf(")\n");
        if (takes_kind(at)) {
            printf("        (( n > 1 )) || rows=(");
            for (size_t i = 0; kind_at(i); i++)
                completion_zsh_row(kind_at(i)->name, kind_at(i)->about, stdout);
            printf(")\n");
        }
        printf("        ;;\n");
    }
    fputs(zsh_tail, stdout);
}

/* --- fish --- */

static const char fish_head[] =
    "# fish completion for conclave(1); made by: conclave completion fish\n"
    "# Whether the words before the cursor, but for options and their values, are these, or begin\n"
    "# with them (-p).\n"
    "function __conclave_at\n"
    "    set -l given\n"
    "    set -l skip no\n"
    "    set -l words (commandline -opc)\n"
    "    set -e words[1]\n"
    "    for word in $words\n"
    "        if test $skip = yes\n"
    "            set skip no\n"
    "            continue\n"
    "        end\n"
    "        switch $word\n"
    "            case ";

static const char fish_names[] = "\n"
                                 "                set skip yes\n"
                                 "            case '-*'\n"
                                 "            case '*'\n"
                                 "                set -a given $word\n"
                                 "        end\n"
                                 "    end\n"
                                 "    if test \"$argv[1]\" = -p\n"
                                 "        set -e argv[1]\n"
                                 "        set given $given[1..(count $argv)]\n"
                                 "    else if test $skip = yes\n"
                                 "        return 1\n"
                                 "    end\n"
                                 "    test \"$given\" = \"$argv\"\n"
                                 "end\n";

static const struct command *fish_command; /* whose options are printed */

static void fish_option(const struct option_spec *spec, FILE *out)
{
    fprintf(out, "complete -c conclave -n '__conclave_at -p %s'", fish_command->name);
    completion_fish_option(spec, out);
}

/* One word that may stand after the words of `before`. */
static void fish_word(const char *before, size_t before_len, const char *word, size_t len,
                      const char *about)
{
    printf("complete -c conclave -n '__conclave_at%s%.*s' -f -a %.*s -d '", before_len ? " " : "",
           (int)before_len, before, (int)len, word);
    completion_quote(about, true, stdout);
    printf("'\n");
}

static void fish_print(void)
{
    fputs(fish_head, stdout);
    each_valued(" ");
    fputs(fish_names, stdout);
    for (const struct command *at = commands; at->name; at++) {
        size_t len = family_len(at);
        if (is_first_of_family(at))
            fish_word("", 0, at->name, len, is_member(at) ? "..." : at->summary);
        if (is_member(at))
            fish_word(at->name, len, at->name + len + 1, strlen(at->name + len + 1), at->summary);
        for (size_t i = 0; takes_kind(at) && kind_at(i); i++)
            fish_word(at->name, strlen(at->name), kind_at(i)->name, strlen(kind_at(i)->name),
                      kind_at(i)->about);
        fish_command = at;
        each_option(at, fish_option);
    }
}

int completion_run(struct cli *cli, int n_words, char **words)
{
    (void)cli;
    const char *shell = n_words == 1 ? words[0] : "";
    if (!strcmp(shell, "bash"))
        bash_print();
    else if (!strcmp(shell, "zsh"))
        zsh_print();
    else if (!strcmp(shell, "fish"))
        fish_print();
    else
        return cli_fail(EXIT_USAGE, "completion takes one word: bash, zsh or fish");
    return EXIT_OK;
}
