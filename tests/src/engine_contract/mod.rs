//! What every engine must do, whatever it is: one suite for Docker Engines and for the engine in memory.
//!
//! Each behaviour is a function that takes a [`Fixture`]; [`engine_contract!`](crate::engine_contract!) makes a test
//! of each. They run side by side, on an engine that others use too, and leave nothing behind but the base image.

mod buildkit;
mod builds;
mod containers;
mod contexts;
mod drift;
mod health;
mod images;
mod inside;
mod networks;
mod observation;
mod ports;
mod registry;
mod scene;
mod volumes;

pub use buildkit::*;
pub use builds::*;
pub use containers::*;
pub use contexts::*;
pub use drift::*;
pub use health::*;
pub use images::*;
pub use inside::*;
pub use networks::*;
pub use observation::*;
pub use ports::*;
pub use registry::*;
pub use scene::{Fixture, Scene, context_of};
pub use volumes::*;

/// Makes a test of each behaviour. It takes the path of a function that gives a fixture.
#[macro_export]
macro_rules! engine_contract {
    ($fixture:path) => {
        $crate::engine_contract!(@tests $fixture;
            a_container_is_made_as_asked
            a_name_is_reserved
            a_renamed_container_has_its_new_name_alone
            renaming_a_container_to_its_own_name_is_well
            an_image_that_is_not_there_makes_no_container
            a_published_port_is_the_one_that_was_asked_for
            a_taken_port_refuses_the_start_and_leaves_the_container_created
            a_port_that_is_not_named_is_chosen_and_told
            a_port_is_published_several_times
            each_family_of_addresses_has_ports_of_its_own
            an_address_that_the_host_does_not_have_is_told
            starting_a_running_container_is_well
            starting_a_container_that_is_gone_is_not_found
            stopping_a_stopped_container_is_well
            stopping_a_container_that_is_gone_is_well
            a_running_container_is_not_removed
            removing_a_container_that_is_gone_is_well
            an_exit_code_is_told
            a_missing_program_refuses_the_start_and_leaves_the_container_created
            a_container_that_is_gone_is_not_inspected
            containers_are_found_as_they_are_listed
            what_can_be_changed_is_told_as_it_was_made
            a_container_is_changed_while_it_runs
            a_bound_that_cannot_be_lifted_is_told
            unpausing_what_is_not_paused_is_well

            a_volume_is_made_once_and_keeps_its_labels
            a_volume_that_a_container_has_is_not_removed
            removing_a_volume_that_is_gone_is_well

            a_network_is_made_once_and_keeps_its_labels
            a_network_that_many_ask_for_at_once_is_one
            a_container_is_made_in_its_network_alone
            a_container_is_connected_and_keeps_its_ports
            a_network_with_a_running_container_is_not_removed
            a_container_is_connected_to_a_network_that_was_made_anew
            what_keeps_ending_is_restarted_and_a_start_counts_anew
            what_keeps_ending_is_restarted_as_often_as_it_may
            a_health_check_finds_a_container_well
            a_health_check_that_fails_too_often_finds_it_unwell
            the_health_check_of_the_image_counts_where_the_container_has_none
            a_container_without_a_health_check_has_no_health
            a_change_of_health_is_told

            a_reference_is_found_as_it_is_listed
            private_tags_are_listed_by_owner_and_by_key
            an_image_is_found_by_every_tag
            a_reference_moves_to_the_image_that_it_is_given_to
            the_last_reference_takes_the_image_with_it
            removing_a_reference_that_is_gone_is_well
            an_image_in_use_keeps_its_last_reference
            an_image_in_use_loses_its_other_references

            a_build_tells_its_steps
            a_built_image_has_its_labels
            the_same_context_builds_from_the_cache
            an_edit_that_keeps_the_length_is_built_from_its_step_on
            a_target_and_its_arguments_are_honoured
            a_failing_step_names_itself
            a_broken_dockerfile_is_the_builds_fault
            a_missing_base_image_is_named
            a_context_that_changes_is_told_as_such
            a_context_that_is_a_link_is_built
            a_dockerfile_outside_of_the_context_is_built
            a_dockerfile_that_a_pattern_leaves_out_is_built
            an_argument_before_from_and_a_stage_to_copy_from_are_honoured
            without_the_cache_every_step_is_done_anew
            a_private_base_image_wants_credentials
            a_front_end_is_let_in_by_name

            a_pulled_image_is_known_by_its_registrys_digest
            what_was_pushed_is_what_is_pulled
            what_has_a_digest_is_pulled_without_a_tag
            a_digest_that_the_registry_does_not_have_is_not_found
            an_image_is_pulled_for_the_platform_that_is_named
            a_single_platform_is_not_taken_for_another
            what_is_sent_of_an_index_is_known_again
            only_the_tag_that_is_named_is_pushed
            a_push_without_credentials_is_denied
            a_push_with_a_wrong_password_is_denied
            credentials_for_another_host_are_not_shown
            pushing_what_the_engine_does_not_have_is_not_found
            an_image_that_the_registry_does_not_have_is_not_found
            a_registry_that_does_not_answer_is_unavailable

            logs_carry_both_streams
            the_tail_of_a_log_is_its_last_lines
            a_followed_log_ends_with_the_container
            the_log_of_a_container_that_is_gone_is_not_found
            events_name_the_owner
        );
    };
    // What only BuildKit does. The engine in memory runs no programs and asks for nothing while it builds, so it cannot
    // play these honestly.
    (buildkit $fixture:path) => {
        $crate::engine_contract!(@tests $fixture;
            only_the_file_that_has_changed_is_sent
            only_the_files_that_are_used_are_sent
            a_secret_is_shown_to_a_step_and_stays_nowhere
            a_secret_that_was_not_given_is_missing
            an_ssh_key_signs_for_a_step
            a_step_may_be_without_a_network
            a_step_knows_the_extra_hosts
            a_here_document_is_built_or_its_error_says_how
            several_platforms_are_built_or_refused
            attestations_and_annotations_are_made_or_refused
            a_cache_goes_to_a_registry_and_comes_from_it
            warnings_and_base_images_are_told
            a_given_time_is_that_of_the_image
        );
    };
    // What programs see, which the engine in memory does not run; it is the same whatever builds.
    (inside $fixture:path) => {
        $crate::engine_contract!(@tests $fixture;
            a_program_sees_its_names
            a_program_has_no_more_rights_than_it_was_left
            a_program_gets_no_more_than_its_bounds
            a_program_finds_its_folders
            a_program_finds_others_by_their_names
            nothing_is_left_that_held_folders
            a_program_is_stopped_by_its_signal
        );
    };
    // What the classic builder does and refuses beside the rest; what it runs, the engine in memory does not.
    (classic $fixture:path) => {
        $crate::engine_contract!(@tests $fixture;
            a_step_may_be_without_a_network
            a_step_knows_the_extra_hosts
            what_the_classic_builder_cannot_do_is_refused
        );
    };
    (@tests $fixture:path; $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                $crate::engine_contract::$behaviour($fixture()).await;
            }
        )*
    };
}
