#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/work/spawner_internal.h"
#include "shared/base/job_id.h"
#include "shared/base/memory.h"

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/* --- who --- */

/* As that account, in a process of its own: what can it get at? */
enum { REACH_AS_IT_SHOULD, REACH_TOO_MUCH, REACH_TOO_LITTLE, REACH_UNKNOWN };

static int reach(const struct account *account, const struct spawner_config *config)
{
    int status;
    pid_t pid = fork(); /* there is one thread */
    if (!pid) {
        if (setgroups((size_t)account->n_groups, account->groups) || setgid(account->gid) ||
            setuid(account->uid))
            _exit(REACH_UNKNOWN);
        if (!access(config->dir, R_OK) || !access(config->dir, X_OK))
            _exit(REACH_TOO_MUCH);
        _exit(access(config->scratch, X_OK) ? REACH_TOO_LITTLE : REACH_AS_IT_SHOULD);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return REACH_UNKNOWN;
    return WEXITSTATUS(status);
}

static bool check_reach(const struct account *account, const struct spawner_config *config,
                        struct text *why)
{
    switch (reach(account, config)) {
    case REACH_AS_IT_SHOULD:
        return true;
    case REACH_TOO_MUCH:
        text_add(why, "the account %s, which commands run as, can read %s; it must not",
                 config->user, config->dir);
        return false;
    case REACH_TOO_LITTLE:
        text_add(why,
                 "the account %s, which commands run as, cannot reach %s; --scratch names a "
                 "directory that it can",
                 config->user, config->scratch);
        return false;
    default:
        text_add(why,
                 "cannot become the account %s: only root can, or who has CAP_SETUID and "
                 "CAP_SETGID",
                 config->user);
        return false;
    }
}

bool account_find(struct account *account, const struct spawner_config *config, struct text *why)
{
    *account = (struct account){.uid = geteuid(), .gid = getegid()};
    if (!config->user)
        return true;
    struct passwd *is = getpwnam(config->user);
    if (!is) {
        text_add(why, "there is no account %s for commands to run as", config->user);
        return false;
    }
    if (is->pw_uid == 0) {
        text_add(why, "commands cannot run as %s, which is root", config->user);
        return false;
    }
    account->foreign = is->pw_uid != geteuid();
    account->uid = is->pw_uid;
    account->gid = is->pw_gid;
    account->home = mem_string(is->pw_dir);
    account->name = mem_string(is->pw_name);
    account->shell = mem_string(is->pw_shell);
    if (!account->foreign)
        return true;
    account->n_groups = SPAWNER_GROUPS_MAX;
    if (getgrouplist(account->name, account->gid, account->groups, &account->n_groups) < 0) {
        text_add(why, "the account %s is in too many groups", config->user);
        return false;
    }
    return check_reach(account, config, why);
}

/* --- its environment --- */

/* What nobody else may say. */
static bool is_reserved(const char *variable)
{
    static const char *const names[] = {"JOB=",        "TASK=", "ATTEMPT=", "INPUT=",
                                        "INPUT_FILE=", "NODE=", "SCRATCH="};
    if (strncmp(variable, "CONCLAVE_", 9) != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strncmp(variable + 9, names[i], strlen(names[i])))
            return true;
    return false;
}

struct environment {
    char **list;
    size_t n, room;
};

/* Takes the text. */
static void add(struct environment *to, char *variable)
{
    if (to->n + 1 >= to->room)
        to->list = mem_grow(to->list, to->room = 2 * to->room + 32, sizeof *to->list);
    to->list[to->n++] = variable;
    to->list[to->n] = NULL;
}

static void set(struct environment *to, const char *name, const char *value)
{
    size_t len = strlen(name) + strlen(value) + 2;
    char *variable = mem_new(1, len);
    text_format(variable, len, "%s=%s", name, value);
    add(to, variable);
}

/* What every command has, unless the user says otherwise. */
static void set_default(struct environment *to, const char *name, const char *value)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < to->n; i++)
        if (!strncmp(to->list[i], name, len) && to->list[i][len] == '=')
            return;
    if (value)
        set(to, name, value);
}

static void set_path(struct environment *to, const char *name, const char *dir, const char *file)
{
    char path[SPAWNER_PATH_ROOM + 64];
    text_format(path, sizeof path, "%s/%s", dir, file);
    set(to, name, path);
}

static void set_number(struct environment *to, const char *name, uint64_t number)
{
    char text[32];
    text_format(text, sizeof text, "%" PRIu64, number);
    set(to, name, text);
}

char **environment_make(const struct run *run)
{
    const struct account *account = &run->spawner->account;
    const struct command *command = &run->order.command;
    struct environment to = {0};
    char job[JOB_TEXT_MAX];
    set_number(&to, "CONCLAVE_TASK", command->id.task);
    set_number(&to, "CONCLAVE_ATTEMPT", command->id.attempt);
    set_number(&to, "CONCLAVE_NODE", run->spawner->config.node);
    set(&to, "CONCLAVE_JOB", job_id_text(command->id.job, job));
    set(&to, "CONCLAVE_SCRATCH", run->path);
    if (run->input_name[0])
        set_path(&to, "CONCLAVE_INPUT_FILE", run->path, run->input_name);
    else if (command->input)
        set(&to, "CONCLAVE_INPUT", command->input);
    for (size_t i = 0; command->env && command->env[i]; i++)
        if (!is_reserved(command->env[i]))
            add(&to, mem_string(command->env[i]));
    const char *path = getenv("PATH");
    set_default(&to, "PATH", path ? path : PATH_DEFAULT);
    set_default(&to, "HOME", account->home ? account->home : getenv("HOME"));
    set_default(&to, "USER", account->name ? account->name : getenv("USER"));
    set_default(&to, "LOGNAME", account->name ? account->name : getenv("LOGNAME"));
    set_default(&to, "SHELL", account->shell ? account->shell : getenv("SHELL"));
    set_default(&to, "LANG", getenv("LANG"));
    set_default(&to, "LC_ALL", getenv("LC_ALL"));
    set_default(&to, "TZ", getenv("TZ"));
    set_default(&to, "TMPDIR", run->path);
    return to.list;
}

void environment_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}
