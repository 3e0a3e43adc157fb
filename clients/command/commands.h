/* commands.h - what the table of commands points to: each command's options and its function. */
#ifndef CONCLAVE_CLIENTS_COMMANDS_H
#define CONCLAVE_CLIENTS_COMMANDS_H

#include "clients/cli.h"

/* Each takes the words after its name and returns an exit code. */
int map_run(struct cli *cli, int n_words, char **words);
int op_check_run(struct cli *cli, int n_words, char **words);
int op_add_run(struct cli *cli, int n_words, char **words);
int op_list_run(struct cli *cli, int n_words, char **words);
int op_show_run(struct cli *cli, int n_words, char **words);
int op_rm_run(struct cli *cli, int n_words, char **words);
int submit_run(struct cli *cli, int n_words, char **words);
int job_list_run(struct cli *cli, int n_words, char **words);
int job_show_run(struct cli *cli, int n_words, char **words);
int job_wait_run(struct cli *cli, int n_words, char **words);
int job_result_run(struct cli *cli, int n_words, char **words);
int job_cancel_run(struct cli *cli, int n_words, char **words);
int job_tasks_run(struct cli *cli, int n_words, char **words);
int job_outputs_run(struct cli *cli, int n_words, char **words);
int job_log_run(struct cli *cli, int n_words, char **words);
int job_retry_run(struct cli *cli, int n_words, char **words);
int job_forget_run(struct cli *cli, int n_words, char **words);
int job_explain_run(struct cli *cli, int n_words, char **words);
int progress_set_run(struct cli *cli, int n_words, char **words);
int progress_snap_run(struct cli *cli, int n_words, char **words);
int progress_get_run(struct cli *cli, int n_words, char **words);
int bank_deposit_run(struct cli *cli, int n_words, char **words);
int bank_withdraw_run(struct cli *cli, int n_words, char **words);
int bank_balance_run(struct cli *cli, int n_words, char **words);
int bank_transfer_run(struct cli *cli, int n_words, char **words);
int bank_list_run(struct cli *cli, int n_words, char **words);
int bank_load_run(struct cli *cli, int n_words, char **words);
int kv_put_run(struct cli *cli, int n_words, char **words);
int kv_get_run(struct cli *cli, int n_words, char **words);
int kv_del_run(struct cli *cli, int n_words, char **words);
int kv_list_run(struct cli *cli, int n_words, char **words);
int snapshot_take_run(struct cli *cli, int n_words, char **words);
int snapshot_list_run(struct cli *cli, int n_words, char **words);
int snapshot_show_run(struct cli *cli, int n_words, char **words);
int snapshot_export_run(struct cli *cli, int n_words, char **words);
int snapshot_verify_run(struct cli *cli, int n_words, char **words);
int snapshot_restore_run(struct cli *cli, int n_words, char **words);
int value_put_run(struct cli *cli, int n_words, char **words);
int value_list_run(struct cli *cli, int n_words, char **words);
int value_get_run(struct cli *cli, int n_words, char **words);
int value_rm_run(struct cli *cli, int n_words, char **words);
int quota_run(struct cli *cli, int n_words, char **words);
int status_run(struct cli *cli, int n_words, char **words);
int web_run(struct cli *cli, int n_words, char **words);
int init_run(struct cli *cli, int n_words, char **words);
int check_run(struct cli *cli, int n_words, char **words);
int monitor_run(struct cli *cli, int n_words, char **words);
int up_run(struct cli *cli, int n_words, char **words);
int recover_run(struct cli *cli, int n_words, char **words);
int down_run(struct cli *cli, int n_words, char **words);
int run_run(struct cli *cli, int n_words, char **words);
int completion_run(struct cli *cli, int n_words, char **words);
int keys_init_run(struct cli *cli, int n_words, char **words);
int keys_add_run(struct cli *cli, int n_words, char **words);
int keys_list_run(struct cli *cli, int n_words, char **words);
int keys_revoke_run(struct cli *cli, int n_words, char **words);
int keys_rotate_run(struct cli *cli, int n_words, char **words);

/* What `job result` does for a job of tasks: the stdout of all that are done, to a file or (NULL)
 * stdout. */
int job_tasks_result(struct cli *cli, job_id_t job, const char *path);

extern const char completion_details[];

extern const struct option_spec map_options[];
extern const struct option_spec op_check_options[];
extern const struct option_spec op_add_options[];
extern const struct option_spec submit_options[];
extern const struct option_spec job_list_options[];
extern const struct option_spec job_show_options[];
extern const struct option_spec job_output_options[];
extern const struct option_spec job_result_options[];
extern const struct option_spec job_tasks_options[];
extern const struct option_spec job_outputs_options[];
extern const struct option_spec job_log_options[];
extern const struct option_spec job_retry_options[];
extern const struct option_spec job_forget_options[];
extern const struct option_spec progress_snap_options[];
extern const struct option_spec progress_get_options[];
extern const struct option_spec bank_change_options[];
extern const struct option_spec bank_list_options[];
extern const struct option_spec bank_load_options[];
extern const struct option_spec kv_put_options[];
extern const struct option_spec kv_get_options[];
extern const struct option_spec kv_del_options[];
extern const struct option_spec kv_list_options[];
extern const struct option_spec snapshot_take_options[];
extern const struct option_spec snapshot_list_options[];
extern const struct option_spec snapshot_show_options[];
extern const struct option_spec snapshot_verify_options[];
extern const struct option_spec snapshot_restore_options[];
extern const struct option_spec value_put_options[];
extern const struct option_spec value_list_options[];
extern const struct option_spec value_get_options[];
extern const struct option_spec status_options[];
extern const struct option_spec web_options[];
extern const struct option_spec init_options[];
extern const struct option_spec check_options[];
extern const struct option_spec monitor_options[];
extern const struct option_spec up_options[];
extern const struct option_spec recover_options[];
extern const struct option_spec down_options[];
extern const struct option_spec run_options[];
extern const struct option_spec keys_options[];
extern const struct option_spec keys_list_options[];
extern const struct option_spec quota_options[];
extern const struct option_spec op_list_options[];
extern const struct option_spec keys_init_options[];
extern const struct option_spec keys_add_options[];
extern const struct option_spec keys_rotate_options[];

#endif
