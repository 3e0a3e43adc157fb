#include "shared/base/completion.h"

#include <string.h>

#include "shared/base/text.h"

/* --- parts --- */

void completion_quote(const char *text, bool fish, FILE *out)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs(fish ? "\\'" : "'\\''", out);
        else if (*text == '\\' && fish)
            fputs("\\\\", out);
        else
            putc(*text, out);
    }
}

static const char *dashes(const struct option_spec *spec)
{
    return spec->name[1] ? "--" : "-";
}

void completion_bash_option(const struct option_spec *spec, FILE *out)
{
    fprintf(out, "%s%s%s ", dashes(spec), spec->name, spec->argument ? "=" : "");
}

void completion_zsh_row(const char *name, const char *about, FILE *out)
{
    fprintf(out, " '%s:", name);
    completion_quote(about, false, out);
    putc('\'', out);
}

void completion_zsh_option(const struct option_spec *spec, FILE *out)
{
    char name[TEXT_MAX];
    text_format(name, sizeof name, "%s%s", dashes(spec), spec->name);
    completion_zsh_row(name, spec->help, out);
}

void completion_fish_option(const struct option_spec *spec, FILE *out)
{
    fprintf(out, " -%c %s%s -d '", spec->name[1] ? 'l' : 's', spec->name,
            spec->argument ? " -r" : "");
    completion_quote(spec->help, true, out);
    fputs("'\n", out);
}

/* --- a program that takes only options --- */

static void print_bash(const char *program, const char *function, const struct option_spec *specs,
                       FILE *out)
{
    fprintf(out,
            "# bash completion for %s; made by: %s --completion bash\n"
            "%s() {\n"
            "    local words='' options='",
            program, program, function);
    for (; specs->name; specs++)
        completion_bash_option(specs, out);
    fprintf(out,
            "'\n"
            "    local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    COMPREPLY=()\n"
            "    case $before in\n"
            "    =) return ;;\n"
            "    --*) case \" $options \" in *\" $before= \"*) return ;; esac ;;\n"
            "    esac\n"
            "    case $now in -*) words=$options ;; esac\n"
            "    COMPREPLY=($(compgen -W \"$words\" -- \"$now\"))\n"
            "    case ${COMPREPLY[0]-} in *=) compopt -o nospace ;; esac\n"
            "} &&\n"
            "    complete -o default -F %s %s\n",
            function, program);
}

static void print_zsh(const char *program, const char *function, const struct option_spec *specs,
                      FILE *out)
{
    fprintf(out,
            "#compdef %s\n"
            "# zsh completion for %s; made by: %s --completion zsh\n"
            "%s() {\n"
            "    local -a options\n"
            "    options=(",
            program, program, program, function);
    for (; specs->name; specs++)
        completion_zsh_option(specs, out);
    fprintf(out,
            ")\n"
            "    if [[ $PREFIX == -* ]]; then\n"
            "        _describe -o option options\n"
            "    else\n"
            "        _files\n"
            "    fi\n"
            "}\n"
            "if [ \"$funcstack[1]\" = _%s ]; then %s \"$@\"; else compdef %s %s; fi\n",
            program, function, function, program);
}

static void print_fish(const char *program, const struct option_spec *specs, FILE *out)
{
    fprintf(out, "# fish completion for %s; made by: %s --completion fish\n", program, program);
    for (; specs->name; specs++) {
        fprintf(out, "complete -c %s", program);
        completion_fish_option(specs, out);
    }
}

bool completion_print(const char *program, const struct option_spec *specs, const char *shell,
                      FILE *out)
{
    char function[TEXT_MAX];
    text_format(function, sizeof function, "_%s_options", program);
    for (char *at = function; *at; at++)
        if (*at == '-')
            *at = '_';
    if (!strcmp(shell, "bash"))
        print_bash(program, function, specs, out);
    else if (!strcmp(shell, "zsh"))
        print_zsh(program, function, specs, out);
    else if (!strcmp(shell, "fish"))
        print_fish(program, specs, out);
    else
        return false;
    return true;
}
