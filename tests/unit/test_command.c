/* Commands: what one is given, and what comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/hash.h"
#include "shared/base/memory.h"
#include "tests/harness/commands.h"
#include "tests/harness/datadir.h"

static void assert_stdout(const char *script, const char *expected)
{
    struct command_result *result = run_script(script);
    char *text = text_of(&result->output[COMMAND_STDOUT]);
    assert_ended(result, COMMAND_EXIT, 0);
    assert_string_equal(text, expected);
    free(text);
    command_result_free(result);
}

/* --- what it is given --- */

static void it_tells_exit_signal_and_what_was_used(void **state)
{
    (void)state;
    commands_up();
    struct command_result *result = run_script("echo out; echo err >&2; exit 7");
    char *out = text_of(&result->output[0]), *err = text_of(&result->output[1]);
    uint8_t hash[HASH_BYTES];
    assert_ended(result, COMMAND_EXIT, 7);
    assert_string_equal(out, "out\n");
    assert_string_equal(err, "err\n");
    hash_bytes("out\n", 4, hash);
    assert_memory_equal(hash, result->output[0].hash, HASH_BYTES);
    assert_true(result->id.task == 1 && result->id.attempt == 1);
    assert_true(result->wall_us > 0 && result->wall_us < 20 * SECOND_US);
    assert_true(result->cpu_us > 0 && result->max_rss_bytes > 100 * KIB_BYTES);
    assert_true(result->started_ms + 60000 > clock_wall_ms());
    free(out);
    free(err);
    command_result_free(result);
    result = run_script("kill -SEGV $$");
    assert_ended(result, COMMAND_SIGNAL, -1);
    assert_int_equal(result->signal, SIGSEGV);
    command_result_free(result);
    assert_nothing_left();
}

static void its_environment_is_what_is_listed(void **state)
{
    (void)state;
    setenv("CONCLAVE_ACCESS", "secret", 1);
    setenv("LD_LIBRARY_PATH", "/nowhere", 1);
    unsetenv("LC_ALL");
    setenv("LANG", "C", 1);
    commands_up();
    const char *const env[] = {"A=1", "CONCLAVE_TASK=9", "CONCLAVE_MINE=x", "TMPDIR=/t", NULL};
    struct command *command =
        script_of("env -u PWD -u _ -u SHLVL -u OLDPWD | cut -d= -f1 | sort | tr '\\n' ' ';"
                  "echo; echo $A $CONCLAVE_TASK $CONCLAVE_MINE $CONCLAVE_JOB $CONCLAVE_ATTEMPT"
                  " $CONCLAVE_NODE $TMPDIR; echo $CONCLAVE_INPUT;"
                  "test $(pwd) = $CONCLAVE_SCRATCH && stat -c %a . && ls -A | wc -l",
                  5);
    command->env = env;
    command->input = "a b";
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    char *text = text_of(&result->output[0]), expected[1024] = "A CONCLAVE_ATTEMPT CONCLAVE_INPUT "
                                                               "CONCLAVE_JOB CONCLAVE_MINE "
                                                               "CONCLAVE_NODE CONCLAVE_SCRATCH "
                                                               "CONCLAVE_TASK ";
    static const char *const passed[] = {"HOME",  "LANG",   "LOGNAME", "PATH",
                                         "SHELL", "TMPDIR", "TZ",      "USER"};
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        if (getenv(passed[i]) || !strcmp(passed[i], "TMPDIR")) {
            strncat(expected, passed[i], 20);
            strncat(expected, " ", 2);
        }
    strncat(expected, "\n1 5 x 4-17 1 3 /t\na b\n700\n0\n", 100);
    assert_ended(result, COMMAND_EXIT, 0);
    assert_string_equal(text, expected);
    free(text);
    command_result_free(result);
    unsetenv("CONCLAVE_ACCESS");
    unsetenv("LD_LIBRARY_PATH");
}

/* Open in this process, without the mark that closes them at exec: the worst case. */
static void it_inherits_no_descriptor(void **state)
{
    (void)state;
    int fds[8];
    for (int i = 0; i < 8; i++)
        fds[i] = open("/dev/null", O_RDONLY);
    commands_up();
    /* 3 is ls's own */
    assert_stdout("ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0",
                  "0 1 2 3 /dev/null\n");
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

static void it_has_its_own_session_and_usual_signals(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    commands_up();
    assert_stdout("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t\\n'",
                  "SigBlk:0000000000000000SigIgn:0000000000000000");
    assert_stdout("set -- $(cut -d')' -f2 /proc/$$/stat); test $3 = $$ && test $4 = $$ && echo own",
                  "own\n");
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void its_limits_are_the_users(void **state)
{
    (void)state;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    the_config.files_soft = 321; /* this process has raised its own since */
    commands_up();
    assert_stdout("ulimit -n; cat /proc/self/oom_score_adj", "321\n1000\n");
    struct command *command =
        script_of("nice; ulimit -v; awk '/processes/{print $3}' /proc/self/limits", 1);
    command->nice = 7;
    command->limits.memory_bytes = 512 * MIB_BYTES;
    command->limits.processes = 50000;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    char *text = text_of(&result->output[0]);
    assert_string_equal(text, "7\n524288\n50000\n");
    free(text);
    command_result_free(result);
}

static void memory_beyond_the_limit_is_not_to_be_had(void **state)
{
    (void)state;
    commands_up();
    struct command *command = script_of("dd if=/dev/zero of=/dev/null bs=300M count=1", 1);
    command->limits.memory_bytes = 100 * MIB_BYTES;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    assert_ended(result, COMMAND_EXIT, 1);
    command_result_free(result);
}

static void what_cannot_be_started_says_why(void **state)
{
    (void)state;
    commands_up();
    static const struct {
        const char *argv[2], *error;
    } cases[] = {{{"./not-there"}, "No such file or directory: ./not-there"},
                 {{"no-such-program"}, "No such file or directory: no-such-program"},
                 {{"/etc/passwd"}, "Permission denied: /etc/passwd"},
                 {{""}, "No such file or directory: "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command *command = script_of("", 1);
        command->argv = cases[i].argv;
        commands_run(the_commands, command);
        struct command_result *result = result_within(30);
        assert_ended(result, COMMAND_NOT_STARTED, -1);
        assert_string_equal(result->error, cases[i].error);
        assert_true(result->started_ms == 0 && result->output[0].len == 0);
        command_result_free(result);
    }
    struct command *command = script_of("", 1);
    char *large = mem_new(1, COMMAND_SPEC_MAX_BYTES + 1);
    memset(large, 'x', COMMAND_SPEC_MAX_BYTES);
    command->input = large;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    assert_ended(result, COMMAND_NOT_STARTED, -1);
    assert_string_equal(result->error, "too big");
    command_result_free(result);
    free(large);
    assert_nothing_left();
}

/* --- stdin and files to begin with --- */

/* --- output --- */

static void long_output_goes_to_pieces(void **state)
{
    (void)state;
    commands_up();
    struct command *command = script_of("head -c 20000000 /dev/zero; echo small >&2", 1);
    command->limits.output_max_bytes = 64 * MIB_BYTES;
    commands_run(the_commands, command);
    struct command_result *result = result_within(60);
    const struct command_output *out = &result->output[0];
    assert_ended(result, COMMAND_EXIT, 0);
    assert_true(!out->bytes && !out->cut && out->len == 20000000 && out->total == out->len);
    assert_int_equal(out->n_pieces, 3);
    uint8_t hash[HASH_BYTES];
    uint8_t *zeros = mem_new(1, 20000000);
    hash_bytes(zeros, 20000000, hash);
    assert_memory_equal(hash, out->hash, HASH_BYTES);
    uint64_t sum = 0;
    for (size_t i = 0; i < out->n_pieces; i++) {
        struct stat is;
        assert_int_equal(stat(out->pieces[i].path, &is), 0);
        assert_int_equal(is.st_size, out->pieces[i].len);
        assert_true(out->pieces[i].len <= COMMAND_PIECE_BYTES);
        hash_bytes(zeros, out->pieces[i].len, hash);
        assert_memory_equal(hash, out->pieces[i].hash, HASH_BYTES);
        sum += out->pieces[i].len;
    }
    free(zeros);
    assert_int_equal(sum, 20000000);
    assert_int_equal(entries_of(own_path("outputs")), 3);
    command_result_free(result);
    assert_nothing_left();
}

/* What it is not let keep it still writes: it gets no SIGPIPE, and takes no memory here. */
static void a_flood_is_cut_and_the_command_goes_on(void **state)
{
    (void)state;
    commands_up();
    struct command *command =
        script_of("head -c 300000000 /dev/zero >&2 && head -c 100 /dev/zero && exit 3", 1);
    command->limits.output_max_bytes = 1000;
    commands_run(the_commands, command);
    struct command_result *result = result_within(60);
    assert_ended(result, COMMAND_EXIT, 3);
    assert_true(result->output[1].cut && result->output[1].len == 1000);
    assert_true(result->output[1].total == 300000000);
    assert_true(!result->output[0].cut && result->output[0].len == 100);
    command_result_free(result);
    assert_nothing_left();
}

static void a_full_disk_is_reported_and_bears_others(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* a small file system has to be mounted */
    char mount[DATADIR_PATH_ROOM], line[2 * DATADIR_PATH_ROOM];
    text_format(mount, sizeof mount, "%s", datadir_path("small"));
    mkdir(mount, 0700);
    text_format(line, sizeof line, "mount -t tmpfs -o size=4m tmpfs %s", mount);
    commands_up();
    struct command_result *made = run_script(line);
    bool mounted = made->end == COMMAND_EXIT && made->exit == 0;
    command_result_free(made);
    commands_down();
    if (!mounted)
        skip(); /* not in this container */
    the_config.dir = mount;
    commands_up();
    struct command *command = script_of("head -c 10000000 /dev/zero; sleep 100", 1);
    command->limits.output_max_bytes = 64 * MIB_BYTES;
    commands_run(the_commands, command);
    struct command_result *full = result_within(30);
    command_result_free(run_script("rm -rf nothing"));
    struct command_result *next = run_script("echo goes on");
    commands_down();
    the_config.dir = datadir;
    commands_up();
    text_format(line, sizeof line, "umount %s", mount);
    command_result_free(run_script(line));
    assert_int_equal(full->end, COMMAND_DISK_FULL);
    assert_non_null(strstr(full->error, "No space left"));
    assert_ended(next, COMMAND_EXIT, 0);
    command_result_free(full);
    command_result_free(next);
}

/* --- files that it leaves --- */

static void matching_files_are_taken(void **state)
{
    (void)state;
    commands_up();
    const char *const collect[] = {"*.txt", "./sub/*", "**/deep.dat", "sub/b", NULL};
    struct command *command =
        script_of("echo a > a.txt; echo no > a.log; mkdir -p sub/x/y; echo b > sub/b;"
                  "echo d > sub/x/y/deep.dat; echo h > .hidden.txt; chmod 700 sub/b;"
                  "ln -s /etc/passwd link.txt; ln -s /etc etc; mkdir d.txt; mkfifo f.txt;"
                  "chmod 0 a.txt; exit 1",
                  1);
    command->collect = collect;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    static const char *const names[] = {"a.txt", "sub/b", "sub/x/y/deep.dat"};
    static const char *const contents[] = {"a\n", "b\n", "d\n"};
    assert_ended(result, COMMAND_EXIT, 1);
    assert_int_equal(result->n_files, 3);
    for (size_t i = 0; i < 3; i++) {
        char text[16] = "";
        uint8_t hash[HASH_BYTES];
        assert_string_equal(result->files[i].name, names[i]);
        int fd = open(result->files[i].path, O_RDONLY);
        assert_int_equal(read(fd, text, sizeof text), 2);
        close(fd);
        assert_memory_equal(text, contents[i], 2);
        hash_bytes(contents[i], 2, hash);
        assert_memory_equal(hash, result->files[i].hash, HASH_BYTES);
        assert_int_equal(result->files[i].len, 2);
        assert_int_equal(result->files[i].executable, i == 1);
    }
    command_result_free(result);
    assert_nothing_left();
}

static struct command_result *collect(const char *script, const char *pattern, uint64_t bytes_max)
{
    const char *const patterns[] = {pattern, NULL};
    struct command *command = script_of(script, 1);
    command->collect = patterns;
    command->limits.files_max_bytes = bytes_max;
    commands_run(the_commands, command);
    return result_within(60);
}

static void no_pattern_and_no_link_leads_out(void **state)
{
    (void)state;
    commands_up();
    static const char *const bad[] = {"/etc/passwd", "../*", "a/../../*", "..", "./../*"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct command_result *result = collect("true", bad[i], MIB_BYTES);
        assert_ended(result, COMMAND_UNCOLLECTED, 0);
        assert_int_equal(result->n_files, 0);
        command_result_free(result);
    }
    struct command_result *result =
        collect("ln -s /etc d; ln -s /etc/passwd passwd; mkdir e; ln -s ../../.. e/up", "**/passwd",
                MIB_BYTES);
    assert_ended(result, COMMAND_EXIT, 0);
    assert_int_equal(result->n_files, 0);
    command_result_free(result);
    result = collect("ln -s /etc d", "d/passwd", MIB_BYTES);
    assert_int_equal(result->n_files, 0);
    command_result_free(result);
}

static void files_beyond_the_limits_are_not_taken(void **state)
{
    (void)state;
    commands_up();
    struct command_result *result = collect("echo 12345 > a; echo 12345 > b", "*", 11);
    assert_ended(result, COMMAND_UNCOLLECTED, 0);
    assert_string_equal(result->error, "the files that match are too large");
    command_result_free(result);
    result = collect("truncate -s 1T large", "*", COMMAND_FILES_DEFAULT_BYTES);
    assert_ended(result, COMMAND_UNCOLLECTED, 0);
    command_result_free(result);
    result = collect("for i in $(seq 1100); do : > f$i; done", "*", MIB_BYTES);
    assert_ended(result, COMMAND_UNCOLLECTED, 0);
    assert_string_equal(result->error, "too many files match");
    assert_int_equal(result->n_files, 0);
    command_result_free(result);
    assert_nothing_left();
}

/* --- its directory goes --- */

static void whatever_is_in_the_directory_goes_with_it(void **state)
{
    (void)state;
    commands_up();
    struct command_result *result =
        run_script("mkdir -p locked/in; : > locked/in/f; chmod 0 locked/in; chmod 0 locked;"
                   "chmod 0500 .; ln -s / root; ln -s .. up");
    command_result_free(result);
    assert_nothing_left();
    result =
        run_script("d=d/d/d/d/d/d/d/d/d/d; d=$d/$d/$d/$d/$d/$d/$d/$d/$d/$d;"
                   "for i in $(seq 30); do mkdir -p $d && cd -P $d || exit 9; done; : > deepest");
    assert_ended(result, COMMAND_EXIT, 0);
    command_result_free(result);
    assert_nothing_left();
}

static void scratch_directories_are_where_they_shall_be(void **state)
{
    (void)state;
    char elsewhere[DATADIR_PATH_ROOM];
    text_format(elsewhere, sizeof elsewhere, "%s", datadir_path("elsewhere"));
    mkdir(elsewhere, 0755);
    the_config.scratch = elsewhere;
    commands_up();
    struct command_result *result = collect("echo $PWD; echo x > x", "x", MIB_BYTES);
    char *text = text_of(&result->output[0]);
    assert_true(!strncmp(text, elsewhere, strlen(elsewhere)));
    assert_int_equal(result->n_files, 1);
    free(text);
    command_result_free(result);
    assert_int_equal(entries_of(own_path("scratch")), 0);
    assert_int_equal(entries_of(own_path("outputs")), 0);
}

/* --- another account --- */

static void as_another_account_it_sees_its_own_directory_alone(void **state)
{
    (void)state;
    const struct passwd *nobody = getpwnam("nobody");
    if (geteuid() != 0 || !nobody)
        skip();
    char open_to_all[] = "/tmp/conclave-test-XXXXXX", line[1024], expected[64];
    assert_non_null(mkdtemp(open_to_all));
    chmod(open_to_all, 0755);
    the_config.user = "nobody";
    the_config.scratch = open_to_all;
    commands_up();
    text_format(line, sizeof line,
                "id -u; id -Gn | wc -w; ls %s 2>/dev/null || echo refused; echo $USER;"
                "grep NoNewPrivs /proc/self/status | cut -f2; echo x > mine; stat -c %%U . mine",
                datadir);
    struct command_result *result = collect(line, "mine", MIB_BYTES);
    char *text = text_of(&result->output[0]);
    text_format(expected, sizeof expected, "%u\n1\nrefused\nnobody\n1\nnobody\nnobody\n",
                (unsigned)nobody->pw_uid);
    assert_ended(result, COMMAND_EXIT, 0);
    assert_string_equal(text, expected);
    assert_int_equal(result->n_files, 1);
    struct stat is;
    assert_int_equal(stat(result->files[0].path, &is), 0);
    assert_int_equal(is.st_uid, 0);
    free(text);
    command_result_free(result);
    commands_down();
    text_format(line, sizeof line, "rm -rf %s", open_to_all);
    the_config.user = NULL;
    the_config.scratch = NULL;
    commands_up();
    command_result_free(run_script(line));
}

static void an_account_that_can_read_the_nodes_directory_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0 || !getpwnam("nobody"))
        skip();
    struct text why = {0};
    the_config.user = "nobody";
    the_config.scratch = "/tmp";
    chmod(datadir, 0755);
    assert_int_not_equal(commands_start(&the_config, &the_commands, &why), 0);
    assert_non_null(strstr(why.at, "can read"));
    chmod(datadir, 0700);
    the_config.scratch = NULL;
    why = (struct text){0};
    assert_int_not_equal(commands_start(&the_config, &the_commands, &why), 0);
    assert_non_null(strstr(why.at, "cannot reach"));
    why = (struct text){0};
    the_config.user = "no-such-account";
    assert_int_not_equal(commands_start(&the_config, &the_commands, &why), 0);
    assert_non_null(strstr(why.at, "no account no-such-account"));
    why = (struct text){0};
    the_config.user = "root";
    assert_int_not_equal(commands_start(&the_config, &the_commands, &why), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        COMMANDS_TEST(it_tells_exit_signal_and_what_was_used),
        COMMANDS_TEST(its_environment_is_what_is_listed),
        COMMANDS_TEST(it_inherits_no_descriptor),
        COMMANDS_TEST(it_has_its_own_session_and_usual_signals),
        COMMANDS_TEST(its_limits_are_the_users),
        COMMANDS_TEST(memory_beyond_the_limit_is_not_to_be_had),
        COMMANDS_TEST(what_cannot_be_started_says_why),
        COMMANDS_TEST(long_output_goes_to_pieces),
        COMMANDS_TEST(a_flood_is_cut_and_the_command_goes_on),
        COMMANDS_TEST(a_full_disk_is_reported_and_bears_others),
        COMMANDS_TEST(matching_files_are_taken),
        COMMANDS_TEST(no_pattern_and_no_link_leads_out),
        COMMANDS_TEST(files_beyond_the_limits_are_not_taken),
        COMMANDS_TEST(whatever_is_in_the_directory_goes_with_it),
        COMMANDS_TEST(scratch_directories_are_where_they_shall_be),
        COMMANDS_TEST(as_another_account_it_sees_its_own_directory_alone),
        COMMANDS_TEST(an_account_that_can_read_the_nodes_directory_is_refused),
    };
    return commands_main(argc, argv, "command", tests);
}
