//! The list of all cases, from which come [`cases`] and [`store_conformance!`](crate::store_conformance).

use super::case::Case;
use super::fixture::Fixture;

/// Makes one test for each case of the [conformance suite](crate::store::conformance).
///
/// Takes an `async fn() -> Fixture` that opens an empty store. A test is named
/// `group::promise`. The crate that uses this needs `tokio` with the features `macros` and
/// `rt-multi-thread` among its dev-dependencies.
#[macro_export]
macro_rules! store_conformance {
    (@tests ($fixture:expr) $($group:ident { $($name:ident)* })*) => {
        $(
            mod $group {
                #[allow(unused_imports)]
                use super::*;

                $(
                    #[::tokio::test(flavor = "multi_thread", worker_threads = 4)]
                    async fn $name() {
                        let fixture = $fixture().await;
                        $crate::store::conformance::run(stringify!($group), stringify!($name), fixture).await;
                    }
                )*
            }
        )*
    };
    (@cases () $($group:ident { $($name:ident)* })*) => {
        vec![$($(
            Case {
                group: stringify!($group),
                name: stringify!($name),
                run: |fixture| Box::pin(super::$group::$name(fixture)),
            },
        )*)*]
    };
    (@list $each:ident $given:tt) => {
        $crate::store_conformance! {
            @$each $given
            missing {
                a_session_that_never_was_is_missing_and_no_error
                a_missing_session_holds_up_no_other_touch
                a_user_never_heard_of_has_nothing_and_is_no_error
                an_empty_store_has_nothing_to_do
                a_closed_store_fails_every_call
                a_refusal_for_a_missing_session_can_be_tried_again
            }
            creating {
                a_new_session_is_as_ordered
                a_session_begins_in_the_state_that_was_ordered
                a_beginning_is_told_once_with_its_actor
                an_id_that_exists_is_not_created_again
                a_retried_create_begins_one_session
                creates_at_once_with_one_id_begin_one_session
                an_id_past_a_limit_is_not_created_again
                an_id_that_ended_is_not_created_again
            }
            changing {
                a_change_sets_and_removes_by_key_and_counts
                a_change_leaves_all_else_alone
                parallel_changes_to_different_keys_all_survive
                compare_and_set_of_one_key_counts_right
                of_changes_at_once_against_one_version_one_wins
                a_key_changed_meanwhile_is_a_conflict_and_nothing_changes
                data_changed_meanwhile_is_a_mismatch_and_nothing_changes
                the_version_of_a_key_never_comes_twice
                a_refused_change_can_be_tried_again_in_the_same_operation
            }
            data_limits {
                there_is_room_for_64_keys_and_no_more
                a_key_has_1_to_64_bytes
                there_is_room_for_32_kib_of_keys_and_values_and_no_more
                a_session_does_not_begin_with_more_than_it_holds
                changes_at_once_do_not_pass_the_limit_together
            }
            retries {
                every_mutation_that_comes_again_changes_and_tells_nothing
                an_end_of_a_session_that_is_due_can_be_retried
                one_operation_sent_sixteen_times_at_once_changes_once
                a_record_remembers_its_last_sixteen_operations
                a_retry_after_the_end_is_told_as_a_retry
                a_receipt_is_found_by_its_operation
                a_retried_create_gets_its_receipt_back
                a_create_retried_with_another_id_finds_the_first_session
                creates_at_once_in_one_operation_begin_one_session
                a_retried_mutation_gets_its_receipt_back
                a_refused_operation_leaves_no_receipt
                a_receipt_goes_when_its_time_is_over_and_not_before
            }
            revocation {
                no_mutation_changes_an_ended_session
                who_would_go_on_is_told_that_and_why_it_ended
                a_second_end_changes_neither_time_nor_reason
                late_change_cannot_revive_an_ended_session
                a_touch_cannot_revive_an_ended_session
                an_end_leaves_neither_data_nor_a_prepared_token
                an_end_names_the_session_that_takes_its_place
                a_session_ended_under_racing_mutations_stays_ended
                a_guest_ended_under_racing_claims_stays_ended
            }
            expiry {
                a_touch_moves_activity_and_nothing_else
                a_touch_never_goes_backwards
                of_touches_at_once_the_latest_counts
                a_touch_from_the_future_counts_as_now
                a_touch_after_the_limit_revives_nobody
                activity_before_the_limit_counts_also_when_it_is_written_after
                an_end_of_what_was_active_since_it_was_read_is_told_as_it_was_meant
                touches_in_one_batch_each_count_for_themselves
                no_touch_moves_the_absolute_limit
                only_a_full_authentication_moves_the_absolute_limit
                only_touches_and_authentication_are_activity
                no_mutation_changes_a_session_past_a_limit
                a_session_is_alive_until_its_limit_and_dead_from_it_on
                the_limit_that_came_first_is_the_reason
                an_end_that_comes_after_the_limit_tells_the_limit
                a_clock_that_jumps_ahead_ends_nobody
                a_clock_that_steps_back_extends_nobody
            }
            events {
                every_mutation_is_told_once_as_what_it_was
                each_end_is_told_with_time_reason_actor_and_note
                sixteen_ends_at_once_are_told_once
                ends_of_every_kind_at_once_are_told_once
                what_is_refused_or_unchanged_is_not_told
                the_log_has_no_gap_and_no_event_twice
                reading_again_from_any_position_gives_the_same
                a_reader_beside_the_writers_misses_nothing
                a_position_that_is_not_of_this_log_is_refused
                a_position_older_than_what_is_kept_is_refused_and_never_skipped
                an_emptied_log_goes_on_where_it_was
            }
            listing {
                the_list_has_every_session_of_a_user_oldest_first
                an_ended_session_leaves_the_list_at_once
                nothing_crosses_realms
                the_list_is_the_truth_after_a_busy_day
                signing_out_everywhere_ends_all_but_one_and_tells_each
                signing_out_everywhere_again_ends_and_tells_nothing
                signing_out_everywhere_tells_a_session_past_its_limit_as_that
                signing_out_everywhere_moves_the_epoch_on
                a_sign_in_from_before_does_not_come_through
                a_second_factor_from_before_does_not_come_through
                of_sign_ins_racing_a_sign_out_everywhere_none_is_left
                of_sign_outs_everywhere_at_once_each_end_belongs_to_one
            }
            limits {
                fifty_sign_ins_at_once_and_the_oldest_end_leave_five
                fifty_sign_ins_at_once_and_the_longest_idle_end_leave_five
                fifty_sign_ins_at_once_with_refusal_leave_five
                a_refused_sign_in_leaves_all_as_it_was
                the_oldest_or_the_longest_idle_makes_room_as_ordered
                a_lower_limit_pushes_out_as_many_as_needed
                a_session_past_its_limit_takes_no_room
                pending_sign_ins_are_counted_apart_and_push_nobody_out
                the_second_factor_comes_under_the_limit
                a_second_factor_that_comes_too_late_is_told_so_also_at_the_limit
                second_factors_at_once_leave_as_many_as_allowed
                signing_in_again_pushes_nobody_out
                a_user_makes_no_room_at_the_cost_of_another
                guests_have_a_limit_and_an_end_makes_room
                guests_at_once_do_not_pass_the_limit_together
                nobody_has_more_than_a_thousand_sessions
            }
            claims {
                a_claim_is_kept_whole_and_the_data_with_it
                a_claim_freezes_the_guest
                of_claims_at_once_one_wins
                of_a_claim_and_changes_at_once_none_is_lost
                only_the_attempt_that_claimed_lets_the_guest_go_on
                a_released_guest_can_be_claimed_again
                only_a_guest_can_be_claimed_and_only_under_its_token
                a_claimed_guest_past_its_limit_is_not_released_but_ends
                a_sign_in_finished_by_many_at_once_makes_one_session
                a_sign_in_that_is_refused_burns_its_id
                of_a_refused_sign_in_and_its_finishers_at_once_nobody_gets_in
                a_refused_sign_in_that_is_not_to_burn_can_be_tried_again
            }
            rotation {
                a_prepared_token_leaves_the_current_one_in_use
                who_prepares_again_gets_the_same_token
                who_prepares_at_once_gets_the_same_token
                a_prepared_token_that_is_used_takes_over_once
                of_confirms_at_once_one_rotates
                no_token_is_prepared_during_the_grace_of_the_last
                only_the_current_token_can_be_rotated
                what_was_never_prepared_cannot_be_confirmed
                a_rotated_token_that_was_checked_changes_things_until_a_sign_in_supersedes_it
                a_token_that_was_never_made_changes_nothing
                authentication_supersedes_every_token_without_grace
                authentication_skips_the_number_that_a_prepared_token_has_or_could_have
                a_prepared_token_authenticates_nobody_before_it_took_over
                a_rotation_racing_an_authentication_leaves_one_token
                changed_roles_ask_for_a_rotation_until_it_came
                a_prepared_token_does_not_outlive_its_session
            }
            authentication {
                a_second_factor_signs_a_pending_session_in
                a_second_factor_gives_no_role_back_that_was_taken_meanwhile
                a_full_authentication_starts_the_limits_anew
                a_longer_limit_keeps_the_session_past_the_old_one
                a_step_up_raises_the_level_and_moves_no_limit
                a_step_up_never_lowers_the_level
                nobody_takes_over_the_session_of_another
                a_guest_does_not_become_a_user_in_place
                of_authentications_at_once_under_one_token_one_wins
            }
            users {
                disabling_a_user_ends_every_session_and_tells_each
                a_disabled_user_begins_no_session
                an_enabled_user_may_sign_in_but_not_with_a_sign_in_from_before
                disabling_and_enabling_are_told_once_with_their_actor
                disabling_again_changes_nothing
                disabling_retried_after_enabling_changes_nothing
                ending_all_of_a_user_retried_changes_once_and_gives_the_first_count
                disabling_tells_a_session_past_its_limit_as_that
                the_epoch_is_when_a_user_was_last_signed_out
                a_user_is_disabled_in_one_realm_only
                of_sign_ins_racing_a_disabling_none_is_left
            }
            paging {
                pages_of_any_size_together_are_complete
                a_page_has_neither_ended_sessions_nor_those_of_other_realms
                the_last_page_says_that_it_is_the_last
                what_comes_and_goes_meanwhile_disturbs_no_page
                the_session_that_a_page_begins_after_may_be_gone
                pages_read_beside_writers_have_all_that_was_there
            }
            sweeping {
                a_sweep_tells_the_end_of_each_session_past_a_limit
                a_sweep_is_bounded_and_says_whether_there_is_more
                sweeps_at_once_tell_each_end_once
                a_sweep_never_ends_what_was_active_in_time
                touched_sessions_do_not_keep_a_sweep_from_the_dead
                touches_racing_a_sweep_leave_it_one_way_or_the_other
                an_ended_session_is_known_for_its_time_and_then_gone
                an_id_that_was_used_up_is_kept_as_long_as_an_ended_one
                an_adopted_session_is_known_until_its_cookie_begins_it_no_more
                a_sweep_counts_what_it_removes
                a_sweep_minds_limits_that_moved
            }
            moving {
                everything_is_exported_once_and_imported_once
                what_has_gone_on_is_not_taken_back_by_an_import
                a_frozen_store_is_read_and_not_written
                a_freeze_is_believed_by_whom_it_is_of_and_nobody_else
                a_shut_store_answers_nobody_and_opens_for_its_operator_only
                what_a_store_is_in_a_move_is_kept
                of_those_who_change_what_a_store_is_at_once_one_does
            }
            restart {
                every_live_session_is_as_it_was
                an_ended_session_stays_ended
                an_id_that_was_used_up_stays_so
                the_log_reads_the_same_and_goes_on_without_a_gap
                a_retry_is_still_a_retry
                a_user_signed_out_or_disabled_stays_so
                limits_count_those_from_before
                a_session_that_died_meanwhile_is_swept
                a_clock_set_back_while_down_is_not_followed
                what_many_wrote_at_once_is_kept
            }
        }
    };
    ($fixture:expr) => {
        $crate::store_conformance! { @list tests ($fixture) }
    };
}

/// All cases, for those who run them in their own way.
pub fn cases() -> Vec<Case> {
    crate::store_conformance! { @list cases () }
}

/// Runs the case of this name, unless it [does not apply](Case::applies_to).
///
/// # Panics
/// When the store breaks the promise, or there is no such case.
pub async fn run(group: &str, name: &str, fixture: Fixture) {
    let case = cases().into_iter().find(|case| (case.group, case.name) == (group, name));
    case.expect("the suite has this case").run(fixture).await;
}
